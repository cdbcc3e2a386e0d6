// SPDX-License-Identifier: Apache-2.0
#include "source/server/options.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tclap/CmdLine.h"

namespace culvert::server {

#ifdef NDEBUG
extern const char kVersion[] = "culvert/0.1.0/RELEASE";
#else
extern const char kVersion[] = "culvert/0.1.0/DEBUG";
#endif

namespace {

constexpr uint32_t kConcurrencyMax = 1024;
constexpr uint32_t kFileFlushMinSizeUnset = 0;

using Text = TCLAP::ValueArg<std::string>;
using Number = TCLAP::ValueArg<uint32_t>;
using Switch = TCLAP::SwitchArg;

// TCLAP's usage and errors, into strings instead of the standard streams.
class Output final : public TCLAP::StdOutput {
public:
  void usage(TCLAP::CmdLineInterface& line) override {
    std::ostringstream text;
    text << "\nUSAGE: \n\n";
    _shortUsage(line, text);
    text << "\n\nWhere: \n\n";
    _longUsage(line, text);
    text << "\n";
    out = text.str();
  }
  void version(TCLAP::CmdLineInterface& line) override {
    out = absl::StrCat("\n", line.getProgramName(), "  version: ", line.getVersion(), "\n\n");
  }
  void failure(TCLAP::CmdLineInterface& line, TCLAP::ArgException& error) override {
    std::ostringstream text;
    text << "PARSE ERROR: " << error.argId() << "\n             " << error.error() << "\n\n"
         << "Brief USAGE: \n";
    _shortUsage(line, text);
    text << "\nFor complete USAGE and HELP type: \n   " << line.getProgramName() << " --help\n\n";
    err = text.str();
  }

  std::string out;
  std::string err;
};

// The flags in the order that makes --help list them as Envoy does (it lists the last one first).
struct Flags {
  TCLAP::CmdLine line{"culvert", ' ', kVersion};
  const char* const text = "string";
  const char* const number = "uint32_t";

