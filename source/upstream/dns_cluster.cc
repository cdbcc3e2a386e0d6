// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/dns_cluster.h"

#include <algorithm>
#include <utility>

#include "source/base/log.h"
#include "source/event/timer_heap.h"

namespace culvert::upstream {
namespace {

// Asks for one name again and again.
class Target {
public:
  // What to do with an answer; false: it was as bad as none.
  using Take = std::function<bool(Target&, const net::DnsAnswer&)>;

  Target(HostSourceContext& context, const DnsConfig& config, const LocalityConfig& locality,
         const EndpointConfig& endpoint, Take take)
      : context_(context), config_(config), locality_(locality), endpoint_(endpoint),
        take_(std::move(take)),
        timer_(context.loop(), event::Timer::Callback::to<&Target::ask>(this)) {}

  void ask() {
    context_.stats().update_attempt.add();
    query_ =
        context_.resolver().resolve(endpoint_.dns_name, config_.family,
                                    [this](const net::DnsAnswer& answer) { onAnswer(answer); });
  }

  HostSpec hostAt(const net::DnsAddress& address) const {
    return {&locality_, &endpoint_, address.address.withPort(endpoint_.port)};
  }

  std::vector<HostSpec> hosts; // As last resolved.

private:
  void onAnswer(const net::DnsAnswer& answer) {
    query_.reset();
    warnOfIpv6(answer);
    base::Duration wait;
    if (answer.ok && take_(*this, answer)) {
      context_.stats().update_success.add();
      failures_ = 0;
      wait = waitAfter(answer) + jitter();
    } else {
      LOG(debug, upstream, "cluster '%s': DNS has no address for '%s': %s", context_.config().name,
          endpoint_.dns_name, answer.error);
      context_.stats().update_failure.add();
      wait = waitAfterFailure();
    }
    timer_.arm(wait);
    context_.setInitialized();
  }

  base::Duration waitAfter(const net::DnsAnswer& answer) const {
    base::Duration shortest = base::Duration::max();
    for (const net::DnsAddress& address : answer.addresses) {
      shortest = std::min(shortest, address.ttl);
    }
    const bool use_ttl =
        config_.respect_ttl && !answer.addresses.empty() && shortest > base::Duration::zero();
    return use_ttl ? std::max(shortest, config_.min_refresh_rate) : config_.refresh_rate;
  }

  base::Duration jitter() {
    const auto most_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(config_.jitter).count();
    return std::chrono::milliseconds(
        most_ms > 0 ? context_.random().below(static_cast<uint64_t>(most_ms)) : 0);
  }

  // A random part of base * 2^failures, as Envoy's jittered backoff; never none at all.
  base::Duration waitAfterFailure() {
    if (!config_.failure_refresh.has_value()) {
      return config_.refresh_rate;
    }
    base::Duration limit = config_.failure_refresh->base;
    for (uint32_t i = 0; i < failures_ && limit < config_.failure_refresh->max; ++i) {
      limit *= 2;
    }
    limit = std::min(limit, config_.failure_refresh->max);
    failures_++;
    const auto limit_ns = static_cast<uint64_t>(limit.count());
    return std::max<base::Duration>(base::Duration(context_.random().below(limit_ns)),
                                    std::chrono::milliseconds(1));
  }

  // AUTO takes IPv6 where it can get it: a classic trap for hosts that listen on IPv4 only.
  void warnOfIpv6(const net::DnsAnswer& answer) {
    if (config_.family != net::DnsFamily::kAuto || answer.addresses.empty() || warned_ ||
        answer.addresses.front().address.kind() != net::Address::Kind::kIpv6) {
      return;
    }
    warned_ = true;
    LOG(warning, upstream,
        "cluster '%s': dns_lookup_family AUTO takes only the IPv6 addresses of '%s'; a host that "
        "listens on IPv4 needs V4_ONLY, V4_PREFERRED or ALL",
        context_.config().name, endpoint_.dns_name);
  }

