// SPDX-License-Identifier: Apache-2.0
#include "source/config/support.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

#include "source/base/proto.h"
#include "source/config/message_walk.h"
#include "source/config/suggest.h"
#include "source/config/validate.h"
#include "source/registry/registry.h"

namespace culvert::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::DynamicCastToGenerated;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr absl::string_view kClusters = "envoy.clusters";
constexpr absl::string_view kAllFields = "*";

// Part of the engine: configured by type, but with nothing to make by a factory.
constexpr KnownExtension kEngine[] = {
    {"envoy.load_balancing_policies", "envoy.load_balancing_policies.round_robin",
     "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin", ""},
    {"envoy.load_balancing_policies", "envoy.load_balancing_policies.least_request",
     "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest", ""},
    {"envoy.load_balancing_policies", "envoy.load_balancing_policies.random",
     "envoy.extensions.load_balancing_policies.random.v3.Random", ""},
    {kClusters, "envoy.clusters.dns", "envoy.extensions.clusters.dns.v3.DnsCluster", ""},
    {"envoy.access_loggers", "envoy.access_loggers.file",
     "envoy.extensions.access_loggers.file.v3.FileAccessLog", ""},
    {"envoy.access_loggers", "envoy.access_loggers.stdout",
     "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", ""},
    {"envoy.access_loggers", "envoy.access_loggers.stderr",
     "envoy.extensions.access_loggers.stream.v3.StderrAccessLog", ""},
    {"envoy.upstream_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "envoy.upstreams.http.http_protocol_options"},
    {"envoy.upstream_options", "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
     "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
     "envoy.upstreams.tcp.tcp_protocol_options"},
    {"envoy.stats_sinks", "envoy.stat_sinks.statsd", "envoy.config.metrics.v3.StatsdSink",
     "envoy.statsd"},
    {"envoy.stats_sinks", "envoy.stat_sinks.dog_statsd", "envoy.config.metrics.v3.DogStatsdSink",
     "envoy.dog_statsd"},
    {"envoy.filters.http", "envoy.filters.http.router",
     "envoy.extensions.filters.http.router.v3.Router", "envoy.router"},
    {"envoy.filters.http", "envoy.filters.http.set_filter_state",
     "envoy.extensions.filters.http.set_filter_state.v3.Config", ""},
    {"envoy.resource_monitors", "envoy.resource_monitors.fixed_heap",
     "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", ""},
    {"envoy.resource_monitors", "envoy.resource_monitors.global_downstream_max_connections",
     "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
     ""},
    {"envoy.health_check.event_sinks", "envoy.health_check.event_sinks.file",
     "envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink", ""},
    {"envoy.transport_sockets.downstream", "envoy.transport_sockets.raw_buffer",
     "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", ""},
    {"envoy.transport_sockets.upstream", "envoy.transport_sockets.raw_buffer",
     "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", ""},
};

std::string stringField(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return field == nullptr ? "" : message.GetReflection()->GetString(message, field);
}

// The tables, by message and field.
class Index {
public:
  Index() {
    for (const auto& table : fieldSupport()) {
      for (const FieldSupport& row : table) {
        auto& fields = messages_[std::string(row.message)];
        for (const absl::string_view field : absl::StrSplit(row.fields, ' ')) {
          fields.emplace(std::string(field), &row);
        }
      }
    }
  }

  bool knows(const std::string& message) const { return messages_.count(message) > 0; }
  // Null when no row has it.
  const FieldSupport* find(const std::string& message, const std::string& field) const {
    const auto fields = messages_.find(message);
    if (fields == messages_.end()) {
      return nullptr;
    }
    const auto row = fields->second.find(field);
    return row == fields->second.end() ? nullptr : row->second;
  }

private:
  std::unordered_map<std::string, std::unordered_map<std::string, const FieldSupport*>> messages_;
};

class Walker {
public:
  Walker(absl::Span<const Extension> extensions, Problems& problems)
      : extensions_(extensions), problems_(problems) {}

  void message(const Message& message, const std::string& path) {
    const Descriptor& type = *message.GetDescriptor();
    const bool wrapper = absl::StartsWith(type.full_name(), "google.protobuf.");
    if (wrapper || index_.find(type.full_name(), std::string(kAllFields)) != nullptr) {
      return;
    }
    if (type.full_name() == "envoy.config.cluster.v3.Cluster") {
      cluster_ = stringField(message, "name");
    }
    std::vector<const FieldDescriptor*> set;
    message.GetReflection()->ListFields(message, &set);
    for (const FieldDescriptor* field : set) {
      this->field(message, *field, path);
    }
  }

  // What an Any chose. `holder` is the field that the extension is named in.
  void extension(absl::string_view category, const std::string& name, const Any& any,
                 const std::string& path) {
    const std::string type = base::typeOf(any);
    if (type.empty() || find(category, type) == nullptr) {
      missing(category, name, type, path);
      return;
    }
    const Descriptor* descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
    if (descriptor == nullptr) {
      missing(category, name, type, path);
      return;
    }
    const std::unique_ptr<Message> inner(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
    unpack(any, path, *inner, problems_);
    if (index_.knows(type)) {
      message(*inner, path);
    }
  }

private:
  const Extension* find(absl::string_view category, absl::string_view type) const {
    const auto found =
        std::find_if(extensions_.begin(), extensions_.end(), [&](const Extension& one) {
          return one.category == category && one.type == type;
        });
    return found == extensions_.end() ? nullptr : &*found;
  }

  void field(const Message& message, const FieldDescriptor& field, const std::string& path) {
    const std::string at = fieldPath(path, field.name());
    const FieldSupport* row = index_.find(message.GetTypeName(), field.name());
    if (row == nullptr) {
      report(Support::kRefused, at, absl::StrCat("nothing here knows it"));
      return;
    }
    if (row->support != Support::kHonoured) {
      report(row->support, at, row->why);
      return;
    }
    values(message, field, at);
    if (field.message_type() == nullptr) {
      return;
    }
    if (field.message_type()->full_name() == "envoy.config.cluster.v3.LoadBalancingPolicy") {
      balancer(message.GetReflection()->GetMessage(message, &field), at);
      return;
    }
    const absl::string_view category = extensionCategory(field.full_name());
    forEachElement(message, field, at, [&](const Message& child, const std::string& child_path) {
      this->message(child, child_path);
      if (category.empty()) {
        return;
      }
      if (const Any* const any = DynamicCastToGenerated<const Any>(&child); any != nullptr) {
        extension(category, "", *any, child_path); // In a map, whose key is the name.
      } else {
        holder(category, child, child_path);
      }
    });
  }

  // A message that names an extension: a filter, a transport socket, an access log.
  void holder(absl::string_view category, const Message& holder, const std::string& path) {
    const FieldDescriptor* field = holder.GetDescriptor()->FindFieldByName("typed_config");
    const Message& any = holder.GetReflection()->GetMessage(holder, field);
    extension(category, stringField(holder, "name"), *DynamicCastToGenerated<const Any>(&any),
              fieldPath(path, field->name()));
  }

  // Envoy takes the first policy of the list that it has.
  void balancer(const Message& policy, const std::string& path) {
    constexpr absl::string_view kCategory = "envoy.load_balancing_policies";
    std::vector<std::string> names;
    bool found = false;
    forEachChild(
        policy, path, [&](const FieldDescriptor&, const Message& one, const std::string& one_path) {
          forEachChild(
              one, one_path,
              [&](const FieldDescriptor&, const Message& config, const std::string& config_path) {
                const FieldDescriptor* field =
                    config.GetDescriptor()->FindFieldByName("typed_config");
                const Message& any = config.GetReflection()->GetMessage(config, field);
                names.push_back(stringField(config, "name"));
                if (!found &&
                    find(kCategory, base::typeOf(*DynamicCastToGenerated<const Any>(&any)))) {
                  found = true;
                  holder(kCategory, config, config_path);
                }
              });
        });
    if (!found) {
      problems_.error(path,
                      absl::StrCat("not supported by Culvert: none of these policies is there; ",
                                   available(kCategory)),
                      absl::StrCat("cluster: didn't find a registered load balancer factory "
                                   "implementation for cluster: '",
                                   cluster_, "' with names from [", absl::StrJoin(names, ", "),
                                   "]"));
    }
  }

  static void forEachElement(const Message& message, const FieldDescriptor& field,
                             const std::string& path,
                             const std::function<void(const Message&, const std::string&)>& visit) {
    const auto& reflection = *message.GetReflection();
    if (!field.is_repeated()) {
      visit(reflection.GetMessage(message, &field), path);
      return;
    }
    for (int i = 0; i < reflection.FieldSize(message, &field); i++) {
      const Message& element = reflection.GetRepeatedMessage(message, &field, i);
      if (!field.is_map()) {
        visit(element, elementPath(path, absl::StrCat(i)));
      } else if (const FieldDescriptor* value = field.message_type()->map_value();
                 value->message_type() != nullptr) {
        visit(element.GetReflection()->GetMessage(element, value),
              elementPath(path, mapKeyText(element)));
      }
    }
  }

  void values(const Message& message, const FieldDescriptor& field, const std::string& path) {
    for (const ValueSupport& row : valueSupport()) {
      if (row.field == field.full_name() && hasValue(message, field, row.value)) {
        report(row.support, path, row.why);
      }
    }
  }

  static bool hasValue(const Message& message, const FieldDescriptor& field,
                       absl::string_view value) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnum(message, &field)->name() == value;
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& wrapper = reflection.GetMessage(message, &field);
      const FieldDescriptor* inner = wrapper.GetDescriptor()->field(0);
      return value == "false" && !wrapper.GetReflection()->GetBool(wrapper, inner);
    }
    default:
      return false;
    }
  }

  void report(Support support, const std::string& path, absl::string_view why) {
    switch (support) {
    case Support::kHonoured:
      break;
    case Support::kIgnored:
      problems_.warning(path, absl::StrCat("ignored by Culvert: ", why));
      break;
    case Support::kNotYet:
      problems_.error(path, absl::StrCat("not supported by Culvert yet: ", why));
      break;
    case Support::kRefused:
      problems_.error(path, absl::StrCat("not supported by Culvert: ", why));
      break;
    }
  }

  void missing(absl::string_view category, const std::string& name, const std::string& type,
               const std::string& path) {
    if (problems_.excused(path)) {
      return; // What stands there could not be read, and that was said.
    }
    std::string said = absl::StrCat("Didn't find a registered implementation for '", name,
                                    "' with type URL: '", type, "'");
    if (category == kClusters) {
      said = absl::StrCat("Didn't find a registered cluster factory implementation for ",
                          type.empty() ? absl::StrCat("name: '", name) : "type: '", type, "'");
    }
    for (const KnownExtension& known : knownExtensions()) {
      if (known.type == type && known.category == category) {
        problems_.error(path, absl::StrCat("not supported by Culvert yet: ", known.name, " (", type,
                                           "); ", available(category),
                                           ". An Envoy without it says: ", said));
        return;
      }
    }
    problems_.error(path, explainWrong(category, name, type), said);
  }

  std::string explainWrong(absl::string_view category, const std::string& name,
                           const std::string& type) const {
    const KnownExtension* by_name = knownExtension(category, name);
    const std::string meant =
        by_name == nullptr ? "" : absl::StrCat("type.googleapis.com/", by_name->type);
    if (type.empty()) {
      return absl::StrCat("typed_config is missing, whose \"@type\" chooses what is configured",
                          meant.empty() ? "" : didYouMean(absl::StrCat("\"@type\": ", meant)));
    }
    return absl::StrCat(type, " can't be used here",
                        meant.empty() ? absl::StrCat("; ", available(category))
                                      : didYouMean(meant));
  }

  std::string available(absl::string_view category) const {
    std::vector<std::string> names;
    for (const Extension& one : extensions_) {
      if (one.category == category) {
        names.push_back(one.name);
      }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names.empty() ? absl::StrCat("nothing of ", category, " is there")
                         : absl::StrCat("there is ", absl::StrJoin(names, ", "));
  }

  const Index index_;
  absl::Span<const Extension> extensions_;
  Problems& problems_;
  std::string cluster_; // The name of the one that is being looked at.
};

} // namespace

std::vector<Extension> builtIn(const registry::Registry& registry) {
  using registry::Category;
  std::vector<Extension> extensions;
  for (const KnownExtension& part : kEngine) {
    extensions.push_back(
        {std::string(part.category), std::string(part.name), std::string(part.type)});
  }
  for (const Category category :
       {Category::kNetworkFilter, Category::kListenerFilter, Category::kTransportSocketIn,
        Category::kTransportSocketOut, Category::kCluster, Category::kLoadBalancer,
        Category::kAccessLogger, Category::kBootstrap}) {
    for (const registry::Factory* factory : registry.all(category)) {
      extensions.push_back(
          {std::string(registry::name(category)), factory->name(), factory->type()});
    }
  }
  return extensions;
}

bool check(const Message& message, absl::string_view path, absl::Span<const Extension> extensions,
           Problems& problems) {
  const size_t errors = problems.errors();
  warnOfDeprecated(message, path, problems);
  validate(message, path, problems);
  Walker(extensions, problems).message(message, std::string(path));
  return problems.errors() == errors;
}

} // namespace culvert::config
