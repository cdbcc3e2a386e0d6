// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include "source/base/check.h"
#include "source/config/mesh_file.h"
#include "source/mesh/table_reader.h"

// Any text is a state or says what is wrong, and a state can be put into a table and taken out.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const config::Format format : {config::Format::kYaml, config::Format::kJson}) {
    mesh::WorkloadTable table;
    config::MeshState state;
    config::Problems problems;
    config::readMeshState(text, format, "fuzz", table, state, problems);
    if (!problems.ok()) {
      continue;
    }
    std::vector<mesh::Change> changes(state.workloads.begin(), state.workloads.end());
    changes.insert(changes.end(), state.services.begin(), state.services.end());
    changes.insert(changes.end(), state.policies.begin(), state.policies.end());
    CULVERT_CHECK(table.apply(changes).empty()); // The reader refuses what the table would.
    for (const mesh::WorkloadRef& workload : state.workloads) {
      const mesh::TableReader reader(table);
      CULVERT_CHECK(reader.workload(workload->uid) != nullptr);
    }
    std::vector<mesh::Change> removals;
    for (const mesh::WorkloadRef& workload : state.workloads) {
      removals.push_back(mesh::Removal{mesh::ResourceKind::kWorkload, workload->uid.string()});
    }
    table.apply(removals);
    CULVERT_CHECK(table.sizes().workloads == 0);
  }
  return 0;
}
