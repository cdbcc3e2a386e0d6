// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh_file.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/base/log.h"
#include "source/config/internal/mesh_records.h"
#include "source/config/suggest.h"
#include "source/mesh/table_reader.h"

namespace culvert::config {
namespace {

using mesh::ResourceKind;
using mesh::Text;

// Entries of the file's lists, one by one.
class StateReader {
public:
  StateReader(mesh::WorkloadTable& table, MeshState& state, Problems& problems)
      : records_(table.texts()), table_(table), state_(state), problems_(problems) {}

  void entry(const std::string& list, size_t index, const Node& node) {
    if (problems_.full()) {
      return;
    }
    const NodeValue value(node, absl::StrCat(list, "[", index, "]"), problems_);
    if (list == "workloads") {
      keep(state_.workloads, records_.workload(value), value, workloads_,
           [](const mesh::TableReader& reader, absl::string_view key) {
             return reader.workload(key);
           });
    } else if (list == "services") {
      keep(state_.services, records_.service(value), value, services_,
           [](const mesh::TableReader& reader, absl::string_view key) {
             return reader.serviceByKey(key);
           });
    } else if (list == "policies") {
      keep(state_.policies, records_.policy(value), value, policies_,
           [](const mesh::TableReader&, absl::string_view) -> const mesh::Policy* {
             return nullptr;
           });
    }
  }

  // What stands in the root beside the lists.
  void root(const Node& node) const {
    if (node.kind == Node::Kind::kNull) {
      return; // An empty file is an empty mesh.
    }
    NodeFields fields(NodeValue(node, "", problems_));
    for (const char* list : {"workloads", "services", "policies"}) {
      if (const auto value = fields.find(list); value.has_value()) {
        value->forEachEntry([](const NodeValue&) {});
      }
    }
    fields.finish();
  }

private:
  struct Place {
    std::string path;
    int line;
  };
  using Places = absl::flat_hash_map<Text, Place>;

  static Text keyOf(const mesh::Workload& workload) { return workload.uid; }
  static Text keyOf(const mesh::Service& service) { return service.key; }
  static Text keyOf(const mesh::Policy& policy) { return policy.key; }

  // What does not differ from the table's is the table's: a file of a hundred thousand workloads is
  // read again without a second hundred thousand records.
  template <class Ref, class Find>
  void keep(std::vector<Ref>& all, Ref record, const NodeValue& value, Places& places, Find find) {
    const Text key = keyOf(*record);
    const auto [at, first] =
        places.try_emplace(key, Place{value.path(), value.node().mark.position.line});
    if (!first) {
      value.error(absl::StrCat(quoted(key.view()), " is already ", at->second.path, " (line ",
                               at->second.line, ")"));
      return;
    }
    const mesh::TableReader reader(table_);
    const auto* known = find(reader, key);
    all.push_back(known != nullptr && *known == *record ? Ref(known) : std::move(record));
  }

  MeshRecords records_;
  mesh::WorkloadTable& table_;
  MeshState& state_;
  Problems& problems_;
  Places workloads_;
  Places services_;
  Places policies_;
};

// What is no .json is YAML, of which JSON is a part.
Format meshFormatOf(absl::string_view path) {
  return absl::EndsWithIgnoreCase(path, ".json") ? Format::kJson : Format::kYaml;
}

template <class Refs, class Keys, class KeyOf>
void addChanges(const Refs& records, Keys& keys, KeyOf key_of, std::vector<mesh::Change>& changes) {
  for (const auto& record : records) {
    keys.insert(key_of(*record));
    changes.push_back(record);
  }
}

template <class Keys>
void addRemovals(const Keys& old, const Keys& now, ResourceKind kind,
                 std::vector<mesh::Change>& changes) {
  for (const Text& key : old) {
    if (!now.contains(key)) {
      changes.push_back(mesh::Removal{kind, key.string()});
    }
  }
}

} // namespace

void readMeshState(absl::string_view text, Format format, absl::string_view name,
                   mesh::WorkloadTable& table, MeshState& state, Problems& problems) {
  problems.sources().beginFile(name);
  if (text.size() > kInputBytesMax) {
    problems.error("", absl::StrCat("larger than ", kInputBytesMax >> 20, " MiB"));
    return;
  }
  StateReader reader(table, state, problems);
  Tree tree;
  tree.each = [&reader](const std::string& list, size_t index, const Node& entry) {
    reader.entry(list, index, entry);
  };
  const auto error = format == Format::kJson ? parseJson(text, tree) : parseYaml(text, tree);
  if (error.has_value()) {
    problems.errorAt(error->mark.position, "", error->text);
    return;
  }
  reader.root(*tree.root);
}

absl::StatusOr<std::unique_ptr<MeshSource>> MeshSource::ofFile(const std::string& path,
                                                               mesh::WorkloadTable& table,
                                                               event::FileWatcher& watcher) {
  std::unique_ptr<MeshSource> source(new MeshSource(table));
  auto file = WatchedFile::watch( // Before it is read: no change falls in between.
      path, watcher, [&self = *source](const WatchedFile::Text& text) { self.reload(text); });
  if (!file.ok()) {
    return file.status();
  }
  source->file_ = *std::move(file);
  if (absl::Status status = source->load(source->file_->read()); !status.ok()) {
    return status;
  }
  return source;
}

absl::StatusOr<std::unique_ptr<MeshSource>> MeshSource::ofText(absl::string_view text,
                                                               mesh::WorkloadTable& table) {
  std::unique_ptr<MeshSource> source(new MeshSource(table));
  if (absl::Status status = source->take(text, Format::kYaml, "LOCAL_XDS"); !status.ok()) {
    return status;
  }
  return source;
}

absl::Status MeshSource::load(const WatchedFile::Text& text) {
  const std::string& path = file_->path();
  if (!text.has_value()) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  }
  return take(*text, meshFormatOf(path), path);
}

void MeshSource::reload(const WatchedFile::Text& text) {
  const absl::Status status = load(text);
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n', absl::SkipEmpty())) {
    LOG(warning, config, "mesh file not taken, the last good state stays: %s", line);
  }
}

absl::Status MeshSource::take(absl::string_view text, Format format, absl::string_view name) {
  MeshState state;
  Problems problems;
  readMeshState(text, format, name, table_, state, problems);
  if (!problems.ok()) {
    return problems.status();
  }
  apply(state);
  LOG(info, config, "%s: %d workloads, %d services, %d policies", name, state.workloads.size(),
      state.services.size(), state.policies.size());
  return absl::OkStatus();
}

// What restricts comes first and goes last, so that nothing is open in between.
void MeshSource::apply(const MeshState& state) {
  Loaded now;
  std::vector<mesh::Change> changes;
  changes.reserve(state.policies.size() + state.services.size() + state.workloads.size());
  addChanges(state.policies, now.policies, [](const auto& p) { return p.key; }, changes);
  addChanges(state.services, now.services, [](const auto& s) { return s.key; }, changes);
  addChanges(state.workloads, now.workloads, [](const auto& w) { return w.uid; }, changes);
  addRemovals(loaded_.workloads, now.workloads, ResourceKind::kWorkload, changes);
  addRemovals(loaded_.services, now.services, ResourceKind::kService, changes);
  addRemovals(loaded_.policies, now.policies, ResourceKind::kPolicy, changes);
  loaded_ = std::move(now);
  for (const mesh::Rejection& rejection : table_.apply(changes)) {
    LOG(warning, config, "mesh file, change %d: %s", rejection.index, rejection.reason);
  }
}

} // namespace culvert::config
