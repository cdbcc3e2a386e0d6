// SPDX-License-Identifier: Apache-2.0
#include "source/net/internal_listeners.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace culvert::net {
namespace {

// Who accepts, by name. Threads: the loop's. Lifetime: loop.local<Acceptors>().
struct Acceptors {
  explicit Acceptors(event::Loop&) {}
  absl::flat_hash_map<std::string, InternalAcceptor*> by_name;
};

// "listener/endpoint_id" without what follows the listener's name.
absl::string_view listenerName(const HostDescription& host) {
  absl::string_view path = host.address.path();
  path.remove_suffix(host.endpoint_id.size() + 1);
  return path;
}

} // namespace

InternalAcceptor::InternalAcceptor(event::Loop& loop, std::string name, size_t buffer_bytes,
                                   Callback callback)
    : loop_(loop), name_(std::move(name)), buffer_bytes_(buffer_bytes), callback_(callback) {
  loop_.local<Acceptors>().by_name[name_] = this;
}

// Those that wait for their turn are connected as far as their clients know.
InternalAcceptor::~InternalAcceptor() {
  onReady();
  auto& by_name = loop_.local<Acceptors>().by_name;
  const auto it = by_name.find(name_);
  if (it != by_name.end() && it->second == this) {
    by_name.erase(it);
  }
}

void InternalAcceptor::onReady() {
  for (Arrival& arrival : std::exchange(arrivals_, {})) {
    callback_(std::move(arrival));
  }
}

absl::StatusOr<std::unique_ptr<Io>> connectInternal(event::Loop& loop, const HostDescription& host,
                                                    std::shared_ptr<Passed> passed) {
  const auto& by_name = loop.local<Acceptors>().by_name;
  const auto it = by_name.find(listenerName(host));
  if (it == by_name.end()) {
    return absl::UnavailableError(absl::StrCat(
        "immediate connect error: Invalid argument|remote address:", host.address.toString()));
  }
  InternalAcceptor& acceptor = *it->second;
  auto [connects, accepted] =
      InternalIo::makePair(loop, acceptor.buffer_bytes_,
                           Address::internal(InternalAcceptor::kClientName, ""), host.address);
  acceptor.arrivals_.push_back({.io = std::move(accepted),
                                .local = host.address,
                                .passed = std::move(passed),
                                .request = nullptr});
  loop.runNext(acceptor);
  return std::move(connects);
}

bool arriveAt(event::Loop& loop, absl::string_view listener, InternalAcceptor::Arrival arrival) {
  const auto& by_name = loop.local<Acceptors>().by_name;
  const auto it = by_name.find(listener);
  if (it == by_name.end()) {
    return false;
  }
  it->second->arrivals_.push_back(std::move(arrival));
  loop.runNext(*it->second);
  return true;
}

} // namespace culvert::net
