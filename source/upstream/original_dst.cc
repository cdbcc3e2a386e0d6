// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/original_dst.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/upstream/balancing.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

constexpr absl::string_view kAddressKey = "envoy.network.transport_socket.original_dst_address";

using HostMap = absl::flat_hash_map<net::Address, HostPtr>;

// What a worker needs to make a host and to tell main of it. Threads: any.
struct Shared {
  const OriginalDstConfig config;
  const std::string cluster;
  const std::string stat_name;
  const std::function<void(HostState&)> prepare;
  const std::function<void(HostPtr)> announce;
  stats::Counter& invalid;

  HostPtr makeHost(const net::Address& address) const {
    EndpointConfig endpoint;
    endpoint.hostname = absl::StrCat(cluster, address.toString()); // As Envoy names it.
    auto host = std::make_shared<Host>(endpoint, LocalityConfig(), address, stat_name);
    prepare(host->state());
    return host;
  }

  // Null kind: nowhere.
  net::Address destination(const net::ConnectionInfo& connection) const {
    const auto* const state = connection.filter_state == nullptr
                                  ? nullptr
                                  : connection.filter_state->find<net::AddressState>(kAddressKey);
    net::Address address = state != nullptr ? state->address() : fromMetadata(connection);
    if (address.kind() == net::Address::Kind::kNone && connection.local_restored) {
      address = connection.local;
    }
    return address.isIp() && config.port.has_value() ? address.withPort(*config.port) : address;
  }

  net::Address fromMetadata(const net::ConnectionInfo& connection) const {
    if (config.metadata_path.empty() || connection.dynamic_metadata == nullptr) {
      return {};
    }
    const net::Value* const value =
        connection.dynamic_metadata->find(config.metadata_filter, config.metadata_path);
    const auto* const text = value == nullptr ? nullptr : std::get_if<std::string>(&value->kind);
    if (text == nullptr) {
      return {};
    }
    absl::StatusOr<net::Address> address = net::Address::parseIpPort(*text);
    if (!address.ok()) {
      LOG(debug, upstream, "no original destination: %s", address.status().message());
      invalid.add();
      return {};
    }
    return *std::move(address);
  }
};

// Finds the host of the connection's address, or makes it.
class Chooser final : public HostChooser {
public:
  Chooser(std::shared_ptr<const Shared> shared, std::shared_ptr<const HostMap> known)
      : shared_(std::move(shared)), known_(std::move(known)) {}

  Choice pick(const LoadBalancerContext& context) override {
    const net::ConnectionInfo* const connection = context.downstream();
    const net::Address address =
        connection == nullptr ? net::Address() : shared_->destination(*connection);
    if (!address.isIp()) {
      LOG(debug, upstream, "cluster '%s': the connection has no original destination",
          shared_->cluster);
      return {nullptr, false};
    }
    if (const auto it = known_->find(address); it != known_->end()) {
      return {&it->second, false};
    }
    HostPtr& host = own_[address];
    if (host == nullptr) {
      host = shared_->makeHost(address);
      shared_->announce(host);
    }
    return {&host, false};
  }

  // Main may not have heard yet of what this worker made.
  void takeOver(HostChooser& previous) override {
    own_ = std::move(static_cast<Chooser&>(previous).own_);
    absl::erase_if(own_, [&](const auto& own) { return known_->contains(own.first); });
  }

private:
  const std::shared_ptr<const Shared> shared_;
  const std::shared_ptr<const HostMap> known_;
  absl::node_hash_map<net::Address, HostPtr> own_; // Until main knows them, too.
};

class OriginalDstHosts final : public HostSource {
public:
  OriginalDstHosts(HostSourceContext& context, OriginalDstConfig config)
      : context_(context), handle_(std::make_shared<Handle>(Handle{this})),
        interval_(config.cleanup_interval), shared_(share(context, std::move(config))),
        cleanup_timer_(context.loop(),
                       event::Timer::Callback::to<&OriginalDstHosts::cleanUp>(this)) {}
  ~OriginalDstHosts() override { handle_->hosts = nullptr; }

  void start() override {
    context_.setInitialized();
    cleanup_timer_.arm(interval_);
  }
  std::unique_ptr<HostChooser> makeChooser() override {
    if (published_ == nullptr) {
      auto hosts = std::make_shared<HostMap>();
      for (const auto& [address, known] : known_) {
        hosts->emplace(address, known.hosts.front());
      }
      published_ = std::move(hosts);
    }
    return std::make_unique<Chooser>(shared_, published_);
  }

private:
  // To be looked at on main only.
  struct Handle {
    OriginalDstHosts* hosts;
  };
  // Workers that met an address at once have made a host each: all take the first one later.
  struct Known {
    std::vector<HostPtr> hosts;
    uint64_t seen_total = 0; // Connections until the last cleanup.
  };

  std::shared_ptr<const Shared> share(HostSourceContext& context, OriginalDstConfig config) {
    const auto announce = [&main = context.loop(), handle = handle_](HostPtr host) {
      main.post([handle, host = std::move(host)]() mutable {
        if (handle->hosts != nullptr) {
          handle->hosts->adopt(std::move(host));
        }
      });
    };
    const ClusterConfig& cluster = context.config();
    return std::make_shared<const Shared>(
        Shared{std::move(config), cluster.name, cluster.statName(), context.hostPreparer(),
               announce, context.stats().original_dst_host_invalid});
  }

  void adopt(HostPtr host) {
    known_[host->address()].hosts.push_back(host);
    published_ = nullptr;
    context_.adoptHost(std::move(host));
  }

  // An address stays while it has connections, or had new ones since the last time.
  static bool isUsed(Known& known) {
    uint64_t total = 0;
    uint32_t active = 0;
    for (const HostPtr& host : known.hosts) {
      total += host->state().cx_total.load(std::memory_order_relaxed);
      active += host->state().cx_active.load(std::memory_order_relaxed);
    }
    return std::exchange(known.seen_total, total) != total || active > 0;
  }

  void cleanUp() {
    absl::flat_hash_set<const Host*> unused;
    absl::erase_if(known_, [&](auto& entry) {
      if (isUsed(entry.second)) {
        return false;
      }
      for (const HostPtr& host : entry.second.hosts) {
        unused.insert(host.get());
      }
      return true;
    });
    if (!unused.empty()) {
      published_ = nullptr;
      context_.removeHosts([&](const Host& host) { return unused.contains(&host); });
    }
    cleanup_timer_.arm(interval_);
  }

  HostSourceContext& context_;
  const std::shared_ptr<Handle> handle_; // Through which workers' words find this.
  const base::Duration interval_;
  const std::shared_ptr<const Shared> shared_;
  absl::flat_hash_map<net::Address, Known> known_;
  std::shared_ptr<const HostMap> published_; // Null: not since the last change.
  event::Timer cleanup_timer_;
};

} // namespace

std::unique_ptr<HostSource> makeOriginalDst(HostSourceContext& context, OriginalDstConfig config) {
  return std::make_unique<OriginalDstHosts>(context, std::move(config));
}

} // namespace culvert::upstream
