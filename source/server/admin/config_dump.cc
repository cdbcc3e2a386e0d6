// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/config_dump.h"

#include <map>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "google/protobuf/util/field_mask_util.h"
#include "google/protobuf/util/json_util.h"
#include "re2/re2.h"
#include "source/base/proto.h"
#include "udpa/annotations/sensitive.pb.h"

namespace culvert::server {
namespace {

namespace admin = envoy::admin::v3;
namespace core = envoy::config::core::v3;
namespace endpoint = envoy::config::endpoint::v3;

using google::protobuf::Any;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::util::FieldMaskUtil;

constexpr uint32_t kOverprovisioningPercent = 140;
constexpr char kRedacted[] = "[redacted]";

// A message of the type that the Any names; null for types that are not linked in.
std::unique_ptr<Message> unpack(const Any& any) {
  std::string type;
  if (!Any::ParseAnyTypeUrl(any.type_url(), &type))
    return nullptr;
  const auto* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  if (descriptor == nullptr)
    return nullptr;
  std::unique_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  return message->ParseFromString(any.value()) ? std::move(message) : nullptr;
}

void redact(Message& message, bool sensitive);

// Texts and bytes are overwritten, so that one sees that there is something; numbers vanish.
void redactScalar(Message& message, const FieldDescriptor& field) {
  const auto* const reflection = message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    reflection->ClearField(&message, &field);
  } else if (!field.is_repeated()) {
    reflection->SetString(&message, &field, kRedacted);
  } else {
    for (int i = 0; i < reflection->FieldSize(message, &field); i++)
      reflection->SetRepeatedString(&message, &field, i, kRedacted);
  }
}

void redactField(Message& message, const FieldDescriptor& field, bool sensitive) {
  const auto* const reflection = message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    if (sensitive)
      redactScalar(message, field);
  } else if (field.is_repeated()) {
    for (int i = 0; i < reflection->FieldSize(message, &field); i++)
      redact(*reflection->MutableRepeatedMessage(&message, &field, i), sensitive);
  } else {
    redact(*reflection->MutableMessage(&message, &field), sensitive);
  }
}

void redact(Message& message, bool sensitive) {
  if (auto* const any = dynamic_cast<Any*>(&message)) {
    const std::unique_ptr<Message> inner = unpack(*any);
    if (inner != nullptr) {
      redact(*inner, sensitive);
      inner->SerializeToString(any->mutable_value());
    } else if (sensitive) {
      any->Clear();
    }
    return;
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    redactField(message, *field,
                sensitive || field->options().GetExtension(udpa::annotations::sensitive));
  }
}

class NameFilter {
public:
  explicit NameFilter(const std::string& regex) : any_(regex.empty()), regex_(regex, RE2::Quiet) {}

  absl::Status status() const {
    if (regex_.ok())
      return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("INVALID_ARGUMENT: Error while parsing name_regex from ", regex_.pattern(),
                     ": ", regex_.error()));
  }
  bool passes(const std::string& name) const { return any_ || RE2::FullMatch(name, regex_); }

private:
  const bool any_;
  const RE2 regex_;
};

void setAddress(const net::Address& address, core::Address& proto) {
  if (address.isIp()) {
    proto.mutable_socket_address()->set_address(address.ipString());
    proto.mutable_socket_address()->set_port_value(address.port());
  } else if (address.kind() == net::Address::Kind::kPipe) {
    proto.mutable_pipe()->set_path(address.path());
  } else if (address.kind() == net::Address::Kind::kInternal) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(address.path(), absl::MaxSplits('/', 1));
    proto.mutable_envoy_internal_address()->set_server_listener_name(parts.first);
    proto.mutable_envoy_internal_address()->set_endpoint_id(parts.second);
  }
}

// The hosts as they are now, grouped as a management server would send them.
endpoint::ClusterLoadAssignment assignmentOf(const ClusterView& cluster) {
  endpoint::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(cluster.name);
  assignment.mutable_policy()->mutable_overprovisioning_factor()->set_value(
      kOverprovisioningPercent);
  std::map<std::tuple<uint32_t, std::string, std::string, std::string>,
           endpoint::LocalityLbEndpoints*>
      groups;
  for (const HostView& host : cluster.hosts) {
    auto& group = groups[{host.priority, host.region, host.zone, host.sub_zone}];
    if (group == nullptr) {
      group = assignment.add_endpoints();
      group->set_priority(host.priority);
      group->mutable_locality()->set_region(host.region);
      group->mutable_locality()->set_zone(host.zone);
      group->mutable_locality()->set_sub_zone(host.sub_zone);
      group->mutable_load_balancing_weight();
    }
    endpoint::LbEndpoint& lb_endpoint = *group->add_lb_endpoints();
    setAddress(host.address, *lb_endpoint.mutable_endpoint()->mutable_address());
    lb_endpoint.mutable_endpoint()->mutable_health_check_config();
    lb_endpoint.mutable_endpoint()->set_hostname(host.hostname);
    lb_endpoint.set_health_status(host.unhealthy_flags.empty() ? core::HEALTHY : core::UNHEALTHY);
    lb_endpoint.mutable_load_balancing_weight()->set_value(host.weight);
  }
  return assignment;
}

