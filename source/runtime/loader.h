// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/file_watcher.h"
#include "source/runtime/entry.h"

namespace culvert::event {
class Loop;
} // namespace culvert::event
namespace culvert::stats {
class Scope;
} // namespace culvert::stats

namespace culvert::runtime {

// One layer of Bootstrap.layered_runtime (envoy-compat A.1); a later one wins.
struct LayerConfig {
  enum class Kind : uint8_t { kStatic, kDisk, kAdmin };

  std::string name;
  Kind kind = Kind::kStatic;
  Entries entries; // kStatic
  // kDisk: a file below root/subdirectory(/service_cluster) is a key, its path with dots. Read
  // again when something is renamed onto the root, which is how a link to a tree is replaced.
  std::string symlink_root;
  std::string subdirectory;
  bool append_service_cluster = false;
};

struct Config {
  std::vector<LayerConfig> layers;
  std::string service_cluster;
};

// What all layers said at one time.
// Threads: any; immutable.
class Snapshot {
public:
  struct Layer {
    std::string name;
    Entries entries;
  };

  explicit Snapshot(std::vector<Layer> layers);

  // The value of the last layer that has one, null if none has.
  const Entry* find(absl::string_view key) const;
  const std::map<std::string, const Entry*, std::less<>>& entries() const { return merged_; }
  const std::vector<Layer>& layers() const { return layers_; }

private:
  const std::vector<Layer> layers_;
  std::map<std::string, const Entry*, std::less<>> merged_;
};

// The current value of one key: T is uint64_t, double, bool or Fraction. Costs one relaxed load.
// Threads: any; main keeps it up to date. Lifetime: independent of the Loader, and then constant.
template <class T> class Watched {
public:
  T get() const { return cell_->value.load(std::memory_order_relaxed); }

private:
  friend class Loader;
  struct Cell {
    std::string key;
    T fallback;
    std::atomic<T> value;
  };
  explicit Watched(std::shared_ptr<const Cell> cell) : cell_(std::move(cell)) {}

  std::shared_ptr<const Cell> cell_;
};

// The layers, merged anew whenever one of them changes. Counts runtime.* (envoy-compat D.4).
// Threads: main. Errors: Envoy's texts: a name twice, two admin layers, a root that cannot be
// watched.
class Loader {
public:
  static absl::StatusOr<std::unique_ptr<Loader>> create(event::Loop& loop, stats::Scope& root,
                                                        Config config);
  ~Loader();
  Loader(const Loader&) = delete;

  std::shared_ptr<const Snapshot> snapshot() const { return snapshot_; }

  // The key's value, or `fallback` while there is none or it is of another kind.
  template <class T> Watched<T> watch(std::string key, T fallback);

  // Sets values in the admin layer; an empty one removes the key. Errors: Unavailable when no
  // layer is the admin's.
  absl::Status modify(const std::vector<std::pair<std::string, std::string>>& values);

private:
  struct Stats;
  template <class T> using Cells = std::vector<std::weak_ptr<typename Watched<T>::Cell>>;

  Loader(event::Loop& loop, stats::Scope& root, Config config);
  absl::Status start();
  void load();
  absl::StatusOr<Entries> readDisk(const LayerConfig& layer);
  template <class T> Cells<T>& cells();
  template <class T> void refresh();
  template <class T> T valueOf(const std::string& key, T fallback) const;

  const Config config_;
  std::unique_ptr<Stats> stats_;
  std::unique_ptr<event::FileWatcher> watcher_;
  std::vector<std::unique_ptr<event::FileWatcher::Watch>> watches_;
  Entries admin_;
  bool has_admin_layer_ = false;
  bool override_exists_ = false; // A layer with the cluster in its path, in the last load.
  std::shared_ptr<const Snapshot> snapshot_;

  Cells<uint64_t> integers_;
  Cells<double> numbers_;
  Cells<bool> booleans_;
  Cells<Fraction> fractions_;
};

} // namespace culvert::runtime
