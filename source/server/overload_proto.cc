// SPDX-License-Identifier: Apache-2.0
#include "source/server/overload_proto.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/config/overload/v3/overload.pb.h"
#include "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.pb.h"
#include "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.pb.h"
#include "source/base/proto.h"
#include "source/config/bootstrap_parts.h"

namespace culvert::server {
namespace {

namespace overload = envoy::config::overload::v3;
namespace monitors = envoy::extensions::resource_monitors;
using config::Problems;

constexpr char kPath[] = "overload_manager";
constexpr char kHeap[] = "envoy.resource_monitors.fixed_heap";
constexpr char kStopAccepting[] = "envoy.overload_actions.stop_accepting_connections";
constexpr char kRejectIncoming[] = "envoy.overload_actions.reject_incoming_connections";

// Of other kinds config::check() has said that they are not there.
void readMonitor(const overload::ResourceMonitor& proto, OverloadConfig& config) {
  monitors::downstream_connections::v3::DownstreamConnectionsConfig connections;
  monitors::fixed_heap::v3::FixedHeapConfig heap;
  if (proto.typed_config().UnpackTo(&connections)) {
    config.max_connections = static_cast<uint64_t>(connections.max_active_downstream_connections());
  } else if (proto.typed_config().UnpackTo(&heap)) {
    config.max_heap_bytes = heap.max_heap_size_bytes();
  }
}

OverloadConfig::Trigger readTrigger(const overload::Trigger& proto, const std::string& path,
                                    const std::string& action, bool has_heap, Problems& problems) {
  if (!has_heap || proto.name() != kHeap) {
    problems.error(
        absl::StrCat(path, ".name"), "no such monitor can trigger an action",
        absl::StrCat("Unknown trigger resource ", proto.name(), " for overload action ", action));
  }
  if (!proto.has_scaled()) {
    return {proto.threshold().value(), proto.threshold().value()};
  }
  const overload::ScaledTrigger& scaled = proto.scaled();
  if (scaled.scaling_threshold() >= scaled.saturation_threshold()) {
    problems.error(absl::StrCat(path, ".scaled"), "the action would begin after it is complete",
                   "scaling_threshold must be less than saturation_threshold");
  }
  return {scaled.scaling_threshold(), scaled.saturation_threshold()};
}

void readAction(const overload::OverloadAction& proto, const std::string& path, Problems& problems,
                OverloadConfig& config) {
  OverloadConfig::Triggers* const triggers = proto.name() == kStopAccepting ? &config.stop_accepting
                                             : proto.name() == kRejectIncoming
                                                 ? &config.reject_incoming
                                                 : nullptr;
  if (triggers == nullptr) {
    problems.error(absl::StrCat(path, ".name"),
                   absl::StrCat("there are the actions ", kStopAccepting, " and ", kRejectIncoming),
                   absl::StrCat("Unknown Overload Manager Action ", proto.name()));
    return;
  }
  for (int i = 0; i < proto.triggers_size(); i++) {
    triggers->push_back(readTrigger(proto.triggers(i), absl::StrCat(path, ".triggers[", i, "]"),
                                    proto.name(), config.max_heap_bytes.has_value(), problems));
  }
}

} // namespace

OverloadConfig readOverload(const overload::OverloadManager& proto, Problems& problems) {
  OverloadConfig config;
  if (proto.has_refresh_interval()) {
    config.refresh_interval = base::toDuration(proto.refresh_interval());
  }
  std::set<std::string> names;
  for (int i = 0; i < proto.resource_monitors_size(); i++) {
    const std::string& name = proto.resource_monitors(i).name();
    if (!names.insert(name).second) {
      problems.error(absl::StrCat(kPath, ".resource_monitors[", i, "].name"), "it is there already",
                     absl::StrCat("Duplicate resource monitor ", name));
    }
    readMonitor(proto.resource_monitors(i), config);
  }
  for (int i = 0; i < proto.actions_size(); i++) {
    const std::string path = absl::StrCat(kPath, ".actions[", i, "]");
    if (!names.insert(proto.actions(i).name()).second) {
      problems.error(absl::StrCat(path, ".name"), "it is there already",
                     absl::StrCat("Duplicate overload action ", proto.actions(i).name()));
      continue;
    }
    readAction(proto.actions(i), path, problems, config);
  }
  return config;
}

} // namespace culvert::server
