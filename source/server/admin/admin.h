// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "source/event/http_server.h"
#include "source/net/address.h"
#include "source/net/socket.h"
#include "source/server/admin/admin_context.h"
#include "source/stats/matcher.h"
#include "source/stats/store_config.h"

namespace culvert::server {

// Bootstrap.admin (envoy-compat A.1).
struct AdminConfig {
  net::Address address;
  uint32_t pipe_mode = 0;                      // Of a unix socket; 0: as the umask has it.
  std::vector<stats::StringMatch> allow_paths; // Of path and query; none: all.
};

// The admin page: asks the endpoint table, guards what changes something, counts and logs.
// Threads: main. Lifetime: the context outlives it.
class Admin {
public:
  // One line of Envoy's default format for each answer, with its newline.
  using AccessLog = std::function<void(absl::string_view line)>;

  Admin(event::Loop& loop, AdminContext context, AdminConfig config, AccessLog access_log);
  ~Admin();

  // Binds, unless it is given the socket of the process of before, and writes the address to
  // --admin-address-path. Errors: "cannot bind 'ADDRESS': REASON".
  absl::Status start(net::Fd inherited = {});
  const net::Address& address() const { return address_; } // As bound.

  // Ends with the server, not with its listeners: who drains them still wants to look.
  void stopListening() { http_.stopListening(); }
  void pause(bool paused) { http_.pause(paused); }
  int socket() const { return socket_; } // Borrowed.

  void answer(const event::HttpRequest& request, event::HttpResponse& response);

private:
  struct Stats;

  bool allowed(const event::HttpRequest& request) const;
  void dispatch(const event::HttpRequest& request, event::HttpResponse& response);
  void log(const event::HttpRequest& request, const event::HttpResponse& response,
           base::WallTime start, base::Duration duration) const;
  void writeAddressFile() const;

  AdminContext context_;
  const AdminConfig config_;
  const AccessLog access_log_;
  std::vector<stats::CompiledMatch> allow_paths_;
  net::Address address_;
  std::unique_ptr<Stats> stats_;
  event::HttpServer http_;
  int socket_ = -1; // What http_ listens on.
};

} // namespace culvert::server
