// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "source/mesh/table_reader.h"
#include "source/net/address.h"

namespace culvert::mesh {

// What may be asked of a local workload, and where the application listens for it
// (mesh-data-plane 1.4, 3.5 and 4).
// Threads: any.

// Ports of the node itself, to which nobody may be led.
class IllegalPorts {
public:
  explicit IllegalPorts(bool socks5) : socks5_(socks5) {}
  bool contains(uint16_t port) const;

private:
  bool socks5_;
};
constexpr absl::string_view kIllegalCallError = "attempted recursive call to ourselves";

// Whether a workload's call leads back to this node: loopback, and one of its ports.
bool isIllegalOutbound(const IllegalPorts& ports, const net::Address& target);

// The :authority of a CONNECT: an address with a port, or a name with a port.
struct Authority {
  std::string host; // Without brackets.
  std::optional<Ip> ip;
  uint16_t port = 0;

  // Nothing without a colon or a port.
  static std::optional<Authority> parse(absl::string_view text);
};
// Whether HTTP/2 itself forbids this :authority of a CONNECT: its stream is reset, not answered.
bool isMalformedAuthority(absl::string_view text);

// An answer to a CONNECT other than 200, and the access log's error.
struct Refusal {
  int status;
  std::string error;
};

struct HboneRequest {
  const Workload& local;
  net::Address tunnel_destination; // The pod's address that the tunnel was made to.
  Text network;                    // This node's (NETWORK).
  absl::string_view method;
  absl::string_view authority;
  // Of the header "forwarded" (forwardedHost); "": none.
  absl::string_view forwarded_host;
  const IllegalPorts& illegal_ports;
  bool localhost_app_tunnel = true; // LOCALHOST_APP_TUNNEL
};

struct InboundUpstream {
  net::Address destination; // What policies see: the pod's address, and the port to connect to.
  // Where to connect: the same, or loopback for an application that takes PROXY headers there. The
  // source address is not kept then.
  net::Address connect_to;
  bool spoof_source = true;
  // What the PROXY header says of the destination; nothing: no header.
  std::optional<net::Address> proxy_destination;
  ServiceRef service; // For telemetry; may be null.
};

using InboundResult = std::variant<InboundUpstream, Refusal>;

// Steps in the order of mesh-data-plane 3.5, up to the policies.
InboundResult acceptHbone(const TableReader& table, const HboneRequest& request);

// A connection that comes in plain text to `destination`. Its Refusal is a close.
InboundResult acceptPlaintext(const TableReader& table, const Workload& local,
                              const net::Address& destination, const IllegalPorts& illegal_ports);

// Through which of the local workload's services a connection to `port` came: the one that the peer
// names, else the first with such a target port. Null: none. For telemetry.
ServiceRef guessService(const TableReader& table, const Workload& local, uint16_t port,
                        absl::string_view forwarded_host);

// Who a peer is, for telemetry. Null: not known, or it came through another network's gateway.
WorkloadRef sourceWorkload(const TableReader& table, const Text& network, const Ip& source,
                           std::optional<absl::string_view> forwarded_network);

} // namespace culvert::mesh
