// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/io.h"

namespace culvert::upstream {

// How long the attempt to reach one address has before the next one is tried beside it (RFC 8305,
// section 8; Envoy's is the same).
inline constexpr base::Duration kNextAddressAfter = std::chrono::milliseconds(300);

// Begins to reach the address of this number, or says why not.
using DialAddress = std::function<absl::StatusOr<std::unique_ptr<net::Io>>(size_t number)>;

// A transport to a host of several addresses: it tries them one after the other, without waiting
// for long, and is the first that opens. When all failed, the last failure is its own.
// Threads: the loop's. Lifetime: owned by its connection; `dial` is called until it is open, has
// failed or is closed.
std::unique_ptr<net::Io> makeHappyEyeballs(event::Loop& loop, std::vector<net::Address> addresses,
                                           DialAddress dial);

} // namespace culvert::upstream
