// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/config/extensions.h"
#include "source/config/problems.h"
#include "source/stats/store.h"

namespace google::protobuf {
class Message;
}
namespace envoy::service::discovery::v3 {
class DiscoveryResponse;
}

namespace culvert::config {

// What is counted of one subscription, under the scope of what it is for ("listener_manager.lds",
// "cluster.<name>"; envoy-compat D.3). Threads: main. Lifetime: the scope outlives it.
struct SubscriptionStats {
  explicit SubscriptionStats(stats::Scope& scope);

  stats::Counter& update_attempt;
  stats::Counter& update_success;
  stats::Counter& update_rejected; // What came was wrong, in part or as a whole.
  stats::Counter& update_failure;  // Nothing came that could be read.
  stats::Counter& init_fetch_timeout;
  stats::Gauge& update_time; // Milliseconds since 1970 of the last success.
  stats::Gauge& version;     // A hash of version_text.
  stats::TextReadout& version_text;
  stats::Histogram& update_duration;
};

// Who follows the resources of one type. Threads: main.
class Subscriber {
public:
  // Everything that the source has now. A mistake in the i-th resource is reported at
  // `resources[i]`. If one is not even well formed, nothing is taken; if one cannot be made into
  // what it describes, it stays as it was and the others are taken, but nothing is removed
  // (envoy-compat F.2). The version counts as taken if there is no mistake.
  virtual void onUpdate(const envoy::service::discovery::v3::DiscoveryResponse& response,
                        Problems& problems) = 0;

protected:
  ~Subscriber() = default;
};

// Brings one subscriber the resources of one source, until it is destroyed.
// Threads: main.
class Subscription {
public:
  virtual ~Subscription() = default;
  // Begins. Calls `answered` once the first attempt has been dealt with, whether it brought
  // something, something wrong or nothing; perhaps before it returns.
  virtual void start(std::function<void()> answered) = 0;
};

// The i-th resource, once it is known to be of `into`'s type and one that this proxy honours
// (support.h). False: it is not, as is said at `resources[i]`.
bool takeResource(const envoy::service::discovery::v3::DiscoveryResponse& response, int i,
                  absl::Span<const Extension> extensions, google::protobuf::Message& into,
                  Problems& problems);

// All resources; none if one of them is wrong.
template <class Resource>
std::vector<std::shared_ptr<Resource>>
takeResources(const envoy::service::discovery::v3::DiscoveryResponse& response, int count,
              absl::Span<const Extension> extensions, Problems& problems) {
  std::vector<std::shared_ptr<Resource>> resources;
  for (int i = 0; i < count; i++) {
    resources.push_back(std::make_shared<Resource>());
    takeResource(response, i, extensions, *resources.back(), problems);
  }
  return problems.ok() ? resources : std::vector<std::shared_ptr<Resource>>();
}

// "resources[i]", where its mistakes are reported.
std::string resourcePath(int i);

} // namespace culvert::config
