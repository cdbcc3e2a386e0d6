// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/node_environment.h"

#include <map>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "source/config/mesh/node_bootstrap.h"

namespace culvert::config::node {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

using Variables = std::map<std::string, std::string>;

absl::StatusOr<NodeEnvironment> read(const Variables& more, uint32_t cpus = 8) {
  Variables all = {{"PROXY_MODE", "dedicated"},
                   {"PROXY_WORKLOAD_INFO", "shop/cart-0/cart"},
                   {"FAKE_CA", "true"},
                   {"LOCAL_XDS_PATH", "/mesh.yaml"}};
  for (const auto& [name, value] : more) {
    all[name] = value;
  }
  return NodeEnvironment::read(
      [&](const std::string& name) {
        const auto it = all.find(name);
        return it == all.end() ? std::nullopt : std::optional(it->second);
      },
      cpus);
}

std::string refusal(const Variables& more) { return std::string(read(more).status().message()); }
uint32_t workers(const Variables& more, uint32_t cpus = 8) { return read(more, cpus)->workers; }

TEST(NodeEnvironment, HasTheDefaultsOfTheMesh) {
  const auto environment = read({});
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_EQ(environment->workload_namespace, "shop");
  EXPECT_EQ(environment->workload_name, "cart-0");
  EXPECT_EQ(environment->service_account, "cart");
  EXPECT_EQ(environment->certificate_validity, hours(24));
  EXPECT_EQ(environment->tunnel_idle_time, minutes(5));
  EXPECT_EQ(environment->tunnel_streams_max, 100u);
  EXPECT_EQ(environment->termination_deadline, seconds(5));
  EXPECT_EQ(environment->packet_mark, 0u);
  EXPECT_EQ(environment->log_level, "info");
}

TEST(NodeEnvironment, ReadsTermsOfDurations) {
  EXPECT_EQ(parseDurationTerms("90"), seconds(90));
  EXPECT_EQ(parseDurationTerms("1h30m"), minutes(90));
  EXPECT_EQ(parseDurationTerms("1m 5s"), seconds(65));
  EXPECT_EQ(parseDurationTerms("2d"), hours(48));
  EXPECT_EQ(parseDurationTerms("250ms"), std::chrono::milliseconds(250));
  for (const char* const bad : {"", "s", "10x", "-1s", "1.5s", "99999999999999999999"}) {
    EXPECT_EQ(parseDurationTerms(bad), std::nullopt) << bad;
  }
}

TEST(NodeEnvironment, CountsWorkersByTheRules) {
  EXPECT_EQ(workers({}), 2u);
  EXPECT_EQ(workers({}, 32), 8u);
  EXPECT_EQ(workers({{"ZTUNNEL_WORKER_THREADS", "3"}}), 3u);
  EXPECT_EQ(workers({{"ZTUNNEL_WORKER_THREADS", "0"}}), 8u);
  EXPECT_EQ(workers({{"ZTUNNEL_WORKER_THREADS", "30%"}}), 3u);
  EXPECT_EQ(workers({{"ZTUNNEL_RESOURCE_CPU_LIMIT", "1500m"}}), 2u);
  EXPECT_EQ(workers({{"ZTUNNEL_RESOURCE_CPU_REQUEST", "5"}}), 5u);
  EXPECT_EQ(workers({{"ZTUNNEL_CPU_LIMIT", "16"}}), 4u);
}

TEST(NodeEnvironment, KeepsTimeForTheEnd) {
  EXPECT_EQ(read({{"TERMINATION_GRACE_PERIOD_SECONDS", "30"}})->termination_deadline, seconds(25));
  EXPECT_EQ(read({{"TERMINATION_GRACE_PERIOD_SECONDS", "1"}})->termination_deadline, seconds(1));
  EXPECT_EQ(read({{"CONNECTION_TERMINATION_DEADLINE", "1m"}})->termination_deadline, minutes(1));
}

TEST(NodeEnvironment, NamesTheVariableThatIsWrong) {
  EXPECT_EQ(refusal({{"PROXY_WORKLOAD_INFO", "shop/cart"}}),
            "invalid environment variable PROXY_WORKLOAD_INFO=shop/cart: is not "
            "NAMESPACE/NAME/SERVICE-ACCOUNT");
  EXPECT_EQ(refusal({{"IPV6_ENABLED", "yes"}}),
            "invalid environment variable IPV6_ENABLED=yes: is neither true nor false");
  EXPECT_EQ(refusal({{"KEEPALIVE_TIME", "soon"}}),
            "invalid environment variable KEEPALIVE_TIME=soon: is no duration, as 10s or 5m");
  EXPECT_EQ(refusal({{"COMPLIANCE_POLICY", "fips"}}),
            "invalid environment variable COMPLIANCE_POLICY=fips: is not pqc, the only policy "
            "there is");
  EXPECT_EQ(refusal({{"PACKET_MARK", "x"}}),
            "invalid environment variable PACKET_MARK=x: is no number from 0 to 4294967295");
  EXPECT_EQ(refusal({{"HTTP2_FRAME_SIZE", "1000"}}),
            "invalid environment variable HTTP2_FRAME_SIZE=1000: is no number from 16384 to "
            "16777215");
  EXPECT_EQ(refusal({{"ZTUNNEL_WORKER_THREADS", "120%"}}),
            "invalid environment variable ZTUNNEL_WORKER_THREADS=120%: is no share of the CPUs");
}

TEST(NodeEnvironment, RefusesWhatItWouldNotDo) {
  for (const Variables& one : std::vector<Variables>{{{"PROXY_MODE", "shared"}},
                                                     {{"FAKE_CA", "false"}},
                                                     {{"LOCAL_XDS_PATH", ""}},
                                                     {{"XDS_ADDRESS", "https://istiod:15012"}},
                                                     {{"RUST_LOG", "access=debug"}}}) {
    EXPECT_FALSE(read(one).ok()) << one.begin()->first;
  }
}

TEST(NodeBootstrap, ListensForSocks5IfWished) {
  EXPECT_FALSE(absl::StrContains(nodeBootstrap(*read({})), "port_value: 15080"));
  const std::string text = nodeBootstrap(*read({{"UNSTABLE_ENABLE_SOCKS5", "true"}}));
  EXPECT_TRUE(absl::StrContains(text, "{address: 127.0.0.1, port_value: 15080}")) << text;
  EXPECT_TRUE(absl::StrContains(text, "socks5: true")) << text;
}

TEST(NodeBootstrap, WritesAnyTextAsYaml) {
  const std::string text = nodeBootstrap(*read({{"LOCAL_XDS_PATH", "/lab's \"mesh\"\n.yaml"}}));
  EXPECT_TRUE(absl::StrContains(text, "\"/lab's \\\"mesh\\\"\\n.yaml\"")) << text;
}

} // namespace
} // namespace culvert::config::node
