// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "source/base/log.h"
#include "source/base/random.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/well_known_state.h"
#include "source/filters/hbone/hbone.pb.h"
#include "source/mesh/inbound.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/node.h"
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
      return absl::FailedPreconditionError(
          "tunnel_cluster: the bootstrap has no extension culvert.bootstrap.mesh");
    }
    return std::make_shared<const Config>(proto, *context.mesh);
  }
  Config(const Proto& proto, mesh::Node& of)
      : node(of),
        hbone_port(proto.has_hbone_port() ? static_cast<uint16_t>(proto.hbone_port().value())
                                          : mesh::kHbonePort),
        tunnel_cluster(std::make_shared<ClusterName>(proto.tunnel_cluster())),
        plain_cluster(std::make_shared<ClusterName>(proto.plain_cluster())),
        no_tunnel(std::make_shared<net::StringState>("true")) {}

  const mesh::Node& node;
  const mesh::IllegalPorts illegal_ports{/*socks5=*/false};
  const uint16_t hbone_port;
  const std::shared_ptr<ClusterName> tunnel_cluster;
  const std::shared_ptr<ClusterName> plain_cluster;
  const std::shared_ptr<net::StringState> no_tunnel;
};

// A worker's random numbers for its routes.
struct WorkerRandom : base::Random {
  explicit WorkerRandom(event::Loop&) {}
};

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
  Next lookUp(Route route);
  Next onAnswer(Route route, const net::DnsAnswer& answer);
  Next deny(std::string error);

  Next pause(std::string error);
  void goOn(Next next);

  const Config& config_;
  Counter& tunnels_;
  Counter& plain_;
  Counter& denied_;
  std::shared_ptr<ConnectionRecord> record_;
  std::unique_ptr<mesh::LocalWorkloadWait> wait_;     // Null: it does not.
  std::unique_ptr<mesh::NameLookups::Lookup> lookup_; // Null: there is none.
  bool paused_ = false;
};

Next Hbone::onOpen() {
  ConnectionInfo& info = connection().info();
  record_ = ConnectionRecord::leaveWith(info, ConnectionRecord::Direction::kOutbound);
  if (!info.remote.isIp() || !info.local.isIp()) {
    return deny("no original destination");
  }
  if (mesh::isIllegalOutbound(config_.illegal_ports, record_->destination)) {
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
  if (route.kind == Route::Kind::kDoubleHbone) {
    return deny("other networks are not supported by Culvert yet");
  }
  if (route.unresolved.has_value()) {
    return lookUp(std::move(route));
  }
  const bool tunnel = route.kind == Route::Kind::kHbone;
  record_->tunnelled = tunnel;
  record_->known = true;
  record_->destination = route.destination;
  record_->destination_workload = route.workload;
  record_->service = route.service;
  net::FilterState& state = connection().info().mutableFilterState();
  state.set(kOriginalDstAddress, std::make_shared<net::AddressState>(route.destination));
  if (!tunnel) {
    config_.node.traffic().onOpened(*record_);
    plain_.add();
    state.set(kTcpProxyCluster, config_.plain_cluster);
    state.set(kTcpProxyNoTunnel, config_.no_tunnel);
    return Next::kContinue;
  }
  tunnels_.add();
  record_->hbone_address = std::move(route.authority);
  record_->source_identity = record_->source_workload->identity();
  if (route.workload != nullptr) {
    record_->destination_identity = route.workload->identity();
  }
  std::vector<std::string> expected;
  for (const mesh::Identity& identity : route.expected) {
    expected.push_back(identity.toString());
  }
  state.set(net::ExpectedPeer::kKey, std::make_shared<net::ExpectedPeer>(std::move(expected)));
  state.set(kTcpProxyCluster, config_.tunnel_cluster);
  config_.node.traffic().onOpened(*record_);
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
  if (record_ != nullptr && record_->known) {
    config_.node.traffic().onClosed(connection().info(), *record_);
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
