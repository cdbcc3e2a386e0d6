// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/node_environment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace culvert::config::node {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::pair<absl::string_view, int64_t> kUnits[] = {
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
    {"w", 604'800'000'000'000},
};
constexpr double kNanosecondsMax = 9e18;

// What this program does not do yet, and what it is that a value must not be.
constexpr std::pair<const char*, const char*> kUnsupported[] = {
    {"XDS_ADDRESS", "a control plane"},
    {"CA_ADDRESS", "a certificate authority"},
    {"LOCAL_XDS", "a table in the environment; LOCAL_XDS_PATH names a file"},
    {"PROXY_CONFIG", "a mesh configuration"},
};
constexpr const char* kUnsupportedIfTrue[] = {"XDS_ON_DEMAND", "ISTIO_META_DNS_CAPTURE"};

// Reads one variable after the other; the first mistake stays.
class Reader {
public:
  explicit Reader(const NodeEnvironment::Lookup& lookup) : lookup_(lookup) {}

  std::string text(const std::string& name, std::string fallback = "") {
    return lookup_(name).value_or(std::move(fallback));
  }
  bool flag(const std::string& name, bool fallback) {
    const std::optional<std::string> value = lookup_(name);
    if (value.has_value() && *value != "true" && *value != "false") {
      fail(name, "is neither true nor false");
    }
    return value.has_value() ? *value == "true" : fallback;
  }
  uint32_t number(const std::string& name, uint32_t fallback, uint32_t min = 0,
                  uint32_t max = std::numeric_limits<uint32_t>::max()) {
    const std::optional<std::string> value = lookup_(name);
    uint32_t number = fallback;
    if (value.has_value() && (!absl::SimpleAtoi(*value, &number) || number < min || number > max)) {
      fail(name, absl::StrCat("is no number from ", min, " to ", max));
    }
    return number;
  }
  base::Duration duration(const std::string& name, base::Duration fallback) {
    const std::optional<std::string> value = lookup_(name);
    const auto parsed = value.has_value() ? parseDurationTerms(*value) : fallback;
    if (!parsed.has_value()) {
      fail(name, "is no duration, as 10s or 5m");
    }
    return parsed.value_or(fallback);
  }
  // "2", "1.5", "500m": whole CPUs, rounded up. Nothing: unset.
  std::optional<uint32_t> cpus(const std::string& name) {
    const std::optional<std::string> value = lookup_(name);
    if (!value.has_value()) {
      return std::nullopt;
    }
    absl::string_view digits = *value;
    const bool milli = absl::ConsumeSuffix(&digits, "m");
    double amount = 0;
    if (!absl::SimpleAtod(digits, &amount) || !(amount > 0) || amount > 1e6) {
      fail(name, "is no number of CPUs, as 2, 1.5 or 500m");
      return std::nullopt;
    }
    return static_cast<uint32_t>(std::ceil(milli ? amount / 1000 : amount));
  }
  std::optional<std::string> find(const std::string& name) const { return lookup_(name); }

  void fail(const std::string& name, absl::string_view why) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat("invalid environment variable ", name, "=",
                                                        lookup_(name).value_or(""), ": ", why));
    }
  }
  const absl::Status& status() const { return status_; }

private:
  const NodeEnvironment::Lookup& lookup_;
  absl::Status status_;
};

void refuseUnsupported(Reader& reader) {
  for (const auto& [name, what] : kUnsupported) {
    if (!reader.text(name).empty()) {
      reader.fail(name, absl::StrCat("Culvert does not support this yet: ", what));
    }
  }
  for (const char* const name : kUnsupportedIfTrue) {
    if (absl::EqualsIgnoreCase(reader.text(name), "true")) {
      reader.fail(name, "Culvert does not support this yet");
    }
  }
  if (!reader.flag("ENABLE_PROXY", true)) {
    reader.fail("ENABLE_PROXY", "there would be nothing to do");
  }
  if (!reader.flag("FAKE_CA", false)) {
    reader.fail("FAKE_CA", "must be true: Culvert gets certificates from nowhere else yet");
  }
}

