// SPDX-License-Identifier: Apache-2.0
#include "source/runtime/loader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "source/base/log.h"
#include "source/event/file_watcher.h"
#include "source/stats/store.h"

namespace culvert::runtime {
namespace {

namespace fs = std::filesystem;

constexpr int kFolderDepthMax = 16;
constexpr size_t kFileBytesMax = 64 * 1024;

// A file's value: its lines but for those that begin with '#', without blanks at the end.
absl::StatusOr<std::string> readValue(const fs::path& path) {
  std::ifstream file(path);
  if (!file)
    return absl::InvalidArgumentError(absl::StrCat("unable to read file: ", path.string()));
  std::vector<std::string> lines;
  size_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    bytes += line.size();
    if (bytes > kFileBytesMax)
      return absl::InvalidArgumentError(absl::StrCat("too large: ", path.string()));
    if (!absl::StartsWith(line, "#"))
      lines.push_back(std::move(line));
  }
  const std::string text = absl::StrJoin(lines, "\n");
  return std::string(absl::StripTrailingAsciiWhitespace(text));
}

absl::Status readFolder(const fs::path& folder, const std::string& prefix, int depth,
                        Entries& entries) {
  if (depth > kFolderDepthMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("Walk recursion depth exceeded ", kFolderDepthMax));
  }
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string key = prefix + it->path().filename().string();
    std::error_code ignored; // What vanished meanwhile is neither folder nor file.
    if (it->is_directory(ignored)) {
      if (absl::Status status = readFolder(it->path(), key + ".", depth + 1, entries); !status.ok())
        return status;
    } else if (it->is_regular_file(ignored)) {
      absl::StatusOr<std::string> value = readValue(it->path());
      if (!value.ok())
        return value.status();
      entries[key] = Entry::parse(*value);
    }
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("unable to read folder ", folder.string(), ": ", error.message()));
  }
  return absl::OkStatus();
}

std::optional<uint64_t> read(const Entry& entry, uint64_t*) { return entry.integer; }
std::optional<double> read(const Entry& entry, double*) { return entry.number; }
std::optional<bool> read(const Entry& entry, bool*) { return entry.boolean; }
std::optional<Fraction> read(const Entry& entry, Fraction*) {
  if (entry.fraction || !entry.integer)
    return entry.fraction;
  // A plain number is a share of a hundred.
  return Fraction{static_cast<uint32_t>(std::min<uint64_t>(*entry.integer, 100)), 100};
}

} // namespace

Snapshot::Snapshot(std::vector<Layer> layers) : layers_(std::move(layers)) {
  for (const Layer& layer : layers_) {
    for (const auto& [key, entry] : layer.entries)
      merged_[key] = &entry;
  }
}

const Entry* Snapshot::find(absl::string_view key) const {
  const auto it = merged_.find(std::string_view(key.data(), key.size()));
  return it == merged_.end() ? nullptr : it->second;
}

struct Loader::Stats {
  explicit Stats(stats::Scope& root)
      : scope(root.scope("runtime")), load_success(scope->counter("load_success")),
        load_error(scope->counter("load_error")),
        override_dir_exists(scope->counter("override_dir_exists")),
        override_dir_not_exists(scope->counter("override_dir_not_exists")),
        num_keys(scope->gauge("num_keys")), num_layers(scope->gauge("num_layers")),
        admin_overrides_active(scope->gauge("admin_overrides_active")) {
    scope->counter("deprecated_feature_use");
    scope->gauge("deprecated_feature_seen_since_process_start");
  }

  std::unique_ptr<stats::Scope> scope;
  stats::Counter& load_success;
  stats::Counter& load_error;
  stats::Counter& override_dir_exists;
  stats::Counter& override_dir_not_exists;
  stats::Gauge& num_keys;
  stats::Gauge& num_layers;
  stats::Gauge& admin_overrides_active;
};

Loader::Loader(event::Loop& loop, stats::Scope& root, Config config)
    : config_(std::move(config)), stats_(std::make_unique<Stats>(root)),
      watcher_(std::make_unique<event::FileWatcher>(loop)) {}

Loader::~Loader() = default;

absl::StatusOr<std::unique_ptr<Loader>> Loader::create(event::Loop& loop, stats::Scope& root,
                                                       Config config) {
  auto loader = std::unique_ptr<Loader>(new Loader(loop, root, std::move(config)));
  if (absl::Status status = loader->start(); !status.ok())
    return status;
  return loader;
}

