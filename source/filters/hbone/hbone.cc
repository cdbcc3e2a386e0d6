// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/base/random.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/well_known_state.h"
#include "source/filters/hbone/hbone.pb.h"
#include "source/mesh/inbound.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/counted_connection.h"
#include "source/mesh/node/far_end.h"
#include "source/mesh/node/node.h"
#include "source/mesh/node/outcome.h"
#include "source/mesh/outbound.h"
#include "source/mesh/tracing_headers.h"
#include "source/net/expected_peer.h"

namespace culvert {
namespace {

using Proto = filters::hbone::v1::Hbone;
using mesh::ConnectionRecord;
using mesh::Route;

// Threads: built on main, then read-only on all workers.
struct Config {
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context) {
    if (context.mesh == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("tunnel_cluster: ", mesh::kNoNode));
    }
    return std::make_shared<const Config>(proto, *context.mesh);
  }
  Config(const Proto& proto, mesh::Node& of)
      : node(of),
        hbone_port(proto.has_hbone_port() ? static_cast<uint16_t>(proto.hbone_port().value())
                                          : mesh::kHbonePort),
        tunnel_cluster(std::make_shared<ClusterName>(proto.tunnel_cluster())),
        plain_cluster(std::make_shared<ClusterName>(proto.plain_cluster())),
        gateway_cluster(proto.gateway_cluster().empty()
                            ? nullptr
                            : std::make_shared<ClusterName>(proto.gateway_cluster())),
        no_tunnel(std::make_shared<net::StringState>("true")) {}

  const mesh::Node& node;
  const uint16_t hbone_port;
  const std::shared_ptr<ClusterName> tunnel_cluster;
  const std::shared_ptr<ClusterName> plain_cluster;
  const std::shared_ptr<ClusterName> gateway_cluster; // Null: no other networks.
  const std::shared_ptr<net::StringState> no_tunnel;
};

// A worker's random numbers for its routes.
struct WorkerRandom : base::Random {
  explicit WorkerRandom(event::Loop&) {}
};

std::shared_ptr<net::ExpectedPeer> peersOf(const std::vector<mesh::Identity>& identities) {
  std::vector<std::string> uris;
  for (const mesh::Identity& identity : identities) {
    uris.push_back(identity.toString());
  }
  return std::make_shared<net::ExpectedPeer>(std::move(uris));
}

// Routes by the mesh's table.
class Hbone final : public Filter {
public:
  Hbone(const Config& config, FilterContext& context)
      : config_(config), tunnels_(context.counter("tunnels")), plain_(context.counter("plain")),
        denied_(context.counter("denied")) {}

  Next onOpen() override;
  void onClose(const CloseReason& reason) override;

private:
  Next choose(bool may_wait);
  Next follow(Route route);
  void leaveTunnel(const Route& route);
  void cross(const Route& route);
  Next carry(const ConnectionRecord& crossing);
  Next lookUp(Route route);
  Next onAnswer(Route route, const net::DnsAnswer& answer);
  Next deny(std::string error);

  void count();

  Next pause(std::string error);
  void goOn(Next next);

  const Config& config_;
  Counter& tunnels_;
  Counter& plain_;
  Counter& denied_;
  std::shared_ptr<ConnectionRecord> record_;          // Null where it carries another one's.
  const ConnectionRecord* carried_ = nullptr;         // Null: it carries none.
  std::unique_ptr<mesh::WorkloadWait> wait_;          // Null: it does not.
  std::unique_ptr<mesh::NameLookups::Lookup> lookup_; // Null: there is none.
  bool paused_ = false;
};

Next Hbone::onOpen() {
  ConnectionInfo& info = connection().info();
  const ConnectionRecord* const crossing = ConnectionRecord::of(info);
  if (crossing != nullptr && crossing->crossing != nullptr) {
    return carry(*crossing);
  }
  record_ = ConnectionRecord::leaveWith(info, ConnectionRecord::Direction::kOutbound);
  if (!info.remote.isIp() || !info.local.isIp()) {
    return deny("no original destination");
  }
  if (mesh::isIllegalOutbound(config_.node.settings().illegal_ports, record_->destination)) {
    return deny(std::string(mesh::kIllegalCallError));
  }
  return choose(/*may_wait=*/true);
}

// By the table as it is now.
Next Hbone::choose(bool may_wait) {
  base::Random& random = connection().loop().local<WorkerRandom>();
  mesh::RouteResult result;
  {
    const mesh::TableReader reader(config_.node.table());
    record_->source_workload = config_.node.localWorkload(reader);
    if (record_->source_workload != nullptr) {
      result = mesh::routeOutbound(reader,
                                   {*record_->source_workload, mesh::Ip::of(record_->source),
                                    record_->destination, config_.node.settings().network,
                                    config_.hbone_port},
                                   random);
    }
  }
  if (record_->source_workload == nullptr && may_wait) {
    wait_ = config_.node.awaitWorkload(connection().loop(), [this] { goOn(choose(false)); });
    return pause(config_.node.noWorkload());
  }
  wait_.reset();
  if (record_->source_workload == nullptr) {
    return deny(config_.node.noWorkload());
  }
  record_->trace = mesh::TraceContext::fresh(random).toString();
  if (auto* const denied = std::get_if<mesh::RouteDenied>(&result)) {
    return deny(std::move(denied->error));
  }
  return follow(std::get<Route>(std::move(result)));
}

