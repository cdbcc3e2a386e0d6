// SPDX-License-Identifier: Apache-2.0
#include "source/server/stats_sink_proto.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/metrics/v3/stats.pb.h"
#include "source/base/proto.h"
#include "source/config/validate.h"
#include "source/server/listener_proto.h"

namespace culvert::server {
namespace {

namespace metrics = envoy::config::metrics::v3;
using config::Problems;
using envoy::config::bootstrap::v3::Bootstrap;

// What is common to both kinds.
template <class Sink> void readLines(const Sink& proto, StatsSinkConfig& config) {
  if (!proto.prefix().empty()) {
    config.lines.prefix = proto.prefix();
  }
  config.lines.scale_to_milliseconds = proto.scale_histogram_units_to_milliseconds();
}

void readAddressOf(const envoy::config::core::v3::Address& proto, const std::string& path,
                   Problems& problems, StatsSinkConfig& config) {
  config.udp = readAddress(proto, path, problems);
  if (config.udp.has_value() && !config.udp->isIp()) {
    problems.error(absl::StrCat(path, ".pipe"), "datagrams go to an IP address");
  }
}

void readTcp(const metrics::StatsdSink& proto, const std::string& path, const Bootstrap& bootstrap,
             Problems& problems, StatsSinkConfig& config) {
  config.tcp_cluster = proto.tcp_cluster_name();
  const auto& clusters = bootstrap.static_resources().clusters();
  if (std::none_of(clusters.begin(), clusters.end(),
                   [&](const auto& cluster) { return cluster.name() == config.tcp_cluster; })) {
    problems.error(absl::StrCat(path, ".tcp_cluster_name"),
                   "a sink's cluster must be one of static_resources.clusters",
                   absl::StrCat("tcp statsd: unknown cluster '", config.tcp_cluster, "'"));
  }
  if (bootstrap.node().id().empty() || bootstrap.node().cluster().empty()) {
    problems.error("node", absl::StrCat(path, ".tcp_cluster_name needs an id and a cluster"),
                   "tcp statsd: node 'id' and 'cluster' are required. Set it either in 'node' "
                   "config or via --service-node and --service-cluster options.");
  }
}

} // namespace

std::vector<StatsSinkConfig> readStatsSinks(const Bootstrap& bootstrap, Problems& problems) {
  std::vector<StatsSinkConfig> configs;
  for (int i = 0; i < bootstrap.stats_sinks_size(); i++) {
    const std::string path = absl::StrCat("stats_sinks[", i, "].typed_config");
    const auto& any = bootstrap.stats_sinks(i).typed_config();
    StatsSinkConfig config;
    metrics::StatsdSink statsd;
    metrics::DogStatsdSink dog;
    if (base::typeOf(any) == statsd.GetTypeName() && config::unpack(any, path, statsd, problems)) {
      readLines(statsd, config);
      if (statsd.has_address()) {
        readAddressOf(statsd.address(), absl::StrCat(path, ".address"), problems, config);
      } else {
        readTcp(statsd, path, bootstrap, problems, config);
      }
      configs.push_back(std::move(config));
    } else if (base::typeOf(any) == dog.GetTypeName() && config::unpack(any, path, dog, problems)) {
      readLines(dog, config);
      config.lines.tags = true;
      if (dog.has_max_bytes_per_datagram()) {
        config.datagram_bytes_max = dog.max_bytes_per_datagram().value();
      }
      readAddressOf(dog.address(), absl::StrCat(path, ".address"), problems, config);
      configs.push_back(std::move(config));
    }
  }
  return configs;
}

} // namespace culvert::server
