// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "absl/strings/str_cat.h"
#include "source/registry/registry.h"
#include "source/server/admin/endpoints.h"
#include "source/server/admin/json.h"
#include "source/server/memory.h"

namespace culvert::server::admin_handlers {
namespace {

using event::HttpRequest;
using event::HttpResponse;
using registry::Category;

std::string seconds(uint64_t count) { return absl::StrCat(count, "s"); }

// A google.protobuf.Duration in JSON: "10s", "0.250s".
std::string milliseconds(uint64_t count) {
  return count % 1000 == 0 ? seconds(count / 1000)
                           : absl::StrFormat("%d.%03ds", count / 1000, count % 1000);
}

const char* modeName(Mode mode) {
  switch (mode) {
  case Mode::kServe:
    return "Serve";
  case Mode::kValidate:
    return "Validate";
  case Mode::kInitOnly:
    return "InitOnly";
  }
  return "";
}

Json statsTags(const Options& options) {
  Json tags = Json::array();
  for (const auto& [name, value] : options.stats_tags)
    tags.push_back(absl::StrCat(name, ":", value));
  return tags;
}

// envoy.admin.v3.CommandLineOptions with its defaults, in the order of its declaration.
Json commandLine(const Options& options) {
  const absl::string_view level = base::log::name(options.log.level);
  return {
      {"base_id", absl::StrCat(options.base_id)},
      {"concurrency", options.concurrency},
      {"config_path", options.config_path},
      {"config_yaml", options.config_yaml},
      {"allow_unknown_static_fields", options.allow_unknown_static_fields},
      {"admin_address_path", options.admin_address_path},
      {"local_address_ip_version", options.local_address_ip_v6 ? "v6" : "v4"},
      {"log_level", std::string(level)},
      {"component_log_level", options.component_log_level},
      {"log_format", options.log.format},
      {"log_path", options.log.path},
      {"service_cluster", options.service_cluster},
      {"service_node", options.service_node},
      {"service_zone", options.service_zone},
      {"file_flush_interval", milliseconds(options.file_flush_interval_ms)},
      {"drain_time", seconds(options.drain_time_s)},
      {"parent_shutdown_time", seconds(options.parent_shutdown_time_s)},
      {"mode", modeName(options.mode)},
      {"disable_hot_restart", options.disable_hot_restart},
      {"enable_mutex_tracing", options.enable_mutex_tracing},
      {"restart_epoch", options.restart_epoch},
      {"cpuset_threads", options.cpuset_threads},
      {"reject_unknown_dynamic_fields", options.reject_unknown_dynamic_fields},
      {"log_format_escaped", options.log.escaped},
      {"disabled_extensions", options.disabled_extensions},
      {"ignore_unknown_dynamic_fields", options.ignore_unknown_dynamic_fields},
      {"use_dynamic_base_id", options.use_dynamic_base_id},
      {"base_id_path", options.base_id_path},
      {"drain_strategy",
       options.drain_strategy == DrainStrategy::kGradual ? "Gradual" : "Immediate"},
      {"enable_fine_grain_logging", options.enable_fine_grain_logging},
      {"socket_path", options.socket_path},
      {"socket_mode", options.socket_mode},
      {"enable_core_dump", options.enable_core_dump},
      {"stats_tag", statsTags(options)},
      {"skip_hot_restart_on_no_parent", options.skip_hot_restart_on_no_parent},
      {"skip_hot_restart_parent_stats", options.skip_hot_restart_parent_stats},
      {"skip_deprecated_logs", options.skip_deprecated_logs},
      {"file_flush_min_size", options.file_flush_min_size_kb},
      {"log_stacktrace_single_entry", options.log_stacktrace_single_entry},
  };
}

Json extensions(const registry::Registry& registry) {
  constexpr Category kCategories[] = {Category::kAccessLogger,      Category::kBootstrap,
                                      Category::kCluster,           Category::kListenerFilter,
                                      Category::kLoadBalancer,      Category::kNetworkFilter,
                                      Category::kTransportSocketIn, Category::kTransportSocketOut};
  Json all = Json::array();
  for (const Category category : kCategories) {
    const absl::string_view category_name = registry::name(category);
    for (const registry::Factory* factory : registry.all(category)) {
      all.push_back({{"name", factory->name()},
                     {"category", std::string(category_name)},
                     {"type_descriptor", ""},
                     {"disabled", false},
                     {"type_urls", Json::array({factory->type()})}});
    }
  }
  return all;
}

Json nodeJson(const AdminContext& context) {
  const NodeView node = context.server.node();
  Json json = {{"id", node.id}, {"cluster", node.cluster}};
  if (!node.region.empty() || !node.zone.empty() || !node.sub_zone.empty()) {
    json["locality"] = {{"region", node.region}, {"zone", node.zone}, {"sub_zone", node.sub_zone}};
  }
  json["user_agent_name"] = "culvert";
  json["user_agent_build_version"] = {{"version",
                                       {{"major_number", kVersionParts[0]},
                                        {"minor_number", kVersionParts[1]},
                                        {"patch", kVersionParts[2]}}}};
  json["extensions"] = extensions(context.registry);
  return json;
}

void setHealthy(AdminContext& context, bool healthy, HttpResponse& response) {
  context.server.setHealthy(healthy);
  response.body = "OK\n";
}

} // namespace

void ready(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  const State state = context.server.state();
  response.status = state == State::kLive ? 200 : 503;
  response.body = absl::StrCat(name(state), "\n");
}

void serverInfo(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  const absl::string_view state = name(context.server.state());
  Json info = {{"version", std::string(kVersion)},
               {"state", std::string(state)},
               {"uptime_current_epoch", wholeSeconds(context.server.uptime())},
               {"uptime_all_epochs", wholeSeconds(context.server.uptimeOfAllEpochs())},
               {"hot_restart_version", server::hotRestartVersion(context.options)},
               {"command_line_options", commandLine(context.options)},
               {"node", nodeJson(context)},
               {"hot_restart_initializing", false}};
  if (const auto remaining = context.server.drainRemaining())
    info["drain_remaining"] = wholeSeconds(*remaining);
  answerJson(info, response);
}

void memory(AdminContext&, const HttpRequest&, HttpResponse& response) {
  const MemoryUse use = memoryUse();
  answerJson({{"allocated", absl::StrCat(use.allocated)},
              {"heap_size", absl::StrCat(use.heap_size)},
              {"pageheap_unmapped", absl::StrCat(use.pageheap_unmapped)},
              {"pageheap_free", absl::StrCat(use.pageheap_free)},
              {"total_thread_cache", absl::StrCat(use.total_thread_cache)},
              {"total_physical_bytes", absl::StrCat(use.total_physical_bytes)}},
             response);
}

void healthcheckFail(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  setHealthy(context, false, response);
}

void healthcheckOk(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  setHealthy(context, true, response);
}

void drainListeners(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  context.server.drainListeners(
      {request.has("graceful"), request.has("inboundonly"), request.has("skip_exit")});
  response.body = "OK\n";
}

void reopenLogs(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  context.server.reopenLogs();
  response.body = "OK\n";
}

void quit(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  context.server.shutdown();
  response.body = "OK\n";
}

void hotRestartVersion(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  response.body = server::hotRestartVersion(context.options);
}

void initDump(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  const std::string mask = request.parameter("mask");
  Json dumps = Json::array();
  for (const UnreadyView& view : context.unready ? context.unready() : std::vector<UnreadyView>()) {
    if (mask.empty() || (mask == "listener" && view.of_listener))
      dumps.push_back({{"name", view.name}, {"target_names", view.targets}});
  }
  answerJson(dumps.empty() ? Json::object() : Json{{"unready_targets_dumps", dumps}}, response);
}

void contention(AdminContext&, const HttpRequest&, HttpResponse& response) {
  response.body = "Mutex contention tracing is not built in.";
}

void notBuiltIn(AdminContext&, const HttpRequest& request, HttpResponse& response) {
  response.status = 501;
  response.body = absl::StrCat(request.path, " is not built in");
}

} // namespace culvert::server::admin_handlers
