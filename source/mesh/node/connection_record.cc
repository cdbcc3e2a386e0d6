// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/connection_record.h"

#include "source/mesh/ip.h"
#include "source/mesh/node/counted_connection.h"
#include "source/mesh/tracing_headers.h"

namespace culvert::mesh {
namespace {

std::optional<std::string> textOf(absl::string_view text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

std::optional<std::string> textOf(const std::optional<Identity>& identity) {
  return identity.has_value() ? std::optional(identity->toString()) : std::nullopt;
}

// The pod's name, or what stands for it.
std::optional<std::string> nameOf(const Workload& workload) {
  return textOf(workload.name.empty() ? workload.canonical_name : workload.name);
}

// "workload", "namespace", "cluster" of one end.
std::optional<std::string> partOf(const WorkloadRef& workload, absl::string_view part) {
  if (workload == nullptr) {
    return std::nullopt;
  }
  if (part == "workload") {
    return nameOf(*workload);
  }
  if (part == "namespace") {
    return textOf(workload->ns);
  }
  return part == "cluster" ? textOf(workload->cluster_id) : std::nullopt;
}

// An IPv4 address that came as IPv6 is one of IPv4.
net::Address canonical(const net::Address& address) {
  return address.isIp() ? Ip::of(address).withPort(address.port()) : address;
}

} // namespace

ConnectionRecord::ConnectionRecord(Direction where) : direction(where) {}

ConnectionRecord::~ConnectionRecord() = default;

std::shared_ptr<ConnectionRecord> ConnectionRecord::leaveWith(net::ConnectionInfo& info,
                                                              Direction where) {
  auto record = std::make_shared<ConnectionRecord>(where);
  record->source = canonical(info.remote);
  record->destination = canonical(info.local);
  info.mutableFilterState().set(kKey, record);
  return record;
}

const ConnectionRecord* ConnectionRecord::of(const net::ConnectionInfo& info) {
  return info.filter_state == nullptr ? nullptr : info.filter_state->find<ConnectionRecord>(kKey);
}

std::optional<std::string> ConnectionRecord::field(absl::string_view name) const {
  if (name == "authority" || name == "dst.hbone_addr") {
    return textOf(hbone_address);
  }
  if (name == "baggage") {
    return source_workload == nullptr ? std::nullopt : std::optional(baggageOf(*source_workload));
  }
  if (name == "forwarded") {
    return forwardedValue(source, service == nullptr ? "" : service->hostname.view());
  }
  if (name == "forwarded_network") {
    return crossing == nullptr ? std::nullopt : textOf(crossing->network);
  }
  if (name == "traceparent") {
    return textOf(trace);
  }
  if (name == "src.addr" || name == "dst.addr") {
    return (name == "src.addr" ? source : destination).toString();
  }
  if (name == "src.identity" || name == "dst.identity") {
    return textOf(name == "src.identity" ? source_identity : destination_identity);
  }
  if (name == "dst.service") {
    return service == nullptr ? std::nullopt : textOf(service->hostname);
  }
  if (name == "direction") {
    return direction == Direction::kOutbound ? "outbound" : "inbound";
  }
  const bool of_source = name.substr(0, 4) == "src.";
  return name.size() < 4
             ? std::nullopt
             : partOf(of_source ? source_workload : destination_workload, name.substr(4));
}

} // namespace culvert::mesh
