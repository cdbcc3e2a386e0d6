// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "source/base/log.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/well_known_state.h"
#include "source/filters/mesh_inbound/mesh_inbound.pb.h"
#include "source/mesh/inbound.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/counted_connection.h"
#include "source/mesh/node/node.h"
#include "source/mesh/tracing_headers.h"
#include "source/net/proxy_header.h"
#include "source/net/upstream_source.h"

namespace culvert {
namespace {

using Proto = filters::mesh_inbound::v1::MeshInbound;
using mesh::ConnectionRecord;
using net::RequestInfo;

constexpr uint32_t kUnavailable = 503;
constexpr uint8_t kIdentityTlv = 0xd0; // mesh-data-plane 4.4

// Threads: built on main, then read-only on all workers.
struct Config {
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context) {
    if (context.mesh == nullptr) {
      return absl::FailedPreconditionError(mesh::kNoNode);
    }
    return std::make_shared<const Config>(proto, *context.mesh);
  }
  Config(const Proto& proto, mesh::Node& of)
      : node(of), keep_source_address(proto.keep_source_address()),
        packet_mark(proto.packet_mark()),
        tell_baggage(!proto.has_tell_baggage() || proto.tell_baggage().value()),
        proxy_cluster(proto.proxy_cluster().empty()
                          ? nullptr
                          : std::make_shared<ClusterName>(proto.proxy_cluster())),
        proxy_to_own_address(proto.proxy_to_own_address()) {}

  const mesh::Node& node;
  const bool keep_source_address;
  const uint32_t packet_mark;
  const bool tell_baggage;
  const std::shared_ptr<ClusterName> proxy_cluster; // Null: nobody gets PROXY headers.
  const bool proxy_to_own_address;
};

absl::string_view headerOf(const RequestInfo& request, absl::string_view name) {
  const std::string* const value = RequestInfo::find(request.headers, name);
  return value == nullptr ? absl::string_view() : *value;
}

// Takes what comes in.
class MeshInbound final : public Filter {
public:
  MeshInbound(const Config& config, FilterContext& context)
      : config_(config), accepted_(context.counter("accepted")),
        refused_(context.counter("refused")) {}

  Next onOpen() override;
  void onClose(const CloseReason& reason) override;

private:
  Next decide(bool may_wait);
  void onWaited();
  mesh::InboundResult ask(const mesh::TableReader& reader, const mesh::Workload& local);
  Next accept(const mesh::InboundUpstream& upstream);
  void describePeer(const mesh::TableReader& reader, const mesh::InboundResult& result);
  Next refuse(uint32_t status, std::string error);

