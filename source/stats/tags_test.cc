// SPDX-License-Identifier: Apache-2.0
#include "source/stats/tags.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace culvert::stats {
namespace {

// "name{tag=value,...}" without "envoy." before the tags.
std::string extract(absl::string_view name, const StoreConfig& config = {}) {
  const TaggedName tagged = TagExtractor(config).extract(name);
  std::string result = tagged.name + "{";
  for (const Tag& tag : tagged.tags) {
    absl::StrAppend(&result, result.back() == '{' ? "" : ",",
                    tag.name.rfind("envoy.", 0) == 0 ? tag.name.substr(6) : tag.name, "=",
                    tag.value);
  }
  return result + "}";
}

// Each was seen in the answers of Envoy 1.40 (/stats beside /stats/prometheus).
TEST(Tags, AreTakenAsEnvoyTakesThem) {
  const std::pair<const char*, const char*> kSeen[] = {
      {"server.live", "server.live{}"},
      {"cluster.db.upstream_cx_total", "cluster.upstream_cx_total{cluster_name=db}"},
      {"cluster.a.b.upstream_cx_total", "cluster.b.upstream_cx_total{cluster_name=a}"},
      {"cluster.s.ssl.ciphers.ECDHE-X", "cluster.ssl.ciphers{cipher_suite=ECDHE-X,cluster_name=s}"},
      {"cluster.s.ssl.versions.TLSv1.3",
       "cluster.ssl.versions{ssl_version=TLSv1.3,cluster_name=s}"},
      {"cluster.c.health_check.name.H.z.rbac.allowed",
       "cluster.health_check.z.rbac.allowed{health_check_name=H,cluster_name=c}"},
      {"listener.127.0.0.1_10000.downstream_cx_total",
       "listener.downstream_cx_total{listener_address=127.0.0.1_10000}"},
      {"listener.127.0.0.1_10000.worker_3.downstream_cx_total",
       "listener.worker_downstream_cx_total{worker_id=3,listener_address=127.0.0.1_10000}"},
      {"listener.[__1]_80.x", "listener.x{listener_address=[__1]_80}"},
      {"listener.front.worker_0.x", "listener.worker_x{worker_id=0,listener_address=front}"},
      {"listener.1.2.3.4.rbac.allowed", "listener.2.3.4.rbac.allowed{listener_address=1}"},
      {"listener.admin.main_thread.downstream_cx_total",
       "listener.admin.main_thread.downstream_cx_total{}"},
      {"listener.1.2.3.4_80.ssl.curves.X25519",
       "listener.ssl.curves{ssl_curve=X25519,listener_address=1.2.3.4_80}"},
      {"listener.x.ssl.certificate.c1.expiration_unix_time_seconds",
       "listener.ssl.certificate.expiration_unix_time_seconds"
       "{tls_certificate=c1,listener_address=x}"},
      {"listener_manager.worker_0.x", "listener_manager.worker_x{worker_id=0}"},
      {"thread_local_cluster_manager.main_thread.clusters_inflated",
       "thread_local_cluster_manager.main_thread.clusters_inflated{}"},
      {"tcp.ingress.downstream_cx_total", "tcp.downstream_cx_total{tcp_prefix=ingress}"},
      {"lab.rbac.allowed", "rbac.allowed{rbac_prefix=lab}"},
      {"connection_limit.lim.limited_connections",
       "connection_limit.limited_connections{connection_limit_prefix=lim}"},
      {"local_rate_limit.burst.rate_limited",
       "local_rate_limit.rate_limited{local_network_ratelimit_prefix=burst}"},
      {"proxy_proto.versions.v1.found", "proxy_proto.found{proxy_protocol_version=1}"},
      {"proxy_proto.p.versions.v2.found",
       "proxy_proto.found{proxy_protocol_prefix=p,proxy_protocol_version=2}"},
      {"sds.server.update_success", "sds.update_success{xds_resource_name=server}"},
      {"http.admin.downstream_rq_2xx",
       "http.downstream_rq_xx{response_code_class=2,http_conn_manager_prefix=admin}"},
  };
  for (const auto& [name, expected] : kSeen) {
    EXPECT_EQ(extract(name), expected);
  }
}

TEST(Tags, FixedOnesComeBeforeThoseOfTheNamesFirstToken) {
  StoreConfig config;
  config.tags = {{"lab", "envoy", {}}};
  EXPECT_EQ(extract("tcp.a.x", config), "tcp.x{lab=envoy,tcp_prefix=a}");
}

TEST(Tags, ARegexCutsItsFirstGroupAndTakesItsSecond) {
  StoreConfig config;
  config.tags = {{"two", {}, "^server\\.((l)i)"}, {"one", {}, "(ve)$"}, {"none", {}, "server"}};
  EXPECT_EQ(extract("server.live", config), "server{one=ve,two=l}");
}

TEST(Tags, CanBeOnlyThoseAskedFor) {
  StoreConfig config;
  config.use_all_default_tags = false;
  config.tags = {{"envoy.cluster_name", {}, {}}};
  EXPECT_EQ(extract("cluster.a.x", config), "cluster.x{cluster_name=a}");
  EXPECT_EQ(extract("tcp.a.x", config), "tcp.a.x{}");
}

TEST(Tags, ABuiltInOneIsReplacedOnlyIfAllowed) {
  StoreConfig config;
  config.tags = {{"envoy.cluster_name", {}, "^cluster\\.((b)[a-z]*\\.)"}};
  EXPECT_EQ(extract("cluster.bc.x", config), "cluster.x{cluster_name=bc}");
  config.allow_default_tag_overrides = true;
  EXPECT_EQ(extract("cluster.bc.x", config), "cluster.x{cluster_name=b}");
}

TEST(StoreConfig, ErrorsBeginWithTheFieldsPath) {
  StoreConfig config;
  config.tags = {{"ok", "v", {}}, {"x", {}, "("}};
  EXPECT_EQ(validate(config).message(), "stats_tags[1].regex: Invalid regex '(': missing ): (");
  config.tags = {{"x", {}, {}}};
  EXPECT_EQ(validate(config).message(), "stats_tags[0]: No regex specified for tag specifier and "
                                        "no default regex for name: 'x'");
  config.tags = {{"", {}, "(x)"}};
  EXPECT_EQ(validate(config).message(), "stats_tags[0].tag_name: tag_name cannot be empty");
  config.tags.clear();
  config.matcher = {StatsMatcher::Kind::kExclusionList, {{StringMatch::Kind::kRegex, "["}}};
  EXPECT_EQ(validate(config).message(), "stats_matcher.exclusion_list.patterns[0].safe_regex.regex:"
                                        " Invalid regex \'[\': missing ]: [");
  config.matcher = {};
  EXPECT_TRUE(validate(config).ok());
}

} // namespace
} // namespace culvert::stats