void readWorkload(Reader& reader, NodeEnvironment& environment) {
  const std::string mode = reader.text("PROXY_MODE", "shared");
  if (mode != "dedicated") {
    reader.fail("PROXY_MODE", mode == "shared" ? "must be dedicated: Culvert does not support "
                                                 "shared mode yet"
                                               : "is neither shared nor dedicated");
  }
  const std::string info = reader.text("PROXY_WORKLOAD_INFO");
  const std::vector<std::string> parts = absl::StrSplit(info, absl::MaxSplits('/', 2));
  if (parts.size() != 3) {
    reader.fail("PROXY_WORKLOAD_INFO", "is not NAMESPACE/NAME/SERVICE-ACCOUNT");
    return;
  }
  environment.workload_namespace = parts[0];
  environment.workload_name = parts[1];
  environment.service_account = parts[2];
}

void readTransport(Reader& reader, NodeEnvironment& environment) {
  environment.ipv6 = reader.flag("IPV6_ENABLED", true);
  environment.socks5 = reader.flag("UNSTABLE_ENABLE_SOCKS5", false);
  environment.packet_mark = reader.number("PACKET_MARK", 0);
  if (reader.find("ENABLE_ORIG_SRC").has_value()) {
    environment.source_address = reader.flag("ENABLE_ORIG_SRC", false)
                                     ? NodeEnvironment::SourceAddress::kKept
                                     : NodeEnvironment::SourceAddress::kOurs;
  }
  environment.keepalive = reader.flag("KEEPALIVE_ENABLED", true);
  environment.keepalive_time = reader.duration("KEEPALIVE_TIME", seconds(180));
  environment.keepalive_interval = reader.duration("KEEPALIVE_INTERVAL", seconds(180));
  environment.keepalive_retries = reader.number("KEEPALIVE_RETRIES", 9);
  environment.user_timeout = reader.flag("USER_TIMEOUT_ENABLED", false);
  constexpr uint32_t kWindowMin = 65535;                               // As HTTP/2 begins, and
  constexpr uint32_t kWindowMax = std::numeric_limits<int32_t>::max(); // as far as it goes.
  environment.stream_window_bytes =
      reader.number("HTTP2_STREAM_WINDOW_SIZE", 4 << 20, kWindowMin, kWindowMax);
  environment.connection_window_bytes =
      reader.number("HTTP2_CONNECTION_WINDOW_SIZE", 16 << 20, kWindowMin, kWindowMax);
  environment.frame_bytes_max = reader.number("HTTP2_FRAME_SIZE", 1 << 20, 1 << 14, (1 << 24) - 1);
  environment.tunnel_streams_max = reader.number("POOL_MAX_STREAMS_PER_CONNECTION", 100, 0, 65535);
  environment.tunnel_idle_time = reader.duration("POOL_UNUSED_RELEASE_TIMEOUT", minutes(5));
}

void readTermination(Reader& reader, NodeEnvironment& environment) {
  const uint32_t grace_s = reader.number("TERMINATION_GRACE_PERIOD_SECONDS", 6);
  const seconds left(grace_s > 10 ? grace_s - 5 : std::max(grace_s, 2u) - 1);
  environment.termination_deadline = reader.duration("CONNECTION_TERMINATION_DEADLINE", left);
}

// "info", "debug"; of single scopes only the default level is known.
void readLog(Reader& reader, NodeEnvironment& environment) {
  const std::string level = absl::AsciiStrToLower(reader.text("RUST_LOG", "info"));
  const bool known = level == "off" || level == "error" || level == "warn" || level == "info" ||
                     level == "debug" || level == "trace";
  if (!known) {
    reader.fail("RUST_LOG", "is no level; Culvert does not support scopes yet");
  }
  environment.log_level = level == "warn" ? "warning" : level;
  environment.json_log = reader.text("LOG_FORMAT") == "json";
  environment.log_verdicts = reader.text("AUTHZ_POLICY_INFO_LOGGING") == "true";
}

