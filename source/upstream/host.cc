// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/util/message_differencer.h"

namespace culvert::upstream {
namespace {

constexpr uint32_t kUnhealthyFlags =
    kFailedActiveHc | kFailedOutlierCheck | kFailedEdsHealth | kEdsStatusDraining;
constexpr uint32_t kDegradedFlags =
    kDegradedActiveHc | kDegradedEdsHealth | kDegradedOutlierDetection;
constexpr uint32_t kEdsFlags = kFailedEdsHealth | kDegradedEdsHealth | kEdsStatusDraining;

constexpr absl::string_view kFlagNames[] = {
    "/failed_active_hc",        "/failed_outlier_check", "/failed_eds_health",
    "/degraded_active_hc",      "/degraded_eds_health",  "/degraded_outlier_detection",
    "/pending_dynamic_removal", "/pending_active_hc",    "/excluded_via_immediate_hc_fail",
    "/active_hc_timeout",       "/eds_status_draining",
};

uint32_t edsFlags(EndpointHealth health) {
  switch (health) {
  case EndpointHealth::kUnknown:
  case EndpointHealth::kHealthy:
    return 0;
  case EndpointHealth::kUnhealthy:
  case EndpointHealth::kTimeout:
    return kFailedEdsHealth;
  case EndpointHealth::kDraining:
    return kEdsStatusDraining;
  case EndpointHealth::kDegraded:
    return kDegradedEdsHealth;
  }
  return 0;
}

std::shared_ptr<const net::HostDescription>
describe(const EndpointConfig& endpoint, net::Address address, const std::string& cluster) {
  auto description = std::make_shared<net::HostDescription>();
  description->address = std::move(address);
  description->hostname = endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname;
  description->cluster_name = cluster;
  description->endpoint_id = endpoint.endpoint_id;
  description->metadata = endpoint.log_metadata;
  return description;
}

bool sameMessage(const google::protobuf::Message* a, const google::protobuf::Message* b) {
  return a == b || (a != nullptr && b != nullptr &&
                    google::protobuf::util::MessageDifferencer::Equals(*a, *b));
}

bool sameTarget(const HealthCheckTarget* a, const HealthCheckTarget* b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

} // namespace

Host::Host(const EndpointConfig& endpoint, const LocalityConfig& locality, net::Address address,
           const std::string& cluster)
    : description_(describe(endpoint, std::move(address), cluster)),
      locality_(std::make_shared<Locality>(locality.locality)), metadata_(endpoint.metadata),
      health_target_(endpoint.health_target), state_(std::make_shared<HostState>()),
      hash_key_(endpoint.hash_key), priority_(locality.priority), canary_(endpoint.canary) {
  update(endpoint);
}

Host::Host(const Host& previous, net::Address address)
    : locality_(previous.locality_), metadata_(previous.metadata_),
      health_target_(previous.health_target_), state_(previous.state_),
      hash_key_(previous.hash_key_), priority_(previous.priority_), canary_(previous.canary_) {
  auto description = std::make_shared<net::HostDescription>(*previous.description_);
  description->address = std::move(address);
  description_ = std::move(description);
}

HostHealth Host::health() const {
  const uint32_t flags = healthFlags();
  if ((flags & kUnhealthyFlags) != 0) {
    return HostHealth::kUnhealthy;
  }
  return (flags & kDegradedFlags) != 0 ? HostHealth::kDegraded : HostHealth::kHealthy;
}

std::string Host::healthFlagsText() const {
  const uint32_t flags = healthFlags();
  std::string text;
  for (size_t i = 0; i < std::size(kFlagNames); ++i) {
    if ((flags & (1u << i)) != 0) {
      absl::StrAppend(&text, kFlagNames[i]);
    }
  }
  return text.empty() ? "healthy" : text;
}

std::string Host::hashKey(bool by_hostname) const {
  if (!hash_key_.empty()) {
    return hash_key_;
  }
  return by_hostname && !description_->hostname.empty() ? description_->hostname
                                                        : address().toString();
}

bool Host::excluded() const {
  return (healthFlags() & (kPendingActiveHc | kExcludedViaImmediateHcFail | kEdsStatusDraining)) !=
         0;
}

bool Host::sameAs(const EndpointConfig& endpoint, const LocalityConfig& locality,
                  const net::Address& address) const {
  const std::string& hostname = endpoint.hostname.empty() ? endpoint.dns_name : endpoint.hostname;
  return description_->address == address && description_->hostname == hostname &&
         description_->endpoint_id == endpoint.endpoint_id && priority_ == locality.priority &&
         *locality_ == locality.locality && canary_ == endpoint.canary &&
         sameTarget(health_target_.get(), endpoint.health_target.get()) &&
         sameMessage(metadata_.get(), endpoint.metadata.get());
}

bool Host::update(const EndpointConfig& endpoint) {
  const uint32_t flags = (healthFlags() & ~kEdsFlags) | edsFlags(endpoint.health);
  const bool changed = weight() != endpoint.weight || healthFlags() != flags;
  state_->weight.store(endpoint.weight, std::memory_order_relaxed);
  state_->eds_health.store(endpoint.health, std::memory_order_relaxed);
  state_->health_flags.store(flags, std::memory_order_relaxed);
  return changed;
}

void Host::setFlag(HealthFlag flag, bool on) {
  if (on) {
    state_->health_flags.fetch_or(flag, std::memory_order_relaxed);
  } else {
    state_->health_flags.fetch_and(~static_cast<uint32_t>(flag), std::memory_order_relaxed);
  }
}

} // namespace culvert::upstream
