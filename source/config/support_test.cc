// SPDX-License-Identifier: Apache-2.0
#include "source/config/support.h"

#include <map>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/rbac/v3/rbac.pb.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

#include "source/config/loader.h"
#include "source/registry/registry.h"

namespace culvert::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;

std::vector<std::string> fieldsOf(const FieldSupport& row) {
  return absl::StrSplit(row.fields, ' ');
}

// The engine, its first filters and one of a filter author.
std::vector<Extension> extensions() {
  std::vector<Extension> all = builtIn(registry::Registry());
  for (const std::string filter :
       {"tcp_proxy.v3.TcpProxy", "echo.v3.Echo", "direct_response.v3.Config"}) {
    const std::string name = filter.substr(0, filter.find('.'));
    all.push_back({"envoy.filters.network", absl::StrCat("envoy.filters.network.", name),
                   absl::StrCat("envoy.extensions.filters.network.", filter)});
  }
  all.push_back({"envoy.filters.network", "mine", "envoy.config.core.v3.Pipe"});
  return all;
}

Problems check(const std::string& yaml) {
  Bootstrap bootstrap;
  Problems problems;
  loadText(yaml, Format::kYaml, "lab.yaml", bootstrap, problems);
  config::check(bootstrap, "", extensions(), problems);
  return problems;
}

std::string errorsOf(const std::string& yaml) {
  return absl::StrJoin(check(yaml).errorLines(), "\n");
}

std::string filter(const std::string& fields) {
  return absl::StrCat("static_resources: {listeners: [{name: l, filter_chains: [{filters: [{",
                      fields, "}]}]}]}");
}

constexpr char kFilterPath[] = "static_resources.listeners[0].filter_chains[0].filters[0]";

TEST(SupportTables, NameOnlyWhatTheApiHas) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  for (const auto& table : fieldSupport()) {
    for (const FieldSupport& row : table) {
      const Descriptor* type = pool.FindMessageTypeByName(std::string(row.message));
      ASSERT_NE(type, nullptr) << row.message;
      for (const std::string& field : fieldsOf(row)) {
        EXPECT_TRUE(field == "*" || type->FindFieldByName(field) != nullptr)
            << row.message << " " << field;
      }
      EXPECT_EQ(row.why.empty(), row.support == Support::kHonoured) << row.fields;
    }
  }
  for (const ValueSupport& row : valueSupport()) {
    const FieldDescriptor* field = pool.FindFieldByName(std::string(row.field));
    ASSERT_NE(field, nullptr) << row.field;
    EXPECT_TRUE(field->enum_type() == nullptr ||
                field->enum_type()->FindValueByName(std::string(row.value)) != nullptr)
        << row.value;
  }
}

TEST(SupportTables, SayOfEachFieldOfTheirMessagesWhatBecomesOfIt) {
  std::map<std::string, std::set<std::string>> said;
  for (const auto& table : fieldSupport()) {
    for (const FieldSupport& row : table) {
      for (const std::string& field : fieldsOf(row)) {
        EXPECT_TRUE(said[std::string(row.message)].insert(field).second) << field << " twice";
      }
    }
  }
  for (const auto& [message, fields] : said) {
    const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(message);
    for (int i = 0; fields.count("*") == 0 && i < type->field_count(); i++) {
      EXPECT_EQ(fields.count(type->field(i)->name()), 1U) << type->field(i)->full_name();
    }
  }
}

TEST(SupportTables, HonouredFieldsHaveATableOfTheirOwn) {
  std::set<std::string> known;
  for (const auto& table : fieldSupport()) {
    for (const FieldSupport& row : table) {
      known.emplace(row.message);
    }
  }
  for (const auto& table : fieldSupport()) {
    for (const FieldSupport& row : table) {
      const Descriptor* type =
          DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(row.message));
      for (const std::string& name : fieldsOf(row)) {
        const FieldDescriptor* field = type->FindFieldByName(name);
        if (row.support == Support::kHonoured && field != nullptr &&
            field->message_type() != nullptr) {
          const FieldDescriptor* value = field->message_type()->map_value();
          const std::string& inner =
              (value == nullptr ? field : value)->message_type()->full_name();
          EXPECT_TRUE(known.count(inner) == 1 || absl::StartsWith(inner, "google.protobuf."))
              << field->full_name() << " is a " << inner;
        }
      }
    }
  }
}

