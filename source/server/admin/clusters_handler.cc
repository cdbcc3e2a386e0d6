// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "re2/re2.h"
#include "source/server/admin/endpoints.h"
#include "source/server/admin/json.h"

namespace culvert::server::admin_handlers {
namespace {

using event::HttpRequest;
using event::HttpResponse;

// Lines that all begin with the same text.
class Lines {
public:
  Lines(std::string& out, std::string prefix) : out_(out), prefix_(std::move(prefix)) {}

  template <class T> void add(absl::string_view name, const T& value) {
    absl::StrAppend(&out_, prefix_, "::", name, "::", value, "\n");
  }

private:
  std::string& out_;
  const std::string prefix_;
};

void writeThresholds(const ClusterView& cluster, absl::string_view priority,
                     const ClusterView::Thresholds& thresholds, std::string& out) {
  Lines lines(out, absl::StrCat(cluster.name, "::", priority));
  lines.add("max_connections", thresholds.max_connections);
  lines.add("max_pending_requests", thresholds.max_pending_requests);
  lines.add("max_requests", thresholds.max_requests);
  lines.add("max_retries", thresholds.max_retries);
}

void writeHost(const ClusterView& cluster, const HostView& host, std::string& out) {
  Lines lines(out, absl::StrCat(cluster.name, "::", host.address.toString()));
  lines.add("cx_active", host.cx_active);
  lines.add("cx_connect_fail", host.cx_connect_fail);
  lines.add("cx_total", host.cx_total);
  lines.add("rq_active", host.rq_active);
  lines.add("rq_error", host.rq_error);
  lines.add("rq_pending_active", host.rq_pending_active);
  lines.add("rq_success", host.rq_success);
  lines.add("rq_timeout", host.rq_timeout);
  lines.add("rq_total", host.rq_total);
  lines.add("hostname", host.hostname);
  lines.add("health_flags",
            host.unhealthy_flags.empty() ? "healthy" : absl::StrJoin(host.unhealthy_flags, ""));
  lines.add("weight", host.weight);
  lines.add("region", host.region);
  lines.add("zone", host.zone);
  lines.add("sub_zone", host.sub_zone);
  lines.add("canary", host.canary ? "true" : "false");
  lines.add("priority", host.priority);
  lines.add("success_rate", host.success_rate);
  lines.add("local_origin_success_rate", host.local_origin_success_rate);
}

void writeCluster(const ClusterView& cluster, std::string& out) {
  Lines lines(out, cluster.name);
  lines.add("observability_name", cluster.observability_name);
  if (cluster.outlier_detection) {
    const ClusterView::SuccessRates& all = cluster.success_rates;
    const ClusterView::SuccessRates& local = cluster.local_origin_success_rates;
    lines.add("outlier::success_rate_average", all.average);
    lines.add("outlier::success_rate_ejection_threshold", all.ejection_threshold);
    lines.add("outlier::local_origin_success_rate_average", local.average);
    lines.add("outlier::local_origin_success_rate_ejection_threshold", local.ejection_threshold);
  }
  writeThresholds(cluster, "default_priority", cluster.default_priority, out);
  writeThresholds(cluster, "high_priority", cluster.high_priority, out);
  lines.add("added_via_api", cluster.added_via_api ? "true" : "false");
  for (const HostView& host : cluster.hosts)
    writeHost(cluster, host, out);
}

Json statJson(absl::string_view name, uint64_t value, bool gauge) {
  Json json = Json::object();
  if (gauge)
    json["type"] = "GAUGE";
  if (value != 0)
    json["value"] = absl::StrCat(value);
  json["name"] = std::string(name);
  return json;
}

// envoy.admin.v3.HostHealthStatus has one field a flag, named like it, and the health that the
// configuration gave the host.
Json healthJson(const HostView& host) {
  Json json = Json::object();
  std::string eds = "HEALTHY";
  for (const std::string& flag : host.unhealthy_flags) {
    if (flag == "/failed_active_hc")
      json["failed_active_health_check"] = true;
    else if (flag == "/failed_outlier_check")
      json["failed_outlier_check"] = true;
    else if (flag == "/degraded_active_hc")
      json["failed_active_degraded_check"] = true;
    else if (flag == "/pending_dynamic_removal")
      json["pending_dynamic_removal"] = true;
    else if (flag == "/pending_active_hc")
      json["pending_active_hc"] = true;
    else if (flag == "/excluded_via_immediate_hc_fail")
      json["excluded_via_immediate_hc_fail"] = true;
    else if (flag == "/active_hc_timeout")
      json["active_hc_timeout"] = true;
    else if (flag == "/failed_eds_health")
      eds = "UNHEALTHY";
    else if (flag == "/degraded_eds_health")
      eds = "DEGRADED";
    else if (flag == "/eds_status_draining")
      eds = "DRAINING";
  }
  json["eds_health_status"] = eds;
  return json;
}

Json localityJson(const HostView& host) {
  Json json = Json::object();
  if (!host.region.empty())
    json["region"] = host.region;
  if (!host.zone.empty())
    json["zone"] = host.zone;
  if (!host.sub_zone.empty())
    json["sub_zone"] = host.sub_zone;
  return json;
}

Json hostJson(const HostView& host) {
  Json json = {{"address", toJson(host.address)}};
  json["stats"] = Json::array(
      {statJson("cx_connect_fail", host.cx_connect_fail, false),
       statJson("cx_total", host.cx_total, false), statJson("rq_error", host.rq_error, false),
       statJson("rq_success", host.rq_success, false),
       statJson("rq_timeout", host.rq_timeout, false), statJson("rq_total", host.rq_total, false),
       statJson("cx_active", host.cx_active, true), statJson("rq_active", host.rq_active, true),
       statJson("rq_pending_active", host.rq_pending_active, true)});
  json["health_status"] = healthJson(host);
  json["weight"] = host.weight;
  if (!host.hostname.empty())
    json["hostname"] = host.hostname;
  if (host.priority != 0)
    json["priority"] = host.priority;
  json["locality"] = localityJson(host);
  return json;
}

Json thresholdsJson(const ClusterView::Thresholds& thresholds, bool high) {
  Json json = Json::object();
  if (high)
    json["priority"] = "HIGH";
  json["max_connections"] = thresholds.max_connections;
  json["max_pending_requests"] = thresholds.max_pending_requests;
  json["max_requests"] = thresholds.max_requests;
  json["max_retries"] = thresholds.max_retries;
  return json;
}

Json clusterJson(const ClusterView& cluster) {
  Json json = {{"name", cluster.name}};
  if (cluster.added_via_api)
    json["added_via_api"] = true;
  for (const HostView& host : cluster.hosts)
    json["host_statuses"].push_back(hostJson(host));
  json["circuit_breakers"] = {
      {"thresholds", Json::array({thresholdsJson(cluster.default_priority, false),
                                  thresholdsJson(cluster.high_priority, true)})}};
  json["observability_name"] = cluster.observability_name;
  return json;
}

} // namespace

void clusters(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  const RE2 filter(request.parameter("filter"), RE2::Quiet);
  if (!filter.ok()) {
    response.status = 400;
    response.body = "Invalid re2 regex";
    return;
  }
  Json statuses = Json::array();
  const bool json = request.parameter("format") == "json";
  for (const ClusterView& cluster : context.server.clusters()) {
    if (!RE2::PartialMatch(cluster.name, filter))
      continue;
    if (json) {
      statuses.push_back(clusterJson(cluster));
    } else {
      writeCluster(cluster, response.body);
    }
  }
  if (json)
    answerJson(statuses.empty() ? Json::object() : Json{{"cluster_statuses", statuses}}, response);
}

} // namespace culvert::server::admin_handlers
