// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "source/event/fd_events.h"
#include "source/event/timer_heap.h"
#include "source/net/address.h"
#include "source/stats/store.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace culvert::net {

// Which addresses of a name are wanted (envoy-compat A.5): kAuto takes the IPv6 ones or, when there
// are none, the IPv4 ones; kV4Preferred the other way round; kAll both.
enum class DnsFamily : uint8_t { kAuto, kV4Only, kV6Only, kV4Preferred, kAll };

struct DnsAddress {
  Address address; // Port 0.
  base::Duration ttl;
};

struct DnsAnswer {
  bool ok = false; // There was an answer, perhaps that the name has no such address.
  std::vector<DnsAddress> addresses;
  std::string error; // Unless ok.
};

// A question that is under way. Destroying it forgets it.
class DnsQuery {
public:
  virtual ~DnsQuery() = default;
};

// Turns names into addresses without blocking.
// Threads: one loop's. Lifetime: outlives its queries.
class DnsResolver {
public:
  using Done = std::function<void(DnsAnswer)>;

  virtual ~DnsResolver() = default;
  // `name` may be an address in digits. Calls back once, in a later turn of the loop.
  virtual std::unique_ptr<DnsQuery> resolve(const std::string& name, DnsFamily family,
                                            Done done) = 0;
};

// The resolver of c-ares: /etc/hosts, then the name servers. Counts under dns.cares.
class CaresResolver final : public DnsResolver {
public:
  // `servers`: instead of those of /etc/resolv.conf; none: those.
  CaresResolver(event::Loop& loop, stats::Scope& stats, std::vector<Address> servers);
  ~CaresResolver() override;

  std::unique_ptr<DnsQuery> resolve(const std::string& name, DnsFamily family, Done done) override;

private:
  class Handle;
  class Watch;
  struct Lookup;
  struct Stats;
  using Channel = ares_channeldata*;

  void openChannel();
  void closeChannel();
  void ask(const std::shared_ptr<Lookup>& lookup);
  static void onAnswer(void* holder, int status, int timeouts, ares_addrinfo* result);
  void onAnswer(const std::shared_ptr<Lookup>& lookup, int status, ares_addrinfo* result);
  void finish(const std::shared_ptr<Lookup>& lookup, DnsAnswer answer);
  static void onSocketState(void* self, int fd, int readable, int writable);
  void onReady(int fd, uint32_t readiness);
  void onTimer();
  void armTimer();

  event::Loop& loop_;
  const std::vector<Address> servers_;
  std::unique_ptr<stats::Scope> scope_;
  std::unique_ptr<Stats> stats_;
  event::Timer timer_;
  Channel channel_ = nullptr;
  std::unordered_map<int, std::unique_ptr<Watch>> watches_;
  size_t pending_ = 0;
  bool stale_ = false; // No server answered: read the configuration again before the next question.
};

} // namespace culvert::net
