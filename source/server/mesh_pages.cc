// SPDX-License-Identifier: Apache-2.0
#include "source/server/mesh_pages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/net/socket.h"

namespace culvert::server {
namespace {

constexpr char kServerName[] = "culvert";
constexpr char kPlain[] = "text/plain";

absl::Status bindTo(event::HttpServer& server, const net::Address& address) {
  net::ListenOptions options;
  options.reuse_port = false;
  absl::StatusOr<net::Fd> fd = net::listenOn(address, options);
  if (!fd.ok()) {
    return fd.status();
  }
  server.serve(fd->release());
  return absl::OkStatus();
}

} // namespace

MeshPages::MeshPages(event::Loop& main, Sources sources)
    : sources_(std::move(sources)),
      readiness_(main, kServerName,
                 {[this](const event::HttpRequest& request, event::HttpResponse& response) {
                    answerReadiness(request, response);
                  },
                  nullptr, nullptr}),
      metrics_(main, kServerName,
               {[this](const event::HttpRequest& request, event::HttpResponse& response) {
                  answerMetrics(request, response);
                },
                nullptr, nullptr}) {}

absl::Status MeshPages::serve(event::HttpServer& server, const net::Address& address) {
  absl::Status status = bindTo(server, address);
  if (status.ok() && address.isAny() && address.kind() == net::Address::Kind::kIpv6) {
    status = bindTo(server, *net::Address::parseIpPort(absl::StrCat("0.0.0.0:", address.port())));
  }
  return status;
}

void MeshPages::stop() {
  readiness_.stopListening();
  metrics_.stopListening();
}

void MeshPages::answerReadiness(const event::HttpRequest& request,
                                event::HttpResponse& response) const {
  response.content_type = kPlain;
  if (request.path != "/healthz/ready") {
    response.status = 404;
    return;
  }
  if (request.method != "GET") {
    response.status = 405;
    return;
  }
  const std::string pending = sources_.pending();
  response.status = pending.empty() ? 200 : 500;
  response.body = pending.empty() ? "ready\n" : absl::StrCat("not ready, pending: ", pending, "\n");
}

void MeshPages::answerMetrics(const event::HttpRequest& request,
                              event::HttpResponse& response) const {
  if (request.path != "/metrics" && request.path != "/stats/prometheus") {
    response.status = 404;
    return;
  }
  response.content_type = "text/plain; charset=utf-8";
  response.body = sources_.metrics();
}

} // namespace culvert::server
