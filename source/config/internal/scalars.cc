// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/scalars.h"

#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using Kind = Node::Kind;

constexpr int64_t kDurationSecondsMax = 315'576'000'000; // google/protobuf/duration.proto
constexpr int kNanoDigits = 9;

bool hasBlank(absl::string_view text) {
  for (const char c : text) {
    if (absl::ascii_isspace(c)) {
      return true;
    }
  }
  return false;
}

Misfit expectedNumber(const Node& node) {
  return {absl::StrCat("a number is expected, not ", describe(node)), "expected number or string"};
}

Misfit outOfRange(const Node& node, absl::string_view envoy) {
  return {absl::StrCat(node.text, " is out of the range of this field"), std::string(envoy)};
}

// A number that is written with a fraction or an exponent but is whole.
template <class T> Decoded<T> decodeWhole(const Node& node, T min, T max) {
  double number = 0;
  if (!absl::SimpleAtod(node.text, &number) || std::isnan(number)) {
    return Misfit{absl::StrCat("a whole number is expected, not ", describe(node)),
                  absl::StrCat("invalid number: ", quoted(node.text))};
  }
  if (std::isfinite(number) && number != std::trunc(number)) {
    return Misfit{absl::StrCat("a whole number is expected, not ", node.text),
                  "expected integer, but JSON number had fractional part"};
  }
  // 2^63 and 2^64 are doubles, the integers below them are not.
  if (number < static_cast<double>(min) || number >= std::ldexp(1.0, 63) * (min == 0 ? 2 : 1)) {
    return outOfRange(node, "JSON number out of range for int");
  }
  const T whole = static_cast<T>(number);
  return whole > max ? Decoded<T>(outOfRange(node, "integer out of range")) : whole;
}

template <class T> Decoded<T> decodeInteger(const Node& node, T min, T max) {
  if (node.kind != Kind::kNumber && node.kind != Kind::kString) {
    return expectedNumber(node);
  }
  if (hasBlank(node.text)) {
    return Misfit{absl::StrCat("a number is expected, not ", describe(node)),
                  "non-number characters in quoted number"};
  }
  T number = 0;
  if (!absl::SimpleAtoi(node.text, &number)) {
    return decodeWhole<T>(node, min, max);
  }
  return number < min || number > max ? Decoded<T>(outOfRange(node, "integer out of range"))
                                      : number;
}

// "5" for a duration written as 5, "300s" for 5m, "0.25s" for 250ms; "" if nothing is plain.
std::string durationMeant(absl::string_view text) {
  const size_t unit_at = text.find_first_not_of("0123456789.");
  const absl::string_view unit =
      unit_at == absl::string_view::npos ? absl::string_view() : text.substr(unit_at);
  struct {
    absl::string_view unit;
    double seconds;
  } constexpr kUnits[] = {{"", 1},    {"ms", 1e-3}, {"us", 1e-6},   {"ns", 1e-9},
                          {"m", 60},  {"min", 60},  {"h", 3600},    {"d", 86400},
                          {"sec", 1}, {"S", 1},     {"seconds", 1}, {"ss", 1}};
  double number = 0;
  for (const auto& known : kUnits) {
    if (unit == known.unit && absl::SimpleAtod(text.substr(0, unit_at), &number)) {
      return absl::StrCat(number * known.seconds, "s");
    }
  }
  return "";
}

Misfit badDuration(const Node& node, absl::string_view envoy) {
  return {absl::StrCat("a duration is text of seconds that ends in 's', such as \"0.25s\", not ",
                       describe(node), didYouMean(durationMeant(node.text))),
          std::string(envoy)};
}

} // namespace

std::string describe(const Node& node) {
  const absl::string_view plain = node.boolean ? "true" : "false";
  switch (node.kind) {
  case Kind::kNull:
    return "nothing";
  case Kind::kBool:
    return absl::StrCat("the boolean ", plain,
                        node.text.empty() || node.text == plain
                            ? ""
                            : absl::StrCat(" (written ", quoted(node.text), ")"));
  case Kind::kNumber:
    return absl::StrCat("the number ", node.text);
  case Kind::kString:
    return absl::StrCat("the text ", quoted(node.text));
  case Kind::kList:
    return "a list";
  case Kind::kMap:
    return "a map";
  }
  return "";
}