  HostSourceContext& context_;
  const DnsConfig& config_;
  const LocalityConfig& locality_;
  const EndpointConfig& endpoint_;
  const Take take_;
  event::Timer timer_;
  std::unique_ptr<net::DnsQuery> query_;
  uint32_t failures_ = 0; // In a row.
  bool warned_ = false;
};

class DnsHosts : public HostSource {
public:
  DnsHosts(HostSourceContext& context, const DnsConfig& config)
      : context_(context), config_(config) {}

  void start() override {
    for (const LocalityConfig& locality : context_.config().endpoints) {
      for (const EndpointConfig& endpoint : locality.endpoints) {
        add(locality, endpoint);
      }
    }
    if (targets_.empty()) {
      publish();
      context_.setInitialized();
    }
    for (const std::unique_ptr<Target>& target : targets_) {
      target->ask();
    }
  }

protected:
  // Puts the hosts of an answer into the target. False: the answer is as bad as none.
  virtual bool take(Target& target, const net::DnsAnswer& answer) = 0;
  HostSourceContext& context() { return context_; }

private:
  void add(const LocalityConfig& locality, const EndpointConfig& endpoint) {
    if (endpoint.dns_name.empty()) { // A unix socket among names.
      fixed_.push_back({&locality, &endpoint, endpoint.address});
      return;
    }
    targets_.push_back(std::make_unique<Target>(
        context_, config_, locality, endpoint,
        [this](Target& target, const net::DnsAnswer& answer) { return onAnswer(target, answer); }));
  }

  bool onAnswer(Target& target, const net::DnsAnswer& answer) {
    if (!take(target, answer)) {
      return false;
    }
    if (!publish()) {
      context_.stats().update_no_rebuild.add();
    }
    return true;
  }

  bool publish() {
    std::vector<HostSpec> all = fixed_;
    for (const std::unique_ptr<Target>& target : targets_) {
      all.insert(all.end(), target->hosts.begin(), target->hosts.end());
    }
    return context_.setHosts(all);
  }

  HostSourceContext& context_;
  const DnsConfig config_;
  std::vector<HostSpec> fixed_;
  std::vector<std::unique_ptr<Target>> targets_;
};

class StrictDnsHosts final : public DnsHosts {
public:
  using DnsHosts::DnsHosts;

private:
  bool take(Target& target, const net::DnsAnswer& answer) override {
    target.hosts.clear();
    for (const net::DnsAddress& address : answer.addresses) {
      HostSpec host = target.hostAt(address);
      const bool known = std::any_of(target.hosts.begin(), target.hosts.end(),
                                     [&](const auto& h) { return h.address == host.address; });
      if (!known) {
        target.hosts.push_back(std::move(host));
      }
    }
    return true;
  }
};

class LogicalDnsHosts final : public DnsHosts {
public:
  using DnsHosts::DnsHosts;

private:
  bool take(Target& target, const net::DnsAnswer& answer) override {
    if (answer.addresses.empty()) {
      return false;
    }
    HostSpec host = target.hostAt(answer.addresses.front());
    host.logical = true;
    if (answer.addresses.size() > 1) {
      std::vector<net::Address> all;
      for (const net::DnsAddress& address : answer.addresses) {
        all.push_back(target.hostAt(address).address);
      }
      host.addresses = inOrder(all, context().config().address_order);
    }
    target.hosts = {std::move(host)};
    return true;
  }
};

} // namespace

std::unique_ptr<HostSource> makeStrictDns(HostSourceContext& context, const DnsConfig& config) {
  return std::make_unique<StrictDnsHosts>(context, config);
}

std::unique_ptr<HostSource> makeLogicalDns(HostSourceContext& context, const DnsConfig& config) {
  return std::make_unique<LogicalDnsHosts>(context, config);
}

} // namespace culvert::upstream
