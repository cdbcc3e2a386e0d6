// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/outlier_proto.h"

#include <algorithm>

#include "envoy/config/cluster/v3/outlier_detection.pb.h"
#include "source/base/proto.h"
#include "source/upstream/endpoint_proto.h"

namespace culvert::upstream {
namespace {

using Proto = envoy::config::cluster::v3::OutlierDetection;

void set(bool has, const google::protobuf::Duration& proto, base::Duration& duration) {
  if (has) {
    duration = base::toDuration(proto);
  }
}

// Fields of the same name.
void parseNumbers(const Proto& proto, OutlierConfig& config) {
#define CULVERT_SET(field) config.field = proto.has_##field() ? proto.field().value() : config.field
  CULVERT_SET(consecutive_5xx);
  CULVERT_SET(consecutive_gateway_failure);
  CULVERT_SET(consecutive_local_origin_failure);
  CULVERT_SET(max_ejection_percent);
  CULVERT_SET(enforcing_consecutive_5xx);
  CULVERT_SET(enforcing_consecutive_gateway_failure);
  CULVERT_SET(enforcing_consecutive_local_origin_failure);
  CULVERT_SET(enforcing_success_rate);
  CULVERT_SET(enforcing_local_origin_success_rate);
  CULVERT_SET(success_rate_minimum_hosts);
  CULVERT_SET(success_rate_request_volume);
  CULVERT_SET(success_rate_stdev_factor);
  CULVERT_SET(enforcing_failure_percentage);
  CULVERT_SET(enforcing_failure_percentage_local_origin);
  CULVERT_SET(failure_percentage_threshold);
  CULVERT_SET(failure_percentage_minimum_hosts);
  CULVERT_SET(failure_percentage_request_volume);
#undef CULVERT_SET
}

} // namespace

absl::StatusOr<OutlierConfig> parseOutlier(const Proto& proto) {
  OutlierConfig config;
  parseNumbers(proto, config);
  config.split_local_origin = proto.split_external_local_origin_errors();
  config.always_eject_one_host = proto.always_eject_one_host().value();
  config.passed_check_unejects = !proto.has_successful_active_health_check_uneject_host() ||
                                 proto.successful_active_health_check_uneject_host().value();
  set(proto.has_interval(), proto.interval(), config.interval);
  set(proto.has_base_ejection_time(), proto.base_ejection_time(), config.base_ejection_time);
  set(proto.has_max_ejection_time_jitter(), proto.max_ejection_time_jitter(),
      config.max_ejection_time_jitter);
  config.max_ejection_time = std::max(config.max_ejection_time, config.base_ejection_time);
  set(proto.has_max_ejection_time(), proto.max_ejection_time(), config.max_ejection_time);
  if (config.max_ejection_time < config.base_ejection_time) {
    return errorAt("max_ejection_time",
                   "outlier detector's max_ejection_time cannot be smaller than "
                   "base_ejection_time");
  }
  return config;
}

} // namespace culvert::upstream
