// SPDX-License-Identifier: Apache-2.0
#include "source/server/stats_sink.h"

namespace culvert::server {

StatsSinks::StatsSinks(event::Loop& main, const std::vector<StatsSinkConfig>& configs,
                       upstream::ThreadClusters* clusters) {
  for (const StatsSinkConfig& config : configs) {
    sinks_.push_back({stats::StatsdLines(config.lines),
                      config.udp.has_value() ? udpStatsd(*config.udp, config.datagram_bytes_max)
                                             : tcpStatsd(main, *clusters, config.tcp_cluster)});
  }
}

void StatsSinks::flush(const stats::Store& store) {
  const std::vector<stats::CounterGains::Gain> gains = gains_.take(store);
  for (Sink& sink : sinks_) {
    sink.lines.write(store, gains, [&](absl::string_view line) { sink.transport->line(line); });
    sink.transport->finish();
  }
}

} // namespace culvert::server
