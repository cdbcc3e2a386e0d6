// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/net/address.h"
#include "source/net/close_reason.h"
#include "source/net/connection.h"
#include "source/net/drain.h"
#include "source/net/metadata.h"
#include "source/net/request_info.h"
#include "source/net/tls_info.h"

namespace culvert::net {

// A host of a cluster as logs and filters see it. Immutable. Threads: any.
struct HostDescription {
  Address address;
  std::string hostname;     // The DNS name it came from, or the configured one; may be empty.
  std::string cluster_name; // As statistics name it: alt_stat_name when there is one.
  std::string endpoint_id;  // Of an internal address.
  std::shared_ptr<const Metadata> metadata; // Null when there is none.
};

// A cluster as logs see it. Immutable. Threads: any.
struct ClusterDescription {
  std::string name;
  std::string stat_name;                    // alt_stat_name when there is one.
  std::shared_ptr<const Metadata> metadata; // Null when there is none.
};

// A listener as logs and filters see it. Immutable. Threads: any.
struct ListenerDescription {
  std::string name;
  std::shared_ptr<const Metadata> metadata; // Null when there is none.
};

// A filter chain as logs and filters see it. Immutable, but for its drain. Threads: any.
struct FilterChainDescription {
  std::string name;
  std::shared_ptr<Drain> drain = std::make_shared<Drain>();
};

// What filters leave for one another and for the log, by key. Created at first use.
class FilterState {
public:
  class Object {
  public:
    virtual ~Object() = default;
    // As %FILTER_STATE(key:PLAIN)% prints it; empty when it has no such form.
    virtual std::string serialize() const = 0;
    // As %FILTER_STATE(key:TYPED)% does; null when it has no such form.
    virtual Value typed() const { return {}; }
    // One part of it, for %FILTER_STATE(key:FIELD:name)%.
    virtual std::optional<std::string> field(absl::string_view /*name*/) const {
      return std::nullopt;
    }
  };

  // Whether connections to internal listeners that carry this one on get the object, too.
  enum class Sharing : uint8_t { kNone, kOnce, kTransitive };

  // Replaces what was there.
  void set(absl::string_view key, std::shared_ptr<Object> object, Sharing sharing = Sharing::kNone);
  const Object* find(absl::string_view key) const;
  template <class T> const T* find(absl::string_view key) const {
    return dynamic_cast<const T*>(find(key));
  }
  // What is shared, as the connection that gets it has it. Null when there is nothing.
  std::unique_ptr<FilterState> shared() const;

private:
  struct Entry {
    std::string key;
    std::shared_ptr<Object> object;
    Sharing sharing;
  };

  std::vector<Entry> entries_;
};

// A FilterState object that is just a string.
class StringState final : public FilterState::Object {
public:
  explicit StringState(std::string value) : value_(std::move(value)) {}
  const std::string& value() const { return value_; }
  std::string serialize() const override { return value_; }
  Value typed() const override { return {value_}; }

private:
  std::string value_;
};

// A FilterState object that is a number.
class NumberState final : public FilterState::Object {
public:
  explicit NumberState(uint64_t value) : value_(value) {}
  uint64_t value() const { return value_; }
  std::string serialize() const override { return std::to_string(value_); }
  Value typed() const override { return {serialize()}; }

private:
  uint64_t value_;
};

// A FilterState object that is an address.
class AddressState final : public FilterState::Object {
public:
  explicit AddressState(Address address) : address_(std::move(address)) {}
  const Address& address() const { return address_; }
  std::string serialize() const override { return address_.toString(); }
  std::optional<std::string> field(absl::string_view name) const override;

private:
  Address address_;
};

// The upstream half of a session's record. Times that did not happen are the epoch.
struct UpstreamInfo {
  std::shared_ptr<const HostDescription> host; // The last one tried.
  std::vector<std::shared_ptr<const HostDescription>> hosts_attempted;
  std::shared_ptr<const ClusterDescription> cluster; // Null while the cluster is not known.
  Address local;
  std::unique_ptr<const Address> reached; // Of a host that has several addresses, once connected.
  uint64_t connection_id = 0;
  base::Instant connect_start;
  base::Instant connect_end;
  std::string failure_reason;         // %UPSTREAM_TRANSPORT_FAILURE_REASON%
  std::shared_ptr<const TlsInfo> tls; // Null where there is no TLS.
  absl::string_view local_close_reason;
  std::unique_ptr<const std::string> tunnel_failure; // Envoy has no words for it. Null: no.
  uint32_t attempts = 0;
  DetectedClose detected_close = DetectedClose::kNormal;
  bool timed_out = false;      // The last attempt.
  uint64_t bytes_received = 0; // From the host.
  uint64_t bytes_sent = 0;
};

// The record of one downstream connection: what the access log prints and filters may ask.
// Threads: the connection's worker. Lifetime: as long as the connection's filters.
struct ConnectionInfo {
  uint64_t id = 0;
  Address remote; // Who it is from: after PROXY protocol or original_src had their say.
  Address local;  // Where it was meant to go: the original destination when that was restored.
  Address direct_remote;
  Address direct_local;
  base::WallTime start_wall;
  base::Instant start;
  base::Instant end; // The epoch while the connection lives.
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint32_t response_flags = 0; // Of ResponseFlag.
  DetectedClose detected_close = DetectedClose::kNormal;
  bool logged = false; // Its listener logs it: what costs a system call to know is worth it.
  bool local_restored = false; // `local` is where the connection went before it was redirected.
  CloseReason close_reason;
  absl::string_view local_close_reason;          // %DOWNSTREAM_LOCAL_CLOSE_REASON%; "" is "-".
  std::string termination_details;               // %CONNECTION_TERMINATION_DETAILS%
  absl::string_view response_code_details;       // %RESPONSE_CODE_DETAILS%
  std::string transport_failure_reason;          // %DOWNSTREAM_TRANSPORT_FAILURE_REASON%
  const ListenerDescription* listener = nullptr; // The listener's, which outlives it.
  const FilterChainDescription* filter_chain = nullptr; // The chain's, which outlives it.
  std::string requested_server_name;                    // SNI
  const TlsInfo* tls = nullptr;           // The transport's; null where there is no TLS.
  std::unique_ptr<UpstreamInfo> upstream; // Null until a filter goes upstream.
  std::unique_ptr<FilterState> filter_state;
  std::unique_ptr<Metadata> dynamic_metadata;
  std::unique_ptr<RequestInfo> request; // Null unless it is a tunnel inside HTTP.

  // Whether it should end at the next good moment, since its filter chain drains.
  bool drains(event::Loop& loop) const {
    return filter_chain != nullptr && filter_chain->drain->wantsClose(loop);
  }
  UpstreamInfo& mutableUpstream() {
    if (upstream == nullptr) {
      upstream = std::make_unique<UpstreamInfo>();
    }
    return *upstream;
  }
  FilterState& mutableFilterState() {
    if (filter_state == nullptr) {
      filter_state = std::make_unique<FilterState>();
    }
    return *filter_state;
  }
  Metadata& mutableDynamicMetadata() {
    if (dynamic_metadata == nullptr) {
      dynamic_metadata = std::make_unique<Metadata>();
    }
    return *dynamic_metadata;
  }
};

} // namespace culvert::net
