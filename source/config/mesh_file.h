// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/config/loader.h"
#include "source/config/problems.h"
#include "source/event/file_watcher.h"
#include "source/mesh/table.h"

namespace culvert::config {

// What a local file of the mesh says (LOCAL_XDS_PATH, mesh-control-plane 2.5).
struct MeshState {
  std::vector<mesh::WorkloadRef> workloads;
  std::vector<mesh::ServiceRef> services;
  std::vector<mesh::PolicyRef> policies;
};

// Reads YAML or JSON into records for `table`; those that it has already are taken from there. What
// is wrong is in `problems`, with file, line and field; then `state` is of no use. Texts of any
// length up to kInputBytesMax, in memory for one entry at a time.
// Threads: main.
void readMeshState(absl::string_view text, Format format, absl::string_view name,
                   mesh::WorkloadTable& table, MeshState& state, Problems& problems);

// A source of the table: a file that is read again when it changes, or a text. What the file no
// longer has is taken out of the table; what other sources put there stays. A file that cannot be
// taken is logged line by line, and the last good state stays.
//
// Threads: main. Lifetime: the table and the watcher outlive it; at its end the table stays as it
// is.
class MeshSource {
public:
  // Errors: what is wrong with the file, a line for each thing, or "PATH: cannot be read".
  static absl::StatusOr<std::unique_ptr<MeshSource>>
  ofFile(const std::string& path, mesh::WorkloadTable& table, event::FileWatcher& watcher);
  // Of LOCAL_XDS, which does not change.
  static absl::StatusOr<std::unique_ptr<MeshSource>> ofText(absl::string_view text,
                                                            mesh::WorkloadTable& table);

private:
  using Keys = absl::flat_hash_set<mesh::Text>;
  struct Loaded {
    Keys workloads;
    Keys services;
    Keys policies;
  };

  MeshSource(std::string path, mesh::WorkloadTable& table)
      : path_(std::move(path)), table_(table) {}

  absl::Status watch(event::FileWatcher& watcher);
  absl::Status load();
  absl::Status take(absl::string_view text, Format format, absl::string_view name);
  void apply(const MeshState& state);
  void reload(bool only_if_different);

  const std::string path_;
  mesh::WorkloadTable& table_;
  Loaded loaded_;                     // What of the table came from here.
  std::optional<uint64_t> last_read_; // A hash; nothing while it could not be read.
  std::vector<std::unique_ptr<event::FileWatcher::Watch>> watches_;
};

} // namespace culvert::config