// The rules in their order; what does not decide is read all the same.
void readWorkers(Reader& reader, uint32_t cpus, NodeEnvironment& environment) {
  const std::optional<uint32_t> limit = reader.cpus("ZTUNNEL_RESOURCE_CPU_LIMIT");
  const uint32_t request = reader.cpus("ZTUNNEL_RESOURCE_CPU_REQUEST").value_or(0);
  const uint32_t plain_limit = reader.number("ZTUNNEL_CPU_LIMIT", cpus);
  const uint32_t count = limit.value_or(plain_limit);
  const uint32_t quarter = (count + 3) / 4;
  environment.workers =
      limit.has_value() ? std::max(*limit, request) : std::max({quarter, request, 2u});
  const std::string threads = reader.text("ZTUNNEL_WORKER_THREADS");
  absl::string_view digits = threads;
  double share = 0;
  uint32_t number = 0;
  if (absl::ConsumeSuffix(&digits, "%")) {
    if (!absl::SimpleAtod(digits, &share) || !(share > 0) || share > 100) {
      reader.fail("ZTUNNEL_WORKER_THREADS", "is no share of the CPUs");
    }
    environment.workers = static_cast<uint32_t>(std::ceil(count * share / 100));
  } else if (absl::SimpleAtoi(digits, &number)) {
    environment.workers = number == 0 ? count : number;
  } else if (!threads.empty()) {
    reader.fail("ZTUNNEL_WORKER_THREADS", "is neither a number nor a share, as 50%");
  }
  environment.workers = std::max(environment.workers, 1u);
}

} // namespace

std::optional<base::Duration> parseDurationTerms(const std::string& text) {
  double sum_ns = 0;
  size_t at = 0;
  const auto skip = [&](auto belongs) {
    const size_t begin = at;
    while (at < text.size() && belongs(static_cast<unsigned char>(text[at]))) {
      at++;
    }
    return text.substr(begin, at - begin);
  };
  const auto blank = [](unsigned char c) { return c == ' ' || c == '+'; };
  skip(blank);
  while (at < text.size()) {
    const std::string digits = skip([](unsigned char c) { return absl::ascii_isdigit(c); });
    const std::string unit = skip([](unsigned char c) { return absl::ascii_isalpha(c); });
    uint64_t amount = 0;
    const auto* const found =
        std::find_if(std::begin(kUnits), std::end(kUnits),
                     [&](const auto& known) { return known.first == (unit.empty() ? "s" : unit); });
    if (!absl::SimpleAtoi(digits, &amount) || found == std::end(kUnits)) {
      return std::nullopt;
    }
    sum_ns += static_cast<double>(amount) * static_cast<double>(found->second);
    skip(blank);
  }
  return text.empty() || sum_ns > kNanosecondsMax
             ? std::nullopt
             : std::optional(base::Duration(static_cast<int64_t>(sum_ns)));
}

absl::StatusOr<NodeEnvironment> NodeEnvironment::read(const Lookup& lookup, uint32_t cpus) {
  Reader reader(lookup);
  NodeEnvironment environment;
  readWorkload(reader, environment);
  refuseUnsupported(reader);
  environment.node_name = reader.text("NODE_NAME");
  environment.network = reader.text("NETWORK");
  environment.local_file = reader.text("LOCAL_XDS_PATH");
  if (environment.local_file.empty()) {
    reader.fail("LOCAL_XDS_PATH", "is needed: Culvert knows the mesh from nowhere else yet");
  }
  environment.crl_file = reader.text("CRL_PATH");
  environment.certificate_validity = reader.duration("SECRET_TTL", hours(24));
  environment.allow_tls12 = reader.text("TLS12_ENABLED") == "true";
  const std::string policy = reader.text("COMPLIANCE_POLICY");
  if (!policy.empty() && policy != "pqc") {
    reader.fail("COMPLIANCE_POLICY", "is not pqc, the only policy there is");
  }
  environment.post_quantum_only = policy == "pqc";
  environment.tell_baggage = reader.flag("ENABLE_RESPONSE_BAGGAGE", true);
  environment.proxy_to_loopback = reader.flag("LOCALHOST_APP_TUNNEL", true);
  readTransport(reader, environment);
  readTermination(reader, environment);
  readLog(reader, environment);
  readWorkers(reader, cpus, environment);
  return reader.status().ok() ? absl::StatusOr<NodeEnvironment>(std::move(environment))
                              : reader.status();
}

} // namespace culvert::config::node
