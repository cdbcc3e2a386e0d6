// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/base/random.h"
#include "source/mesh/workload.h"
#include "source/net/address.h"
#include "source/net/request_info.h"

namespace culvert::mesh {

// The headers that go with a CONNECT (mesh-data-plane 3.4, 4.5). Peers write them: reading is
// bounded by their length, and what is odd counts as absent.
// Threads: any.

// What a peer says of itself. Absent is "".
struct Baggage {
  std::string cluster;
  std::string ns;
  std::string workload_name;
  std::string service_name;
  std::string revision;
  std::string region;
  std::string zone;

  // Of several lines of the header; one that is not ASCII makes all of it void.
  static Baggage parse(absl::Span<const absl::string_view> lines);

  friend bool operator==(const Baggage&, const Baggage&) = default;
};
// The lines among `headers`, whose names are in lower case.
std::vector<absl::string_view> baggageLines(const net::RequestInfo::Fields& headers);
std::string baggageOf(const Workload& workload);
// As much of a workload as a peer says of itself, without a pod's name; null: nothing.
Ref<Workload> describedBy(const Baggage& baggage);

// `for="1.2.3.4:80"`, `for="[::1]:80";host=NAME`
std::string forwardedValue(const net::Address& peer, absl::string_view service_hostname);
// The host of such a value; "": none.
std::string forwardedHost(absl::string_view value);

// A connection's mark in the logs of all nodes on its way.
struct TraceContext {
  std::string trace_id;  // 32 hexadecimal digits.
  std::string parent_id; // 16.

  static TraceContext fresh(base::Random& random);
  // Of a header "traceparent"; nothing unless it is well-formed.
  static std::optional<TraceContext> parse(absl::string_view value);
  std::string toString() const; // "00-TRACE-PARENT-00"
};

} // namespace culvert::mesh