absl::Status Loader::start() {
  std::set<std::string> names;
  for (const LayerConfig& layer : config_.layers) {
    if (!names.insert(layer.name).second)
      return absl::InvalidArgumentError(absl::StrCat("Duplicate layer name: ", layer.name));
    if (layer.kind == LayerConfig::Kind::kAdmin) {
      if (has_admin_layer_) {
        return absl::InvalidArgumentError(
            "Too many admin layers specified in LayeredRuntime, at most one may be specified");
      }
      has_admin_layer_ = true;
    }
    if (layer.kind == LayerConfig::Kind::kDisk) {
      auto watched =
          watcher_->watch(layer.symlink_root, event::FileChange::kRenamed, [this] { load(); });
      if (!watched.ok())
        return watched.status();
      watches_.push_back(*std::move(watched));
    }
  }
  load();
  return absl::OkStatus();
}

absl::StatusOr<Entries> Loader::readDisk(const LayerConfig& layer) {
  fs::path folder = fs::path(layer.symlink_root) / layer.subdirectory;
  if (layer.append_service_cluster)
    folder /= config_.service_cluster;
  std::error_code ignored;
  const bool exists = fs::is_directory(folder, ignored);
  override_exists_ |= exists && layer.append_service_cluster;
  Entries entries;
  if (!exists)
    return entries;
  if (absl::Status status = readFolder(folder, "", 1, entries); !status.ok())
    return status;
  return entries;
}

void Loader::load() {
  std::vector<Snapshot::Layer> layers;
  bool failed = false;
  override_exists_ = false;
  for (const LayerConfig& layer : config_.layers) {
    switch (layer.kind) {
    case LayerConfig::Kind::kStatic:
      layers.push_back({layer.name, layer.entries});
      break;
    case LayerConfig::Kind::kAdmin:
      layers.push_back({layer.name, admin_});
      break;
    case LayerConfig::Kind::kDisk:
      absl::StatusOr<Entries> entries = readDisk(layer);
      if (!entries.ok()) {
        LOG(warning, runtime, "error loading runtime values for layer %s from disk: %s", layer.name,
            std::string(entries.status().message()));
        failed = true;
        entries = Entries();
      }
      layers.push_back({layer.name, *std::move(entries)});
      break;
    }
  }
  (override_exists_ ? stats_->override_dir_exists : stats_->override_dir_not_exists).add();
  (failed ? stats_->load_error : stats_->load_success).add();
  stats_->num_layers.set(layers.size());
  stats_->admin_overrides_active.set(admin_.empty() ? 0 : 1);
  snapshot_ = std::make_shared<const Snapshot>(std::move(layers));
  stats_->num_keys.set(snapshot_->entries().size());
  refresh<uint64_t>();
  refresh<double>();
  refresh<bool>();
  refresh<Fraction>();
}

absl::Status Loader::modify(const std::vector<std::pair<std::string, std::string>>& values) {
  if (!has_admin_layer_)
    return absl::UnavailableError("No admin layer specified");
  for (const auto& [key, value] : values) {
    if (value.empty()) {
      admin_.erase(key);
    } else {
      admin_[key] = Entry::parse(value);
    }
  }
  load();
  return absl::OkStatus();
}

template <> Loader::Cells<uint64_t>& Loader::cells<uint64_t>() { return integers_; }
template <> Loader::Cells<double>& Loader::cells<double>() { return numbers_; }
template <> Loader::Cells<bool>& Loader::cells<bool>() { return booleans_; }
template <> Loader::Cells<Fraction>& Loader::cells<Fraction>() { return fractions_; }

template <class T> T Loader::valueOf(const std::string& key, T fallback) const {
  const Entry* const entry = snapshot_->find(key);
  return entry == nullptr ? fallback : read(*entry, static_cast<T*>(nullptr)).value_or(fallback);
}

template <class T> void Loader::refresh() {
  std::erase_if(cells<T>(), [](const auto& cell) { return cell.expired(); });
  for (const auto& weak : cells<T>()) {
    const auto cell = weak.lock();
    cell->value.store(valueOf(cell->key, cell->fallback), std::memory_order_relaxed);
  }
}

template <class T> Watched<T> Loader::watch(std::string key, T fallback) {
  static_assert(std::atomic<T>::is_always_lock_free);
  const T now = valueOf(key, fallback);
  auto cell = std::make_shared<typename Watched<T>::Cell>();
  cell->key = std::move(key);
  cell->fallback = fallback;
  cell->value.store(now, std::memory_order_relaxed);
  cells<T>().push_back(cell);
  return Watched<T>(std::move(cell));
}

template Watched<uint64_t> Loader::watch(std::string, uint64_t);
template Watched<double> Loader::watch(std::string, double);
template Watched<bool> Loader::watch(std::string, bool);
template Watched<Fraction> Loader::watch(std::string, Fraction);

} // namespace culvert::runtime
