// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "source/base/delegate.h"
#include "source/net/connection_info.h"
#include "source/net/internal_io.h"

namespace culvert::net {

// What a connection that stays inside the process brings along besides its bytes. Parts may be
// null.
struct Passed {
  std::unique_ptr<Metadata> metadata;
  std::unique_ptr<FilterState> filter_state;
};

// Takes the connections to an internal listener, on one loop, each in the turn after its connect.
// Threads: the loop's. Lifetime: its owner's; as it goes it takes those that wait for their turn.
class InternalAcceptor final : private event::Ready {
public:
  // What both ends call the one that connects: nobody accepts there.
  static constexpr absl::string_view kClientName = "internal_client_address";

  struct Arrival {
    std::unique_ptr<AcceptedIo> io;
    Address local;
    std::shared_ptr<Passed> passed;                      // May be null.
    Address remote = Address::internal(kClientName, ""); // As both ends of a pair call it.
    std::unique_ptr<RequestInfo> request;                // Null unless it is a tunnel inside HTTP.
  };
  using Callback = base::Delegate<void(Arrival arrival)>;

  // The last of those that have the same name is the one that is found.
  InternalAcceptor(event::Loop& loop, std::string name, size_t buffer_bytes, Callback callback);
  ~InternalAcceptor();

private:
  friend absl::StatusOr<std::unique_ptr<Io>>
  connectInternal(event::Loop& loop, const HostDescription& host, std::shared_ptr<Passed> passed);
  friend bool arriveAt(event::Loop& loop, absl::string_view listener, Arrival arrival);
  void onReady() override;

  event::Loop& loop_;
  const std::string name_;
  const size_t buffer_bytes_;
  const Callback callback_;
  std::vector<Arrival> arrivals_;
};

// Begins to reach the internal listener that the address of `host` names, on the same loop.
// Errors, in Envoy's words: no such listener.
absl::StatusOr<std::unique_ptr<Io>> connectInternal(event::Loop& loop, const HostDescription& host,
                                                    std::shared_ptr<Passed> passed);

// A transport that is there already, a stream of a tunnel, becomes a connection to the internal
// listener of that name on the same loop. False: there is none, and the transport is closed.
bool arriveAt(event::Loop& loop, absl::string_view listener, InternalAcceptor::Arrival arrival);

} // namespace culvert::net