  Number base_id{
      "",    "base-id", "Number of this instance: processes of one number can follow one another",
      false, 0,         number,
      line};
  Switch use_dynamic_base_id{"", "use-dynamic-base-id", "Take a base id that nobody has", line};
  Switch skip_no_parent{"", "skip-hot-restart-on-no-parent",
                        "Start like epoch 0 when there is no process to take over from", line};
  Switch skip_parent_stats{"", "skip-hot-restart-parent-stats",
                           "Do not take over what the process of before has counted", line};
  Text base_id_path{"", "base-id-path", "File to write the base id to", false, "", text, line};
  Number concurrency{"",     "concurrency", "How many worker threads; 0 means 1", false, 0,
                     number, line};
  Text config_path{
      "c",  "config-path", "The configuration: .yaml, .json, .pb or .pb_text", false, "",
      text, line};
  Text config_yaml{
      "",   "config-yaml", "More configuration in YAML, merged into that of the file", false, "",
      text, line};
  Switch allow_unknown{"", "allow-unknown-fields", "Old name of --allow-unknown-static-fields",
                       line};
  Switch allow_unknown_static{"", "allow-unknown-static-fields",
                              "Warn of unknown fields in static configuration, go on", line};
  Switch reject_unknown_dynamic{"", "reject-unknown-dynamic-fields",
                                "Refuse dynamic configuration with unknown fields", line};
  Switch ignore_unknown_dynamic{"", "ignore-unknown-dynamic-fields",
                                "Say nothing of unknown fields in dynamic configuration", line};
  Switch skip_deprecated{"", "skip-deprecated-logs", "No warnings about deprecated fields", line};
  Switch stacktrace_single{"", "log-stacktrace-single-entry", "Has no effect", line};
  Text admin_address_path{
      "", "admin-address-path", "File to write the admin page's address to", false, "", text, line};
  Text ip_version{"",
                  "local-address-ip-version",
                  "Family of the machine's own address: v4 or v6",
                  false,
                  "v4",
                  text,
                  line};
  Text log_level{"l",
                 "log-level",
                 "[trace][debug][info][warning|warn][error][critical][off], [info] if not given",
                 false,
                 "info",
                 text,
                 line};
  Text component_log_level{"",
                           "component-log-level",
                           "Levels of single components: upstream:debug,config:trace",
                           false,
                           "",
                           text,
                           line};
  Text log_format{"",
                  "log-format",
                  absl::StrCat("Pattern of a log line, as spdlog takes them. \n\nDefault is \"",
                               base::log::kDefaultFormat, "\""),
                  false,
                  base::log::kDefaultFormat,
                  text,
                  line};
  Switch log_format_escaped{"", "log-format-escaped", "Escape messages so that each is one line",
                            line};
  Switch fine_grain{"", "enable-fine-grain-logging", "Has no effect", line};
  Text log_path{"", "log-path", "File for the log instead of stderr", false, "", text, line};
  Number restart_epoch{"",
                       "restart-epoch",
                       "0, or one more than that of the process to take over from",
                       false,
                       0,
                       number,
                       line};
  Switch hot_restart_version{"", "hot-restart-version",
                             "Which processes can follow one another: those of one version", line};
  Text service_cluster{
      "", "service-cluster", "node.cluster, if the file has none", false, "", text, line};
  Text service_node{"", "service-node", "node.id, if the file has none", false, "", text, line};
  Text service_zone{
      "", "service-zone", "node.locality.zone, if the file has none", false, "", text, line};
  Number file_flush_interval{"",
                             "file-flush-interval-msec",
                             "Milliseconds after which access logs reach their files",
                             false,
                             10000,
                             number,
                             line};
  Number file_flush_min_size{
      "",    "file-flush-min-size-kb", "KiB of access log that are written at once",
      false, kFileFlushMinSizeUnset,   number,
      line};
  Number drain_time{
      "",  "drain-time-s", "Seconds a drained listener's connections may go on", false, 600, number,
      line};
  Text drain_strategy{
      "",    "drain-strategy", "How draining spreads: gradual (default) or immediate",
      false, "gradual",        text,
      line};
  Number parent_shutdown_time{"",
                              "parent-shutdown-time-s",
                              "Seconds that the process of before may go on with its connections",
                              false,
                              900,
                              number,
                              line};
  Text mode{"",    "mode",  "serve (default), or validate: check the configuration and leave",
            false, "serve", text,
            line};
  Switch disable_hot_restart{"", "disable-hot-restart", "Nobody takes over from this process",
                             line};
  Switch mutex_tracing{"", "enable-mutex-tracing", "Has no effect", line};
  Switch cpuset_threads{"", "cpuset-threads", "As many workers as the cpuset allows: always so",
                        line};
  Text disable_extensions{"", "disable-extensions", "Has no effect", false, "", text, line};
  Text socket_path{"",
                   "socket-path",
                   "Where processes meet: begin of a path, or of an abstract name with @",
                   false,
                   "@envoy_domain_socket",
                   text,
                   line};
  Text socket_mode{"",    "socket-mode", "Permissions of the file at --socket-path, in octal",
                   false, "0",           text,
                   line};
  Switch core_dump{"", "enable-core-dump", "Has no effect", line};
  TCLAP::MultiArg<std::string> stats_tag{
      "", "stats-tag", "name:value, a tag for every statistic", false, text, line};
};

// Loggers that Envoy has and we have not; naming one is no mistake (envoy-compat B.9).
constexpr const char* kForeignLoggers[] = {"a2a",
                                           "ai_protocol_manager",
                                           "alternate_protocols_cache",
                                           "aws",
                                           "backtrace",
                                           "basic_auth",
                                           "cache_filter",
                                           "compression",
                                           "credential_injector",
                                           "decompression",
                                           "dubbo",
                                           "envoy_bug",
                                           "ext_authz",
                                           "ext_proc",
                                           "rocketmq",
                                           "forward_proxy",
                                           "geolocation",
                                           "grpc",
                                           "happy_eyeballs",
                                           "http",
                                           "http2",
                                           "hystrix",
                                           "jwt",
                                           "json_rpc",
                                           "kafka",
                                           "key_value_store",
                                           "lua",
                                           "local_rate_limit",
                                           "mcp",
                                           "mongo",
                                           "multi_connection",
                                           "notification",
                                           "oauth2",
                                           "quic",
                                           "quic_stream",
                                           "rate_limit_quota",
                                           "rds",
                                           "redis",
                                           "sse",
                                           "tap",
                                           "testing",
                                           "thrift",
                                           "tracing",
                                           "udp",
                                           "wasm",
                                           "websocket",
                                           "golang",
                                           "stats_sinks",
                                           "dynamic_modules",
                                           "ip_tagging"};

absl::Status parseLevel(const std::string& text, base::LogLevel& level) {
  const auto found = base::log::findLevel(text == "warn" ? "warning" : text);
  if (!found)
    return absl::InvalidArgumentError(absl::StrCat("invalid log level specified '", text, "'"));
  level = *found;
  return absl::OkStatus();
}

absl::Status parseComponentLevels(const std::string& text, Options& options) {
  options.component_log_level = text;
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(item, ':');
    if (parts.size() != 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("component log level not correctly specified '", item, "'"));
    }
    base::LogLevel level;
    if (absl::Status status = parseLevel(parts[1], level); !status.ok())
      return status;
    if (const auto component = base::log::findComponent(parts[0])) {
      options.component_log_levels.emplace_back(*component, level);
    } else if (std::find(std::begin(kForeignLoggers), std::end(kForeignLoggers), parts[0]) !=
               std::end(kForeignLoggers)) {
      options.warnings.push_back(absl::StrCat("there is no logger '", parts[0], "' here"));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("invalid component specified '", parts[0], "'"));
    }
  }
  return absl::OkStatus();
}

