// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/stats/statsd.h"
#include "source/stats/store.h"
#include "source/upstream/upstream.h"

namespace culvert::server {

// Where the lines of one sink go. Threads: main. Errors: what cannot be sent is lost, as with any
// datagram; nothing waits for a receiver.
class StatsdTransport {
public:
  virtual ~StatsdTransport() = default;
  virtual void line(absl::string_view line) = 0;
  // The flush is over: what was put together leaves.
  virtual void finish() = 0;
};

// To a UDP address: a line a datagram, or as many as fit into `bytes_max`.
std::unique_ptr<StatsdTransport> udpStatsd(const net::Address& address,
                                           std::optional<size_t> bytes_max);
// Over one connection to a host of a cluster, made when there is something to tell.
std::unique_ptr<StatsdTransport> tcpStatsd(event::Loop& main, upstream::ThreadClusters& clusters,
                                           std::string cluster);

struct StatsSinkConfig {
  std::optional<net::Address> udp;
  std::string tcp_cluster; // When there is no `udp`.
  std::optional<size_t> datagram_bytes_max;
  stats::StatsdLines::Config lines;
};

// All of stats_sinks: told of everything at each flush.
// Threads: main. Lifetime: what it is given outlives it.
class StatsSinks {
public:
  // `clusters` is needed, and used, by sinks over TCP alone.
  StatsSinks(event::Loop& main, const std::vector<StatsSinkConfig>& configs,
             upstream::ThreadClusters* clusters);

  void flush(const stats::Store& store);

private:
  struct Sink {
    stats::StatsdLines lines;
    std::unique_ptr<StatsdTransport> transport;
  };

  stats::CounterGains gains_;
  std::vector<Sink> sinks_;
};

} // namespace culvert::server
