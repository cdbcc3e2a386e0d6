// SPDX-License-Identifier: Apache-2.0
#include "source/config/subscription.h"

#include "absl/strings/str_cat.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/base/proto.h"
#include "source/config/support.h"

namespace culvert::config {

using envoy::service::discovery::v3::DiscoveryResponse;

SubscriptionStats::SubscriptionStats(stats::Scope& scope)
    : update_attempt(scope.counter("update_attempt")),
      update_success(scope.counter("update_success")),
      update_rejected(scope.counter("update_rejected")),
      update_failure(scope.counter("update_failure")),
      init_fetch_timeout(scope.counter("init_fetch_timeout")),
      update_time(scope.gauge("update_time")), version(scope.gauge("version")),
      version_text(scope.textReadout("version_text")),
      update_duration(scope.histogram("update_duration", stats::Unit::kMilliseconds)) {}

std::string resourcePath(int i) { return absl::StrCat("resources[", i, "]"); }

bool takeResource(const DiscoveryResponse& response, int i, absl::Span<const Extension> extensions,
                  google::protobuf::Message& into, Problems& problems) {
  const google::protobuf::Any& resource = response.resources(i);
  const std::string path = resourcePath(i);
  const std::string& wanted = into.GetDescriptor()->full_name();
  if (base::typeOf(resource) != wanted) {
    problems.error(path, absl::StrCat("a resource of type ", wanted, " is expected here, not '",
                                      resource.type_url(), "'"));
    return false;
  }
  if (!into.ParseFromString(resource.value())) {
    problems.error(path, absl::StrCat("Unable to unpack as ", wanted));
    return false;
  }
  return check(into, path, extensions, problems);
}

} // namespace culvert::config
