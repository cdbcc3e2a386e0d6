// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/time_format.h"

#include <algorithm>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace culvert::access_log::internal {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

// A time as whole seconds and what is left, which is never negative.
struct Split {
  explicit Split(base::WallTime time) {
    const int64_t all = std::chrono::nanoseconds(time.time_since_epoch()).count();
    nanoseconds = ((all % kNanosecondsPerSecond) + kNanosecondsPerSecond) % kNanosecondsPerSecond;
    seconds = (all - nanoseconds) / kNanosecondsPerSecond;
  }
  int64_t seconds;
  int64_t nanoseconds;
};

bool isWidth(char c) { return (c >= '1' && c <= '9') || c == '*'; }

// Whether strftime would make a line break of it: %n, with whatever may stand in between.
bool makesLineBreak(absl::string_view format) {
  for (size_t at = format.find('%'); at != absl::string_view::npos; at = format.find('%', at + 1)) {
    absl::string_view rest = format.substr(at + 1);
    rest.remove_prefix(std::min(rest.find_first_not_of("-_0^#"), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of("123456789"), rest.size()));
    if (!rest.empty() && (rest[0] == 'E' || rest[0] == 'O'))
      rest.remove_prefix(1);
    if (!rest.empty() && rest[0] == 'n')
      return true;
  }
  return false;
}

void appendFraction(int64_t nanoseconds, int width, bool dot, std::string& out) {
  constexpr size_t kDigits = 9;
  char digits[kDigits];
  for (size_t i = kDigits; i > 0; i--, nanoseconds /= 10)
    digits[i - 1] = static_cast<char>('0' + nanoseconds % 10);
  absl::string_view shown(digits, width == 0 ? kDigits : static_cast<size_t>(width));
  while (width == 0 && shown.size() > (dot ? 0 : 1) && shown.back() == '0')
    shown.remove_suffix(1);
  if (dot && !shown.empty())
    out.push_back('.');
  out.append(shown.data(), shown.size());
}

// The last second that this thread printed; lines of one second differ in their milliseconds only.
struct LastSecond {
  int64_t seconds;
  char text[24]; // 2026-11-21T02:22:36.
  char zone[8];  // Z, or +0100
};

void fill(LastSecond& last, int64_t seconds, TimeFormat::Zone zone) {
  const time_t time = static_cast<time_t>(seconds);
  struct tm parts{};
  if (zone == TimeFormat::Zone::kUtc) {
    gmtime_r(&time, &parts);
    last.zone[0] = 'Z';
    last.zone[1] = '\0';
  } else {
    localtime_r(&time, &parts);
    strftime(last.zone, sizeof(last.zone), "%z", &parts);
  }
  strftime(last.text, sizeof(last.text), "%Y-%m-%dT%H:%M:%S.", &parts);
  last.seconds = seconds;
}

} // namespace

absl::StatusOr<std::shared_ptr<const TimeFormat>> TimeFormat::create(absl::string_view format,
                                                                     Zone zone) {
  if (makesLineBreak(format)) {
    return absl::InvalidArgumentError(
        "Invalid header configuration. Format string contains newline.");
  }
  return std::shared_ptr<const TimeFormat>(new TimeFormat(format, zone));
}

TimeFormat::TimeFormat(absl::string_view format, Zone zone) : zone_(zone) {
  std::string before;
  while (!format.empty()) {
    const size_t taken = format[0] == '%' ? addSpecial(format, before) : 0;
    if (taken == 0)
      before.push_back(format[0]);
    format.remove_prefix(taken == 0 ? 1 : taken);
  }
  if (!before.empty())
    parts_.push_back({Part::Kind::kFormat, 0, before});
}

// Adds the part that `rest` begins with, behind what came `before`, and says how long it was: 0 if
// it is nothing that strftime would not do.
size_t TimeFormat::addSpecial(absl::string_view rest, std::string& before) {
  const auto at = [&](size_t i) { return i < rest.size() ? rest[i] : '\0'; };
  const auto width = [](char c) { return c == '*' ? 0 : c - '0'; };
  Part part{Part::Kind::kFraction, 9, ""};
  size_t length = 2;
  if (at(1) == 's') {
    part.kind = Part::Kind::kEpochSeconds;
  } else if (isWidth(at(1)) && at(2) == 'f') {
    part.width = width(at(1));
    length = 3;
  } else if (at(1) == 'E' && isWidth(at(2)) && (at(3) == 'S' || at(3) == 'f')) {
    part.width = width(at(2));
    part.kind = at(3) == 'S' ? Part::Kind::kDotFraction : Part::Kind::kFraction;
    before += at(3) == 'S' ? "%S" : "";
    length = 4;
  } else if (at(1) != 'f') {
    return 0;
  }
  if (!before.empty())
    parts_.push_back({Part::Kind::kFormat, 0, std::move(before)});
  before.clear();
  parts_.push_back(part);
  return length;
}

void TimeFormat::append(base::WallTime time, std::string& out) const {
  if (parts_.empty()) {
    appendDefault(time, out);
    return;
  }
  const Split split(time);
  for (const Part& part : parts_) {
    switch (part.kind) {
    case Part::Kind::kFormat:
      out += absl::FormatTime(part.format, absl::FromChrono(time),
                              zone_ == Zone::kUtc ? absl::UTCTimeZone() : absl::LocalTimeZone());
      break;
    case Part::Kind::kEpochSeconds:
      absl::StrAppend(&out, split.seconds);
      break;
    case Part::Kind::kFraction:
    case Part::Kind::kDotFraction:
      appendFraction(split.nanoseconds, part.width, part.kind == Part::Kind::kDotFraction, out);
      break;
    }
  }
}

void TimeFormat::appendDefault(base::WallTime time, std::string& out) const {
  thread_local LastSecond last_utc{-1, "", ""};
  thread_local LastSecond last_local{-1, "", ""};
  LastSecond& last = zone_ == Zone::kUtc ? last_utc : last_local;
  const Split split(time);
  if (last.seconds != split.seconds)
    fill(last, split.seconds, zone_);
  out += last.text;
  appendFraction(split.nanoseconds, 3, false, out);
  out += last.zone;
}

} // namespace culvert::access_log::internal