using Configs = std::vector<std::unique_ptr<Message>>;

using Dynamic = std::vector<DynamicResource>;

template <class Add> void fillClusters(const Dynamic& from, const NameFilter& filter, Add&& add) {
  for (const DynamicResource& cluster : from) {
    if (!filter.passes(cluster.name))
      continue;
    admin::ClustersConfigDump::DynamicCluster& item = *add();
    item.set_version_info(cluster.version);
    item.mutable_cluster()->PackFrom(*cluster.message);
    *item.mutable_last_updated() = base::toTimestamp(cluster.updated);
  }
}

template <class Items> void addPassing(const Items& from, const NameFilter& filter, Items& to) {
  for (const auto& item : from) {
    if (filter.passes(item.name()))
      *to.Add() = item;
  }
}

std::unique_ptr<Message> secretsOf(const admin::SecretsConfigDump& all, const NameFilter& filter) {
  auto secrets = std::make_unique<admin::SecretsConfigDump>();
  addPassing(all.static_secrets(), filter, *secrets->mutable_static_secrets());
  addPassing(all.dynamic_active_secrets(), filter, *secrets->mutable_dynamic_active_secrets());
  addPassing(all.dynamic_warming_secrets(), filter, *secrets->mutable_dynamic_warming_secrets());
  return secrets;
}

std::unique_ptr<Message> clustersDump(const ConfigDumpSource& source, const NameFilter& filter) {
  auto dump = std::make_unique<admin::ClustersConfigDump>();
  dump->set_version_info(source.dynamic.clusters_version);
  for (const auto& cluster : source.bootstrap.static_resources().clusters()) {
    if (!filter.passes(cluster.name()))
      continue;
    auto& item = *dump->add_static_clusters();
    item.mutable_cluster()->PackFrom(cluster);
    *item.mutable_last_updated() = base::toTimestamp(source.loaded);
  }
  fillClusters(source.dynamic.active_clusters, filter,
               [&] { return dump->add_dynamic_active_clusters(); });
  fillClusters(source.dynamic.warming_clusters, filter,
               [&] { return dump->add_dynamic_warming_clusters(); });
  return dump;
}

std::unique_ptr<Message> endpointsDump(const ConfigDumpSource& source, const NameFilter& filter) {
  auto dump = std::make_unique<admin::EndpointsConfigDump>();
  for (const ClusterView& cluster : source.clusters) {
    if (!filter.passes(cluster.name))
      continue;
    auto* const any = cluster.added_via_api
                          ? dump->add_dynamic_endpoint_configs()->mutable_endpoint_config()
                          : dump->add_static_endpoint_configs()->mutable_endpoint_config();
    any->PackFrom(assignmentOf(cluster));
  }
  return dump;
}

void fillState(const DynamicResource& from,
               admin::ListenersConfigDump::DynamicListenerState& state) {
  state.set_version_info(from.version);
  state.mutable_listener()->PackFrom(*from.message);
  *state.mutable_last_updated() = base::toTimestamp(from.updated);
}

// One entry for each name, with what there is of it.
void fillListeners(const DynamicResources& dynamic, const NameFilter& filter,
                   admin::ListenersConfigDump& dump) {
  std::map<std::string, admin::ListenersConfigDump::DynamicListener*> by_name;
  const auto visit = [&](const Dynamic& from, auto&& fill) {
    for (const DynamicResource& listener : from) {
      if (!filter.passes(listener.name))
        continue;
      auto& item = by_name[listener.name];
      if (item == nullptr) {
        item = dump.add_dynamic_listeners();
        item->set_name(listener.name);
      }
      fill(listener, *item);
    }
  };
  visit(dynamic.active_listeners,
        [](const auto& from, auto& item) { fillState(from, *item.mutable_active_state()); });
  visit(dynamic.draining_listeners,
        [](const auto& from, auto& item) { fillState(from, *item.mutable_draining_state()); });
  visit(dynamic.refused_listeners, [](const auto& from, auto& item) {
    admin::UpdateFailureState& error = *item.mutable_error_state();
    error.mutable_failed_configuration()->PackFrom(*from.message);
    *error.mutable_last_update_attempt() = base::toTimestamp(from.updated);
    error.set_details(from.details);
  });
}

