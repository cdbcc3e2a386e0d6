// SPDX-License-Identifier: Apache-2.0
#include "source/server/listen_sockets.h"

#include <sys/socket.h>

#include <utility>

#include "source/base/log.h"

namespace culvert::server {
namespace {

// With SO_REUSEPORT a second process binds the same port and the kernel gives each a share of the
// connections: rarely meant, always puzzling.
void warnIfServedElsewhere(const net::Address& address) {
  if (!address.isIp() || address.port() == 0) {
    return;
  }
  if (!net::checkFree(address).ok()) {
    LOG(warning, config,
        "%s is already served by another socket of this machine; with enable_reuse_port the kernel "
        "will split connections between the two. Stop the other process, or set enable_reuse_port: "
        "false to make this an error",
        address.toString());
  }
}

ListenSocket shared(net::Fd fd) { return std::make_shared<const net::Fd>(std::move(fd)); }

bool sharesPort(const net::Fd& fd) {
  int on = 0;
  socklen_t length = sizeof(on);
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, &length) == 0 && on != 0;
}

} // namespace

absl::StatusOr<ListenSockets> ListenSockets::bind(const net::Address& address,
                                                  const net::ListenOptions& options,
                                                  uint32_t workers) {
  const bool own_sockets = options.reuse_port && address.isIp();
  if (own_sockets) {
    warnIfServedElsewhere(address);
  }
  ListenSockets made(address, options, workers);
  for (uint32_t i = 0; i < (own_sockets ? workers : 1); i++) {
    absl::StatusOr<net::Fd> opened = net::listenOn(made.address_, options);
    if (!opened.ok()) {
      return opened.status();
    }
    made.address_ = net::Address::localOf(opened->get());
    made.sockets_.push_back(shared(*std::move(opened)));
  }
  return made;
}

ListenSockets ListenSockets::inherit(const net::ListenOptions& options, uint32_t workers,
                                     std::vector<net::Fd> sockets) {
  ListenSockets made(net::Address::localOf(sockets.front().get()), options, workers);
  made.options_.reuse_port = options.reuse_port && sharesPort(sockets.front());
  for (net::Fd& socket : sockets) {
    ::listen(socket.get(), options.backlog); // The backlog may have been changed.
    made.sockets_.push_back(shared(std::move(socket)));
  }
  return made;
}

std::vector<ListenSocket> ListenSockets::ofWorker(uint32_t worker) {
  if (worker >= sockets_.size() && options_.reuse_port && address_.isIp()) {
    absl::StatusOr<net::Fd> opened = net::listenOn(address_, options_);
    if (opened.ok()) {
      sockets_.push_back(shared(*std::move(opened)));
      return {sockets_.back()};
    }
    LOG(warning, config, "worker %d shares a socket: %s", worker,
        std::string(opened.status().message()));
  }
  std::vector<ListenSocket> mine;
  for (size_t i = worker; i < sockets_.size(); i += workers_) {
    mine.push_back(sockets_[i]);
  }
  if (mine.empty()) {
    mine.push_back(sockets_[worker % sockets_.size()]);
  }
  return mine;
}

} // namespace culvert::server