Next Hbone::follow(Route route) {
  if (route.kind == Route::Kind::kDoubleHbone && config_.gateway_cluster == nullptr) {
    return deny("the way is to another network, and no gateway_cluster is named");
  }
  if (route.unresolved.has_value()) {
    return lookUp(std::move(route));
  }
  const bool tunnel = route.kind != Route::Kind::kTcp;
  record_->tunnelled = tunnel;
  record_->known = true;
  record_->destination = route.destination;
  record_->destination_workload = route.workload;
  record_->service = route.service;
  net::FilterState& state = connection().info().mutableFilterState();
  state.set(kOriginalDstAddress, std::make_shared<net::AddressState>(route.destination));
  if (tunnel) {
    leaveTunnel(route);
  } else {
    plain_.add();
    state.set(kTcpProxyCluster, config_.plain_cluster);
    state.set(kTcpProxyNoTunnel, config_.no_tunnel);
  }
  if (record_->crossing == nullptr) {
    count();
  }
  return Next::kContinue;
}

void Hbone::count() {
  record_->counted = std::make_unique<mesh::CountedConnection>(
      config_.node.traffic(), connection().loop(), connection().info(), *record_);
}

void Hbone::leaveTunnel(const Route& route) {
  tunnels_.add();
  record_->hbone_address = route.authority;
  record_->source_identity = record_->source_workload->identity();
  if (route.workload != nullptr) {
    record_->destination_identity = route.workload->identity();
  }
  if (route.kind == Route::Kind::kDoubleHbone) {
    cross(route);
    return;
  }
  net::FilterState& state = connection().info().mutableFilterState();
  state.set(net::ExpectedPeer::kKey, peersOf(route.expected));
  state.set(kTcpProxyCluster, config_.tunnel_cluster);
}

// The inner tunnel is this connection's. The outer one is its carrier's, which finds the record.
void Hbone::cross(const Route& route) {
  record_->crossing = std::make_unique<ConnectionRecord::Crossing>();
  record_->crossing->gateway = peersOf(route.expected);
  record_->crossing->network = config_.node.settings().network.string();
  net::FilterState& state = connection().info().mutableFilterState();
  state.set(ConnectionRecord::kKey, record_, net::FilterState::Sharing::kOnce);
  state.set(net::ExpectedPeer::kKey, peersOf(route.inner_expected));
  state.set(kTcpProxyCluster, config_.gateway_cluster);
  state.set(net::TunnelObserver::kKey,
            std::make_shared<mesh::FarEnd>(record_, config_.node.traffic(), connection().loop(),
                                           connection().info()));
}

// To the gateway, for a connection that crosses to another network.
Next Hbone::carry(const ConnectionRecord& crossing) {
  carried_ = &crossing; // In this connection's filter state.
  net::FilterState& state = connection().info().mutableFilterState();
  state.set(kOriginalDstAddress, std::make_shared<net::AddressState>(crossing.destination));
  state.set(net::ExpectedPeer::kKey, crossing.crossing->gateway);
  state.set(kTcpProxyCluster, config_.tunnel_cluster);
  return Next::kContinue;
}

Next Hbone::lookUp(Route route) {
  const std::string name = route.unresolved->hostname;
  std::string error = mesh::unresolvedError(route);
  config_.node.traffic().onLookup(*record_, name);
  lookup_ = config_.node.names().lookUp(
      connection().loop(), name, [this, route = std::move(route)](const net::DnsAnswer& answer) {
        goOn(onAnswer(route, answer));
      });
  return pause(std::move(error));
}

Next Hbone::onAnswer(Route route, const net::DnsAnswer& answer) {
  lookup_.reset();
  if (answer.addresses.empty()) {
    return deny(mesh::unresolvedError(route));
  }
  std::vector<net::Address> addresses;
  for (const net::DnsAddress& found : answer.addresses) {
    addresses.push_back(found.address);
  }
  const absl::Status status =
      mesh::resolveRoute(route, addresses, connection().loop().local<WorkerRandom>());
  return status.ok() ? follow(std::move(route)) : deny(std::string(status.message()));
}

// Whoever waits is not read, but may leave, with `error`.
Next Hbone::pause(std::string error) {
  record_->error = std::move(error);
  if (!std::exchange(paused_, true)) {
    connection().pauseReading();
    connection().transport().watchPeer();
  }
  return Next::kStop;
}

void Hbone::goOn(Next next) {
  if (next == Next::kContinue) {
    record_->error.clear();
    resume();
    connection().resumeReading();
  }
}

void Hbone::onClose(const CloseReason&) {
  wait_.reset();
  lookup_.reset();
  if (carried_ != nullptr) {
    carried_->crossing->failure = mesh::connectFailureOf(connection().info());
  }
  if (record_ != nullptr && record_->known) {
    if (record_->counted == nullptr) { // It never came to the other network.
      count();
    }
    record_->counted->end();
  }
}

Next Hbone::deny(std::string error) {
  denied_.add();
  LOG_CONNECTION(debug, filter, connection().id(), "denied: %s", error);
  record_->error = std::move(error);
  return connection().close(CloseReason::local("mesh_no_route"), CloseMode::kNow);
}

} // namespace

CULVERT_NETWORK_FILTER(hbone, Proto, Hbone, Config::create)

} // namespace culvert