TEST(Check, PlainProxyPasses) {
  const std::string yaml = absl::StrReplaceAll(R"(static_resources:
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 1}}
    bind_to_port: true
    access_log:
    - {name: out, typed_config: {"@type": $access_loggers.stream.v3.StdoutAccessLog}}
    filter_chains:
    - transport_socket:
        name: raw
        typed_config: {"@type": $transport_sockets.raw_buffer.v3.RawBuffer}
      filters:
      - name: envoy.tcp_proxy
        typed_config:
          "@type": $filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: t
          weighted_clusters: {clusters: [{name: c, weight: 1}]}
  clusters:
  - name: c
    load_balancing_policy:
      policies:
      - typed_extension_config:
          {name: a, typed_config: {"@type": $load_balancing_policies.maglev.v3.Maglev}}
      - typed_extension_config:
          {name: b, typed_config: {"@type": $load_balancing_policies.random.v3.Random}}
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 2}}}
)",
                                               {{"$", "type.googleapis.com/envoy.extensions."}});
  EXPECT_EQ(errorsOf(yaml), "");
}

TEST(Check, ListenerFiltersAreExtensionsToo) {
  const std::string errors =
      errorsOf("static_resources: {listeners: [{name: l, listener_filters: [{name: limit, "
               "typed_config: {'@type': type.googleapis.com/"
               "envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit}}]}]}");
  EXPECT_TRUE(absl::StartsWith(errors, "static_resources.listeners[0].listener_filters[0]"));
  EXPECT_TRUE(absl::StrContains(errors, "nothing of envoy.filters.listener is there")) << errors;
}

TEST(Check, RefusedFieldSaysWhy) {
  EXPECT_EQ(errorsOf("flags_path: /x"),
            "flags_path (lab.yaml:1:1): not supported by Culvert: the runtime comes from "
            "layered_runtime");
  EXPECT_EQ(errorsOf("static_resources: {clusters: [{name: c, health_checks: []}]}"), "");
  EXPECT_EQ(errorsOf("static_resources: {clusters: [{name: c, "
                     "per_connection_buffer_high_watermark_timeout: 1s}]}"),
            "static_resources.clusters[0].per_connection_buffer_high_watermark_timeout "
            "(lab.yaml:1:41): not supported by Culvert yet: closing connections that stay above "
            "their watermark");
}

TEST(Check, LooksIntoMaps) {
  envoy::config::rbac::v3::RBAC rules;
  Problems problems;
  loadText("policies: {p: {permissions: [{any: true}], principals: [{any: true}], condition: {}}}",
           Format::kYaml, "lab.yaml", rules, problems);
  EXPECT_FALSE(config::check(rules, "", extensions(), problems));
  EXPECT_EQ(absl::StrJoin(problems.errorLines(), "\n"),
            "policies[p].condition (lab.yaml:1:71): not supported by Culvert: there are no CEL "
            "expressions");
}

TEST(Check, IgnoredFieldIsAWarning) {
  const Problems problems = check("watchdogs: {}");
  EXPECT_TRUE(problems.ok());
  EXPECT_EQ(problems.warningLines().at(0),
            "watchdogs (lab.yaml:1:1): ignored by Culvert: no watchdog runs");
}

TEST(Check, SingleValuesCanBeRefused) {
  const auto cluster = [](const std::string& fields) {
    return errorsOf(absl::StrCat("static_resources: {clusters: [{name: c, ", fields, "}]}"));
  };
  EXPECT_EQ(cluster("type: STATIC"), "");
  EXPECT_TRUE(absl::StrContains(
      cluster("health_checks: [{http_health_check: {codec_client_type: HTTP3}}]"),
      "clusters[0].health_checks[0].http_health_check.codec_client_type (lab.yaml"));
}

