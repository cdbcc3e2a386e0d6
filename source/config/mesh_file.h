// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/config/loader.h"
#include "source/config/problems.h"
#include "source/config/watched_file.h"
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

  explicit MeshSource(mesh::WorkloadTable& table) : table_(table) {}

  absl::Status load(const WatchedFile::Text& text);
  void reload(const WatchedFile::Text& text);
  absl::Status take(absl::string_view text, Format format, absl::string_view name);
  void apply(const MeshState& state);

  mesh::WorkloadTable& table_;
  Loaded loaded_;                     // What of the table came from here.
  std::unique_ptr<WatchedFile> file_; // Of LOCAL_XDS: none.
};

} // namespace culvert::config
