// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace culvert::server {

// Main keeps it to hand it to the next process, workers accept on it; the last of them closes it.
using ListenSocket = std::shared_ptr<const net::Fd>;

// What listens at one address: a socket of its own for each worker, or, where the kernel knows no
// such thing, the same one for all. A process of before may have had more or fewer workers; each of
// its sockets goes to some worker, so that nothing that waits in one is lost.
// Threads: main.
class ListenSockets {
public:
  // Errors: "cannot bind 'ADDRESS': REASON".
  static absl::StatusOr<ListenSockets> bind(const net::Address& address,
                                            const net::ListenOptions& options, uint32_t workers);
  // `sockets`: of the process of before, at least one.
  static ListenSockets inherit(const net::ListenOptions& options, uint32_t workers,
                               std::vector<net::Fd> sockets);

  const net::Address& address() const { return address_; } // As bound.
  // Those of one worker. A worker that the process of before did not have gets one of its own now
  // and not earlier: from here on connections come to it.
  std::vector<ListenSocket> ofWorker(uint32_t worker);
  const std::vector<ListenSocket>& all() const { return sockets_; }

private:
  ListenSockets(net::Address address, net::ListenOptions options, uint32_t workers)
      : address_(std::move(address)), options_(std::move(options)), workers_(workers) {}

  net::Address address_;
  net::ListenOptions options_;
  uint32_t workers_;
  std::vector<ListenSocket> sockets_; // That of number n is worker n % workers_'s.
};

} // namespace culvert::server