TEST(Check, FilterWithoutConfigurationIsToldItsType) {
  EXPECT_EQ(errorsOf(filter("name: envoy.tcp_proxy")),
            absl::StrCat(
                kFilterPath,
                ".typed_config (lab.yaml:1:69): typed_config is missing, whose \"@type\" chooses "
                "what is configured; did you mean '\"@type\": type.googleapis.com/"
                "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'? Envoy says: Didn't "
                "find a registered implementation for 'envoy.tcp_proxy' with type URL: ''"));
}

TEST(Check, ExtensionThatIsNotBuiltInIsNamedWithWhatIsThere) {
  EXPECT_EQ(errorsOf(filter("name: x, typed_config: {'@type': type.googleapis.com/"
                            "envoy.extensions.filters.network.rbac.v3.RBAC, stat_prefix: s}")),
            absl::StrCat(
                kFilterPath,
                ".typed_config (lab.yaml:1:79): not supported by Culvert yet: "
                "envoy.filters.network.rbac (envoy.extensions.filters.network.rbac.v3.RBAC); there "
                "is envoy.filters.network.direct_response, envoy.filters.network.echo, "
                "envoy.filters.network.tcp_proxy, mine. An Envoy without it says: Didn't find a "
                "registered "
                "implementation for 'x' with type URL: "
                "'envoy.extensions.filters.network.rbac.v3.RBAC'"));
}

TEST(Check, ExtensionOfTheWrongKindIsToldTheRightOne) {
  const std::string errors =
      errorsOf("static_resources: {listeners: [{name: l, filter_chains: [{transport_socket: {name: "
               "envoy.transport_sockets.tls, typed_config: {'@type': type.googleapis.com/"
               "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}}]}]}");
  EXPECT_TRUE(absl::StrContains(
      errors, "did you mean 'type.googleapis.com/"
              "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'? Envoy says: "
              "Didn't find a registered implementation for 'envoy.transport_sockets.tls' with "
              "type URL: 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext'"))
      << errors;
}

TEST(Check, TypedConfigurationsAreValidatedInPlace) {
  EXPECT_EQ(
      errorsOf(filter("name: t, typed_config: {'@type': type.googleapis.com/"
                      "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: c, "
                      "proxy_protocol_tlvs: [{type: 1}]}")),
      absl::StrCat(
          kFilterPath,
          ".typed_config.stat_prefix (lab.yaml:1:79): an empty value is refused: value length "
          "must be at least 1 characters. Envoy says: Proto constraint validation "
          "failed (TcpProxyValidationError.StatPrefix: value length must be at "
          "least 1 characters)\n",
          kFilterPath,
          ".typed_config.proxy_protocol_tlvs (lab.yaml:1:191): not supported by "
          "Culvert yet: writing the PROXY header"));
}

TEST(Check, FilterOfAnAuthorIsHeldOnlyToItsConstraints) {
  EXPECT_EQ(errorsOf(filter("name: m, typed_config: {'@type': type.googleapis.com/"
                            "envoy.config.core.v3.Pipe, path: /x, mode: 1}")),
            "");
  EXPECT_TRUE(
      absl::StrContains(errorsOf(filter("name: m, typed_config: {'@type': type.googleapis.com/"
                                        "envoy.config.core.v3.Pipe}")),
                        "typed_config.path"));
}

TEST(Check, UnknownBalancersAreListed) {
  const std::string errors =
      errorsOf("static_resources: {clusters: [{name: c, load_balancing_policy: {policies: "
               "[{typed_extension_config: {name: x, typed_config: {'@type': type.googleapis.com/"
               "envoy.config.core.v3.Pipe}}}]}}]}");
  EXPECT_TRUE(absl::StrContains(
      errors, "Envoy says: cluster: didn't find a registered load balancer factory implementation "
              "for cluster: 'c' with names from [x]"))
      << errors;
}

TEST(Check, DeprecatedFieldsInTypedConfigurationsAreWarnedOf) {
  const Problems problems =
      check(filter("name: t, typed_config: {'@type': type.googleapis.com/"
                   "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, "
                   "cluster: c, access_log_flush_interval: 1s}"));
  EXPECT_TRUE(problems.ok());
  EXPECT_EQ(problems.all().at(0).path,
            absl::StrCat(kFilterPath, ".typed_config.access_log_flush_interval"));
}

} // namespace
} // namespace culvert::config
