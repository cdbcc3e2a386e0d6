// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "source/base/log.h"

namespace culvert::server {

// "culvert/0.1.0/RELEASE": what --version, /server_info and the log call this program.
extern const char kVersion[];
constexpr uint32_t kVersionParts[] = {0, 1, 0};

// Of what two processes say to each other when one takes over from the other.
constexpr char kHotRestartVersion[] = "culvert.1";
// What Envoy calls it when it is off.
constexpr char kHotRestartDisabled[] = "disabled";

enum class Mode { kServe, kValidate, kInitOnly };
enum class DrainStrategy { kGradual, kImmediate };

// What the command line says, checked, with defaults filled in (envoy-compat C.1). Flags that only
// a profiler or a debugger would use are kept for /server_info and say so in `warnings`.
// Units: as in the names; they are the flags'.
struct Options {
  std::string config_path;
  std::string config_yaml; // Merged into the file.
  Mode mode = Mode::kServe;
  uint32_t concurrency = 1;

  base::log::Options log;
  bool log_format_set = false;
  std::string component_log_level;
  std::vector<std::pair<base::LogComponent, base::LogLevel>> component_log_levels;

  std::string service_cluster;
  std::string service_node;
  std::string service_zone;
  std::vector<std::pair<std::string, std::string>> stats_tags;

  std::string admin_address_path;
  bool local_address_ip_v6 = false;
  uint32_t drain_time_s = 600;
  bool drain_time_set = false;
  DrainStrategy drain_strategy = DrainStrategy::kGradual;
  uint32_t file_flush_interval_ms = 10000;
  uint32_t file_flush_min_size_kb = 64;

  bool allow_unknown_static_fields = false;
  bool reject_unknown_dynamic_fields = false;
  bool ignore_unknown_dynamic_fields = false;
  bool skip_deprecated_logs = false;

  // Of the hot restart.
  uint32_t restart_epoch = 0;
  uint32_t base_id = 0;
  bool base_id_set = false;
  bool use_dynamic_base_id = false;
  std::string base_id_path;
  bool disable_hot_restart = false;
  uint32_t parent_shutdown_time_s = 900;
  std::string socket_path = "@envoy_domain_socket";
  uint32_t socket_mode = 0;
  bool skip_hot_restart_on_no_parent = false;
  bool skip_hot_restart_parent_stats = false;

  // Accepted for Envoy's sake.
  std::vector<std::string> disabled_extensions;
  bool cpuset_threads = false;
  bool enable_mutex_tracing = false;
  bool enable_core_dump = false;
  bool enable_fine_grain_logging = false;
  bool log_stacktrace_single_entry = false;

  std::vector<std::string> warnings; // For the log, once there is one.
};

// The command line asked for a text, or was wrong: print and leave.
struct Exit {
  int status = 0;
  std::string out;
  std::string err;
};

// kHotRestartVersion, or that it is disabled.
const char* hotRestartVersion(const Options& options);

// `arguments` begins with the program's name. Threads: main, before any other.
std::variant<Options, Exit> parseOptions(std::vector<std::string> arguments);

} // namespace culvert::server
