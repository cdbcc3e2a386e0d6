// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/endpoints.h"

namespace culvert::server {
namespace {

namespace on = admin_handlers;

constexpr char kFilterText[] = "Regular expression (RE2) that is searched for in full names";
constexpr char kBucketsText[] = "How to show the buckets of histograms";
constexpr char kUsedText[] = "Only statistics that were ever written";
constexpr char kInvertText[] = "Show what the filter does not find";
constexpr char kFormats[] = "text, json";

constexpr AdminParameter kProfiler[] = {{"enable", "Start or stop it", "y, n"}};
constexpr AdminParameter kClusters[] = {
    {"filter", "Regular expression (RE2) that is searched for in the clusters' names"},
    {"format", "How to show them", kFormats}};
constexpr AdminParameter kConfigDump[] = {
    {"resource", "Only the elements of this repeated field"},
    {"mask", "Only these fields, as a protobuf FieldMask; with resource, of each element"},
    {"name_regex", "Only what has a name that this regular expression (RE2) matches"},
    {"include_eds", "Also the clusters' endpoints", "", true}};
constexpr AdminParameter kDrain[] = {
    {"graceful", "Accept on for the drain time (--drain-time-s)", "", true},
    {"skip_exit", "Drain connections, but never close the listening sockets", "", true},
    {"inboundonly", "Only listeners whose traffic_direction is INBOUND", "", true}};
constexpr AdminParameter kInitDump[] = {
    {"mask", "Only this part, as a protobuf FieldMask: listener"}};
constexpr AdminParameter kListeners[] = {{"format", "How to show them", kFormats}};
constexpr AdminParameter kLogging[] = {
    {"paths", "Levels of several loggers: name1:level1,name2:level2"},
    {"group", "Needs fine-grain logging, which is not built in"},
    {"level", "The level of all loggers", ", trace, debug, info, warning, error, critical, off"}};
constexpr AdminParameter kStats[] = {
    {"usedonly", kUsedText, "", true},
    {"filter", kFilterText},
    {"invert_filter", kInvertText, "", true},
    {"format", "How to show them", "html, active-html, text, json, prometheus"},
    {"type", "Which to show", "All, Counters, Histograms, Gauges, TextReadouts"},
    {"histogram_buckets", kBucketsText,
     "cumulative, disjoint, detailed, summary, prometheusnative"}};
constexpr AdminParameter kPrometheus[] = {
    {"usedonly", kUsedText, "", true},
    {"text_readouts", "Texts too, as gauges of value 0", "", true},
    {"filter", kFilterText},
    {"invert_filter", kInvertText, "", true},
    {"histogram_buckets", kBucketsText, "cumulative, summary, prometheusnative"}};

constexpr bool kReads = false;
constexpr bool kMutates = true;

constexpr AdminEndpoint kEndpoints[] = {
    {"/", "This list, as a page", kReads, on::home, {}},
    {"/allocprofiler", "allocation profiler: not built in", kMutates, on::notBuiltIn, kProfiler},
    {"/certs", "certificates in use", kReads, on::certs, {}},
    {"/clusters", "clusters and the state of their hosts", kReads, on::clusters, kClusters},
    {"/config_dump", "the configuration in use", kReads, on::configDump, kConfigDump},
    {"/contention", "waits for locks: not recorded", kReads, on::contention, {}},
    {"/cpuprofiler", "CPU profiler: not built in", kMutates, on::notBuiltIn, kProfiler},
    {"/drain_listeners", "stop accepting connections", kMutates, on::drainListeners, kDrain},
    {"/healthcheck/fail", "be unhealthy to those who ask", kMutates, on::healthcheckFail, {}},
    {"/healthcheck/ok", "be healthy to those who ask", kMutates, on::healthcheckOk, {}},
    {"/heap_dump", "heap dump: not built in", kReads, on::notBuiltIn, {}},
    {"/heapprofiler", "heap profiler: not built in", kMutates, on::notBuiltIn, kProfiler},
    {"/help", "this list", kReads, on::help, {}},
    {"/hot_restart_version", "version of the hot restart", kReads, on::hotRestartVersion, {}},
    {"/init_dump", "what the start still waits for", kReads, on::initDump, kInitDump},
    {"/listeners", "listeners and their addresses", kReads, on::listeners, kListeners},
    {"/logging", "show or change the levels of the log", kMutates, on::logging, kLogging},
    {"/memory", "what the allocator holds", kReads, on::memory, {}},
    {"/memory/tcmalloc", "the allocator's report: not built in", kReads, on::notBuiltIn, {}},
    {"/peak_heap_dump", "dump of the peak heap: not built in", kReads, on::notBuiltIn, {}},
    {"/quitquitquit", "end the server", kMutates, on::quit, {}},
    {"/ready", "LIVE with status 200, or another state with 503", kReads, on::ready, {}},
    {"/reopen_logs", "open access logs and the log again", kMutates, on::reopenLogs, {}},
    {"/reset_counters", "set all counters to 0", kMutates, on::resetCounters, {}},
    {"/runtime", "values of the runtime, by layer", kReads, on::runtime, {}},
    {"/runtime_modify",
     "set values in the runtime's admin layer: key=value, an empty value removes the key",
     kMutates,
     on::runtimeModify,
     {}},
    {"/server_info", "version, state, command line and node", kReads, on::serverInfo, {}},
    {"/stats", "statistics", kReads, on::stats, kStats},
    {"/stats/prometheus", "statistics for Prometheus", kReads, on::prometheus, kPrometheus},
    {"/stats/recentlookups", "lookups of names: not recorded", kReads, on::recentLookups, {}},
    {"/stats/recentlookups/clear", "not recorded, as above", kMutates, on::notBuiltIn, {}},
    {"/stats/recentlookups/disable", "not recorded, as above", kMutates, on::notBuiltIn, {}},
    {"/stats/recentlookups/enable", "not recorded, as above", kMutates, on::notBuiltIn, {}},
};

} // namespace

absl::Span<const AdminEndpoint> adminEndpoints() { return kEndpoints; }

const AdminEndpoint* findAdminEndpoint(absl::string_view path) {
  for (const AdminEndpoint& endpoint : adminEndpoints()) {
    if (path == endpoint.path)
      return &endpoint;
  }
  return nullptr;
}

} // namespace culvert::server