std::string unexpectedCharacter(const Node& node, char expected) {
  std::string first = "\"";
  switch (node.kind) {
  case Kind::kNull:
    first = "n";
    break;
  case Kind::kBool:
    first = node.boolean ? "t" : "f";
    break;
  case Kind::kNumber:
    first = node.text.substr(0, 1);
    break;
  case Kind::kString:
    break;
  case Kind::kList:
    first = "[";
    break;
  case Kind::kMap:
    first = "{";
    break;
  }
  return absl::StrCat("unexpected character: '", first, "'; expected '", std::string(1, expected),
                      "'");
}

Decoded<int64_t> decodeInt(const Node& node, int64_t min, int64_t max) {
  return decodeInteger<int64_t>(node, min, max);
}

Decoded<uint64_t> decodeUint(const Node& node, uint64_t max) {
  return decodeInteger<uint64_t>(node, 0, max);
}

Decoded<double> decodeDouble(const Node& node) {
  if (node.kind != Kind::kNumber && node.kind != Kind::kString) {
    return expectedNumber(node);
  }
  if (node.text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (node.text == "Infinity" || node.text == "-Infinity") {
    const double infinity = std::numeric_limits<double>::infinity();
    return node.text[0] == '-' ? -infinity : infinity;
  }
  double number = 0;
  if (hasBlank(node.text) || !absl::SimpleAtod(node.text, &number) || !std::isfinite(number)) {
    return Misfit{absl::StrCat("a number is expected, not ", describe(node)),
                  "non-number characters in quoted number"};
  }
  return number;
}

Decoded<bool> decodeBool(const Node& node) {
  bool value = node.boolean;
  if (node.kind == Kind::kBool ||
      (node.kind == Kind::kString && !hasBlank(node.text) && absl::SimpleAtob(node.text, &value))) {
    return value;
  }
  return Misfit{absl::StrCat("true or false is expected, not ", describe(node)),
                "expected 'true' or 'false'"};
}

Decoded<std::string> decodeString(const Node& node) {
  if (node.kind != Kind::kString) {
    const bool scalar = node.kind == Kind::kNumber || node.kind == Kind::kBool;
    return Misfit{
        absl::StrCat("text is expected, not ", describe(node), scalar ? "; put it in quotes" : ""),
        unexpectedCharacter(node, '"')};
  }
  if (!isUtf8(node.text)) {
    return Misfit{"the text is not valid UTF-8", ""};
  }
  return node.text;
}

Decoded<std::string> decodeBytes(const Node& node) {
  if (node.kind != Kind::kString) {
    return Misfit{absl::StrCat("bytes are written as base64 text, not ", describe(node)),
                  unexpectedCharacter(node, '"')};
  }
  std::string bytes;
  if (!absl::Base64Unescape(absl::StrReplaceAll(node.text, {{"-", "+"}, {"_", "/"}}), &bytes)) {
    return Misfit{
        absl::StrCat("bytes are written as base64 text, which ", quoted(node.text), " is not"),
        "corrupt base64"};
  }
  return bytes;
}

Decoded<Span> decodeDuration(const Node& node) {
  if (node.kind != Kind::kString) {
    return badDuration(node, unexpectedCharacter(node, '"'));
  }
  absl::string_view rest = node.text;
  const auto digits = [&rest] {
    const absl::string_view found = rest.substr(0, rest.find_first_not_of("0123456789"));
    rest.remove_prefix(found.size());
    return found;
  };
  const bool negative = !rest.empty() && rest[0] == '-';
  rest.remove_prefix(negative ? 1 : 0);
  const absl::string_view seconds = digits();
  if (seconds.empty()) {
    return badDuration(node, "duration must start with an integer");
  }
  Span span;
  if (!absl::SimpleAtoi(seconds, &span.seconds) || span.seconds > kDurationSecondsMax) {
    return badDuration(node, "duration out of range");
  }
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    std::string nanos(digits());
    if (nanos.empty() || nanos.size() > kNanoDigits) {
      return badDuration(node, "duration had bad nanoseconds");
    }
    nanos.resize(kNanoDigits, '0');
    span.nanos = std::atoi(nanos.c_str());
  }
  if (rest != "s") {
    return badDuration(node, "duration must end with a single 's'");
  }
  return negative ? Span{-span.seconds, -span.nanos} : span;
}

} // namespace culvert::config