  const Config& config_;
  Counter& accepted_;
  Counter& refused_;
  std::shared_ptr<ConnectionRecord> record_;
  std::unique_ptr<mesh::WorkloadWait> wait_; // Null: it does not.
};

Next MeshInbound::onOpen() {
  ConnectionInfo& info = connection().info();
  record_ = ConnectionRecord::leaveWith(info, ConnectionRecord::Direction::kInbound);
  if (!info.remote.isIp() || !info.local.isIp()) {
    return refuse(kUnavailable, "no original destination");
  }
  record_->tunnelled = info.request != nullptr;
  return decide(/*may_wait=*/true);
}

// By the table as it is now. Whoever waits is not read, for that would accept a tunnel, but may
// leave.
Next MeshInbound::decide(bool may_wait) {
  mesh::InboundResult result;
  {
    const mesh::TableReader reader(config_.node.table());
    record_->destination_workload = config_.node.localWorkload(reader);
    if (record_->destination_workload != nullptr) {
      result = ask(reader, *record_->destination_workload);
      describePeer(reader, result);
    }
  }
  if (record_->destination_workload == nullptr && may_wait) {
    wait_ = config_.node.awaitWorkload(connection().loop(), [this] { onWaited(); });
    record_->error = config_.node.noWorkload(); // Should it end now.
    connection().pauseReading();
    connection().transport().watchPeer();
    return Next::kStop;
  }
  wait_.reset();
  record_->error.clear();
  if (record_->destination_workload == nullptr) {
    return refuse(kUnavailable, config_.node.noWorkload());
  }
  if (auto* const refusal = std::get_if<mesh::Refusal>(&result)) {
    return refuse(static_cast<uint32_t>(refusal->status), std::move(refusal->error));
  }
  return accept(std::get<mesh::InboundUpstream>(result));
}

void MeshInbound::onWaited() {
  if (decide(/*may_wait=*/false) == Next::kContinue) {
    resume();
    connection().resumeReading();
  }
}

mesh::InboundResult MeshInbound::ask(const mesh::TableReader& reader, const mesh::Workload& local) {
  const RequestInfo* const request = connection().info().request.get();
  if (request == nullptr) {
    return mesh::acceptPlaintext(reader, local, record_->destination,
                                 config_.node.settings().illegal_ports);
  }
  const std::string forwarded = mesh::forwardedHost(headerOf(*request, "forwarded"));
  return mesh::acceptHbone(reader, {local, record_->destination, config_.node.settings().network,
                                    headerOf(*request, ":method"), headerOf(*request, ":authority"),
                                    forwarded, config_.node.settings().illegal_ports,
                                    !config_.proxy_to_own_address});
}

void MeshInbound::describePeer(const mesh::TableReader& reader, const mesh::InboundResult& result) {
  const ConnectionInfo& info = connection().info();
  if (info.request != nullptr) {
    const std::string* const network =
        RequestInfo::find(info.request->headers, "x-forwarded-network");
    record_->source_workload = mesh::sourceWorkload(
        reader, config_.node.settings().network, mesh::Ip::of(record_->source),
        network == nullptr ? std::nullopt : std::optional<absl::string_view>(*network));
    if (record_->source_workload == nullptr && config_.tell_baggage) {
      record_->source_workload =
          mesh::describedBy(mesh::Baggage::parse(mesh::baggageLines(info.request->headers)));
    }
    record_->hbone_address = std::string(headerOf(*info.request, ":authority"));
    if (info.tls != nullptr) {
      record_->source_identity = mesh::firstIdentity(info.tls->peerUriSans());
    }
    record_->destination_identity = record_->destination_workload->identity();
  } else {
    record_->source_workload = mesh::sourceWorkload(reader, config_.node.settings().network,
                                                    mesh::Ip::of(record_->source), std::nullopt);
  }
  if (const auto* const upstream = std::get_if<mesh::InboundUpstream>(&result)) {
    record_->service = upstream->service;
  }
}

Next MeshInbound::accept(const mesh::InboundUpstream& upstream) {
  if (upstream.proxy_destination.has_value() && config_.proxy_cluster == nullptr) {
    return refuse(kUnavailable, "the workload wants PROXY headers, and no proxy_cluster is named");
  }
  ConnectionInfo& info = connection().info();
  accepted_.add();
  record_->known = true;
  record_->target = upstream.destination;
  record_->counted = std::make_unique<mesh::CountedConnection>(config_.node.traffic(),
                                                               connection().loop(), info, *record_);
  net::FilterState& state = info.mutableFilterState();
  state.set(kOriginalDstAddress, std::make_shared<net::AddressState>(upstream.connect_to));
  if (upstream.proxy_destination.has_value()) {
    std::vector<net::ProxyHeader::Tlv> tlvs;
    if (record_->source_identity.has_value()) {
      tlvs.push_back({kIdentityTlv, record_->source_identity->toString()});
    }
    state.set(kTcpProxyCluster, config_.proxy_cluster);
    state.set(net::ProxyHeader::kKey,
              std::make_shared<net::ProxyHeader>(record_->source, *upstream.proxy_destination,
                                                 std::move(tlvs)));
  }
  const mesh::Ip source = mesh::Ip::of(record_->source);
  if (config_.keep_source_address && upstream.spoof_source &&
      !(source == mesh::Ip::of(upstream.connect_to))) {
    state.set(net::UpstreamSource::kKey,
              std::make_shared<net::UpstreamSource>(source.withPort(0), config_.packet_mark));
  }
  if (info.request != nullptr && info.request->answer != nullptr && config_.tell_baggage) {
    info.request->answer->accept_headers.emplace_back(
        "baggage", mesh::baggageOf(*record_->destination_workload));
  }
  return Next::kContinue;
}

void MeshInbound::onClose(const CloseReason&) {
  wait_.reset();
  if (record_ != nullptr && record_->known) {
    record_->counted->end();
  }
}

Next MeshInbound::refuse(uint32_t status, std::string error) {
  refused_.add();
  LOG_CONNECTION(debug, filter, connection().id(), "refused: %s", error);
  record_->error = std::move(error);
  const RequestInfo* const request = connection().info().request.get();
  if (request != nullptr && request->answer != nullptr) {
    request->answer->refusal = status;
  }
  return connection().close(CloseReason::local("mesh_refused"), CloseMode::kNow);
}

} // namespace

CULVERT_NETWORK_FILTER(mesh_inbound, Proto, MeshInbound, Config::create)

} // namespace culvert
