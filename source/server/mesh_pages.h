// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "source/event/http_server.h"
#include "source/event/loop.h"
#include "source/net/address.h"

namespace culvert::server {

// The two pages that a cluster asks a mesh node for: whether it is ready, and its metrics.
// Threads: main. Lifetime: the server's.
class MeshPages {
public:
  struct Sources {
    std::function<std::string()> pending; // What it still waits for; "": it is ready.
    std::function<std::string()> metrics; // In Prometheus's text format.
  };

  MeshPages(event::Loop& main, Sources sources);

  // Errors: an address that cannot be bound. An IPv6 address that is any is IPv4's, too.
  absl::Status serveReadiness(const net::Address& address) { return serve(readiness_, address); }
  absl::Status serveMetrics(const net::Address& address) { return serve(metrics_, address); }
  // Whoever asks now is refused: the node goes.
  void stop();

private:
  static absl::Status serve(event::HttpServer& server, const net::Address& address);
  void answerReadiness(const event::HttpRequest& request, event::HttpResponse& response) const;
  void answerMetrics(const event::HttpRequest& request, event::HttpResponse& response) const;

  const Sources sources_;
  event::HttpServer readiness_;
  event::HttpServer metrics_;
};

} // namespace culvert::server