absl::Status parseStatsTag(const std::string& text, Options& options) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  if (parts.size() != 2)
    return absl::InvalidArgumentError(absl::StrCat("misformatted stats-tag '", text, "'"));
  const bool name_ok = std::all_of(parts[0].begin(), parts[0].end(),
                                   [](unsigned char c) { return std::isalnum(c) != 0; });
  const bool value_ok = !parts[1].empty() && !absl::StrContains(parts[1], '.');
  if (!name_ok || !value_ok) {
    return absl::InvalidArgumentError(absl::StrCat("misformatted stats-tag '", text,
                                                   "' contains invalid char in '",
                                                   name_ok ? parts[1] : parts[0], "'"));
  }
  options.stats_tags.emplace_back(parts[0], parts[1]);
  return absl::OkStatus();
}

absl::Status parseMode(Flags& flags, Options& options) {
  const std::string& mode = flags.mode.getValue();
  if (mode == "serve") {
    options.mode = Mode::kServe;
  } else if (mode == "validate") {
    options.mode = Mode::kValidate;
  } else if (mode == "init_only") {
    options.mode = Mode::kInitOnly;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("unknown mode '", mode, "'"));
  }

  const std::string& ip = flags.ip_version.getValue();
  if (ip != "v4" && ip != "v6")
    return absl::InvalidArgumentError(absl::StrCat("unknown IP address version '", ip, "'"));
  options.local_address_ip_v6 = ip == "v6";

  const std::string& drain = flags.drain_strategy.getValue();
  if (drain != "gradual" && drain != "immediate")
    return absl::InvalidArgumentError(absl::StrCat("unknown drain-strategy '", drain, "'"));
  if (drain == "immediate")
    options.drain_strategy = DrainStrategy::kImmediate;
  return absl::OkStatus();
}

absl::Status parseLog(Flags& flags, Options& options) {
  if (absl::Status status = parseLevel(flags.log_level.getValue(), options.log.level);
      !status.ok()) {
    return status;
  }
  if (flags.fine_grain.getValue() && flags.component_log_level.isSet()) {
    return absl::InvalidArgumentError(
        "--component-log-level will not work with --enable-fine-grain-logging");
  }
  options.log.format = flags.log_format.getValue();
  options.log_format_set = flags.log_format.isSet();
  options.log.escaped = flags.log_format_escaped.getValue();
  options.log.path = flags.log_path.getValue();
  return parseComponentLevels(flags.component_log_level.getValue(), options);
}

absl::Status checkEpoch(const Options& options) {
  if (options.restart_epoch == 0 || !options.use_dynamic_base_id)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot use --restart-epoch=", options.restart_epoch, " with --use-dynamic-base-id"));
}

absl::Status parseConcurrency(Flags& flags, Options& options) {
  if (!flags.concurrency.isSet()) {
    // As many as this process may run on: the C library asks for the affinity mask.
    options.concurrency = std::max(1u, std::thread::hardware_concurrency());
    return absl::OkStatus();
  }
  options.concurrency = std::max<uint32_t>(1, flags.concurrency.getValue());
  if (options.concurrency <= kConcurrencyMax)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--concurrency=", options.concurrency,
                                                 " is more than ", kConcurrencyMax, " threads"));
}

