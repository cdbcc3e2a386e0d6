// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/operator.h"
#include "source/access_log/internal/time_format.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using Zone = TimeFormat::Zone;

template <Zone kZone> absl::Status parseTime(absl::string_view argument, Operator& op) {
  auto format = TimeFormat::create(argument, kZone);
  if (!format.ok())
    return format.status();
  op.time = *std::move(format);
  return absl::OkStatus();
}

Found printStart(const Operator& op, const Entry& entry, std::string& out) {
  op.time->append(entry.info.start_wall, out);
  return Found::kText;
}

Found printEmit(const Operator& op, const Entry& entry, std::string& out) {
  op.time->append(entry.wall_now, out);
  return Found::kText;
}

// The ends of a %COMMON_DURATION%. The others that Envoy has are of HTTP or of TLS.
enum class Point : uint8_t { kUnset, kStart, kEnd, kUpstreamConnectStart, kUpstreamConnectEnd };

Point pointOf(absl::string_view name) {
  if (name == "DS_CX_BEG" || name == "DS_RX_BEG")
    return Point::kStart;
  if (name == "DS_CX_END")
    return Point::kEnd;
  if (name == "US_CX_BEG")
    return Point::kUpstreamConnectStart;
  return name == "US_CX_END" ? Point::kUpstreamConnectEnd : Point::kUnset;
}

// The epoch when it has not come. A connection that was never made to the host has no beginning
// either.
base::Instant timeOf(Point point, const net::ConnectionInfo& info) {
  const net::UpstreamInfo* const upstream = info.upstream.get();
  const bool connected = upstream != nullptr && upstream->connect_end != base::Instant{};
  switch (point) {
  case Point::kUnset:
    break;
  case Point::kStart:
    return info.start;
  case Point::kEnd: // A connection that no chain took, and that has no number, never began.
    return info.id == 0 ? base::Instant{} : info.end;
  case Point::kUpstreamConnectStart:
    return connected ? upstream->connect_start : base::Instant{};
  case Point::kUpstreamConnectEnd:
    return connected ? upstream->connect_end : base::Instant{};
  }
  return {};
}

// What parseCommonDuration leaves in Operator::number.
struct DurationArgument {
  Point from;
  Point to;
  int64_t nanoseconds_per_unit;

  int64_t pack() const {
    return nanoseconds_per_unit * 256 + static_cast<int64_t>(from) * 16 + static_cast<int64_t>(to);
  }
  static DurationArgument unpack(int64_t number) {
    return {static_cast<Point>(number / 16 % 16), static_cast<Point>(number % 16), number / 256};
  }
};

absl::Status parseCommonDuration(absl::string_view argument, Operator& op) {
  const std::vector<std::string> words = absl::StrSplit(argument, ':');
  if (words.size() < 2 || words.size() > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("Invalid common duration configuration: ", argument, "."));
  }
  DurationArgument parsed{pointOf(words[0]), pointOf(words[1]), 1'000'000};
  if (words.size() == 3) {
    if (words[2] == "us") {
      parsed.nanoseconds_per_unit = 1'000;
    } else if (words[2] == "ns") {
      parsed.nanoseconds_per_unit = 1;
    } else if (words[2] != "ms") {
      return absl::InvalidArgumentError(
          absl::StrCat("Invalid common duration precision: ", words[2], "."));
    }
  }
  op.number = parsed.pack();
  return absl::OkStatus();
}

Found printCommonDuration(const Operator& op, const Entry& entry, std::string& out) {
  const DurationArgument argument = DurationArgument::unpack(op.number);
  const base::Instant from = timeOf(argument.from, entry.info);
  const base::Instant to = timeOf(argument.to, entry.info);
  if (from == base::Instant{} || to == base::Instant{} || to < from)
    return Found::kNothing;
  const base::Duration duration = to - from;
  absl::StrAppend(&out, duration.count() / argument.nanoseconds_per_unit);
  return Found::kNumber;
}

constexpr Command kCommands[] = {
    {"START_TIME", kMayHaveArgument | kVerbatim, printStart, parseTime<Zone::kUtc>},
    {"START_TIME_LOCAL", kMayHaveArgument | kVerbatim, printStart, parseTime<Zone::kLocal>},
    {"EMIT_TIME", kMayHaveArgument | kVerbatim, printEmit, parseTime<Zone::kUtc>},
    {"EMIT_TIME_LOCAL", kMayHaveArgument | kVerbatim, printEmit, parseTime<Zone::kLocal>},
    {"COMMON_DURATION", kNeedsArgument, printCommonDuration, parseCommonDuration},
    // Of certificates, for which only the format is checked.
};

} // namespace

absl::Span<const Command> timeCommands() { return kCommands; }

} // namespace culvert::access_log::internal