std::unique_ptr<Message> listenersDump(const ConfigDumpSource& source, const NameFilter& filter) {
  auto dump = std::make_unique<admin::ListenersConfigDump>();
  dump->set_version_info(source.dynamic.listeners_version);
  for (const auto& listener : source.bootstrap.static_resources().listeners()) {
    if (!filter.passes(listener.name()))
      continue;
    auto& item = *dump->add_static_listeners();
    item.mutable_listener()->PackFrom(listener);
    *item.mutable_last_updated() = base::toTimestamp(source.loaded);
  }
  fillListeners(source.dynamic, filter, *dump);
  return dump;
}

Configs allConfigs(const ConfigDumpSource& source, const NameFilter& filter, bool include_eds) {
  auto bootstrap = std::make_unique<admin::BootstrapConfigDump>();
  *bootstrap->mutable_bootstrap() = source.bootstrap;
  *bootstrap->mutable_last_updated() = base::toTimestamp(source.loaded);
  Configs configs;
  configs.push_back(std::move(bootstrap));
  configs.push_back(clustersDump(source, filter));
  if (include_eds)
    configs.push_back(endpointsDump(source, filter));
  configs.push_back(listenersDump(source, filter));
  configs.push_back(secretsOf(source.secrets, filter));
  return configs;
}

// Leaves only the mask's fields. A path may go on inside an Any, one level below the top. False
// when a path names no field.
bool trim(const FieldMask& mask, Message& message) {
  FieldMask outer;
  std::map<std::string, FieldMask> inner; // By the field that holds an Any.
  for (const std::string& path : mask.paths()) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(path, absl::MaxSplits('.', 1));
    const auto* const field = message.GetDescriptor()->FindFieldByName(parts.first);
    const bool into_any = !parts.second.empty() && field != nullptr && !field->is_repeated() &&
                          field->message_type() == Any::descriptor();
    if (into_any)
      inner[parts.first].add_paths(parts.second);
    outer.add_paths(into_any ? parts.first : path);
  }
  for (const std::string& path : outer.paths()) {
    if (!FieldMaskUtil::GetFieldDescriptors(message.GetDescriptor(), path, nullptr))
      return false;
  }
  FieldMaskUtil::TrimMessage(outer, &message);
  for (const auto& [name, inner_mask] : inner) {
    const auto* const field = message.GetDescriptor()->FindFieldByName(name);
    auto& any = dynamic_cast<Any&>(*message.GetReflection()->MutableMessage(&message, field));
    const std::unique_ptr<Message> unpacked = unpack(any);
    if (unpacked == nullptr || !trim(inner_mask, *unpacked))
      return false;
    any.PackFrom(*unpacked);
  }
  return true;
}

absl::Status addMasked(const Configs& configs, const std::string& mask_text,
                       admin::ConfigDump& dump) {
  FieldMask mask;
  FieldMaskUtil::FromString(mask_text, &mask);
  for (const auto& config : configs) {
    if (mask_text.empty() || trim(mask, *config))
      dump.add_configs()->PackFrom(*config);
  }
  if (dump.configs().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "FieldMask ", mask_text, " could not be successfully applied to any configs."));
  }
  return absl::OkStatus();
}

absl::Status addElements(const Configs& configs, const ConfigDumpQuery& query,
                         admin::ConfigDump& dump) {
  FieldMask mask;
  FieldMaskUtil::FromString(query.mask, &mask);
  for (const auto& config : configs) {
    const auto* const field = config->GetDescriptor()->FindFieldByName(query.resource);
    if (field == nullptr)
      continue;
    if (!field->is_repeated()) {
      return absl::InvalidArgumentError(
          absl::StrCat(query.resource, " is not a repeated field. Use ?mask=", query.resource,
                       " to get only this field"));
    }
    const auto* const reflection = config->GetReflection();
    for (int i = 0; i < reflection->FieldSize(*config, field); i++) {
      Message& element = *reflection->MutableRepeatedMessage(config.get(), field, i);
      if (!query.mask.empty() && !trim(mask, element)) {
        return absl::InvalidArgumentError(
            absl::StrCat("FieldMask ", query.mask, " could not be successfully used."));
      }
      dump.add_configs()->PackFrom(element);
    }
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat(query.resource, " not found in config dump"));
}

} // namespace

absl::StatusOr<std::string> configDump(const ConfigDumpSource& source,
                                       const ConfigDumpQuery& query) {
  const NameFilter filter(query.name_regex);
  if (!filter.status().ok())
    return filter.status();
  const Configs configs = allConfigs(source, filter, query.include_eds);
  admin::ConfigDump dump;
  absl::Status status = query.resource.empty() ? addMasked(configs, query.mask, dump)
                                               : addElements(configs, query, dump);
  if (!status.ok())
    return status;
  redact(dump, false);
  std::string json;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  const auto printed = google::protobuf::util::MessageToJsonString(dump, &json, options);
  if (!printed.ok())
    return absl::InvalidArgumentError(printed.ToString());
  return json;
}

} // namespace culvert::server