void copyPlain(Flags& flags, Options& options) {
  options.config_path = flags.config_path.getValue();
  options.config_yaml = flags.config_yaml.getValue();
  options.service_cluster = flags.service_cluster.getValue();
  options.service_node = flags.service_node.getValue();
  options.service_zone = flags.service_zone.getValue();
  options.admin_address_path = flags.admin_address_path.getValue();
  options.drain_time_s = flags.drain_time.getValue();
  options.drain_time_set = flags.drain_time.isSet();
  options.file_flush_interval_ms = flags.file_flush_interval.getValue();
  if (flags.file_flush_min_size.isSet())
    options.file_flush_min_size_kb = flags.file_flush_min_size.getValue();
  options.allow_unknown_static_fields =
      flags.allow_unknown_static.getValue() || flags.allow_unknown.getValue();
  options.reject_unknown_dynamic_fields = flags.reject_unknown_dynamic.getValue();
  options.ignore_unknown_dynamic_fields = flags.ignore_unknown_dynamic.getValue();
  options.skip_deprecated_logs = flags.skip_deprecated.getValue();
  options.restart_epoch = flags.restart_epoch.getValue();
  options.base_id = flags.base_id.getValue();
  options.base_id_set = flags.base_id.isSet();
  options.use_dynamic_base_id = flags.use_dynamic_base_id.getValue();
  options.base_id_path = flags.base_id_path.getValue();
  options.disable_hot_restart = flags.disable_hot_restart.getValue();
  options.parent_shutdown_time_s = flags.parent_shutdown_time.getValue();
  options.socket_path = flags.socket_path.getValue();
  options.socket_mode = std::strtoul(flags.socket_mode.getValue().c_str(), nullptr, 8);
  options.disabled_extensions =
      absl::StrSplit(flags.disable_extensions.getValue(), ',', absl::SkipEmpty());
  options.cpuset_threads = flags.cpuset_threads.getValue();
  options.enable_mutex_tracing = flags.mutex_tracing.getValue();
  options.enable_core_dump = flags.core_dump.getValue();
  options.enable_fine_grain_logging = flags.fine_grain.getValue();
  options.skip_hot_restart_on_no_parent = flags.skip_no_parent.getValue();
  options.skip_hot_restart_parent_stats = flags.skip_parent_stats.getValue();
  options.log_stacktrace_single_entry = flags.stacktrace_single.getValue();
}

void warnOfIdleFlags(Flags& flags, Options& options) {
  TCLAP::Arg* const idle[] = {&flags.stacktrace_single, &flags.fine_grain,
                              &flags.disable_extensions, &flags.mutex_tracing, &flags.core_dump};
  for (const TCLAP::Arg* flag : idle) {
    if (flag->isSet())
      options.warnings.push_back(absl::StrCat("--", flag->getName(), " has no effect"));
  }
  if (flags.allow_unknown.getValue()) {
    options.warnings.push_back(
        "--allow-unknown-fields is deprecated, use --allow-unknown-static-fields instead.");
  }
}

absl::Status toOptions(Flags& flags, Options& options) {
  copyPlain(flags, options);
  if (absl::Status status = parseLog(flags, options); !status.ok())
    return status;
  if (absl::Status status = parseMode(flags, options); !status.ok())
    return status;
  for (const std::string& tag : flags.stats_tag.getValue()) {
    if (absl::Status status = parseStatsTag(tag, options); !status.ok())
      return status;
  }
  if (absl::Status status = checkEpoch(options); !status.ok())
    return status;
  warnOfIdleFlags(flags, options);
  return parseConcurrency(flags, options);
}

} // namespace

const char* hotRestartVersion(const Options& options) {
  return options.disable_hot_restart ? kHotRestartDisabled : kHotRestartVersion;
}

std::variant<Options, Exit> parseOptions(std::vector<std::string> arguments) {
  Output output;
  Flags flags;
  flags.line.setOutput(&output);
  flags.line.setExceptionHandling(false);
  try {
    flags.line.parse(arguments);
  } catch (TCLAP::ArgException& error) {
    output.failure(flags.line, error);
    return Exit{1, "", output.err};
  } catch (TCLAP::ExitException& asked) {
    return Exit{asked.getExitStatus(), output.out, ""};
  } catch (const std::exception& error) { // Memory, or a fault of the library.
    return Exit{1, "", absl::StrCat("error: ", error.what(), "\n")};
  }

  if (flags.hot_restart_version.getValue())
    return Exit{0, "",
                flags.disable_hot_restart.getValue() ? kHotRestartDisabled : kHotRestartVersion};
  Options options;
  const absl::Status status = toOptions(flags, options);
  if (!status.ok())
    return Exit{1, "", absl::StrCat("error: ", status.message(), "\n")};
  return options;
}

} // namespace culvert::server
