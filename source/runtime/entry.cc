// SPDX-License-Identifier: Apache-2.0
#include "source/runtime/entry.h"

#include <charconv>
#include <cmath>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace culvert::runtime {
namespace {

std::optional<uint32_t> denominatorOf(absl::string_view name) {
  if (name == "HUNDRED")
    return 100;
  if (name == "TEN_THOUSAND")
    return 10'000;
  if (name == "MILLION")
    return 1'000'000;
  return std::nullopt;
}

absl::string_view unquoted(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

// The forms that a FractionalPercent takes in YAML: lines, or braces, also those of JSON.
std::optional<Fraction> parseFraction(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (absl::ConsumePrefix(&text, "{") && !absl::ConsumeSuffix(&text, "}"))
    return std::nullopt;
  Fraction fraction;
  bool any = false;
  for (const absl::string_view line : absl::StrSplit(text, absl::ByAnyChar(",\n"))) {
    if (absl::StripAsciiWhitespace(line).empty())
      continue;
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const absl::string_view name = unquoted(parts.first);
    const absl::string_view value = unquoted(parts.second);
    if (name == "numerator" && absl::SimpleAtoi(value, &fraction.numerator)) {
      any = true;
    } else if (const auto known = denominatorOf(value); name == "denominator" && known) {
      fraction.denominator = *known;
      any = true;
    } else {
      return std::nullopt;
    }
  }
  return any ? std::optional(fraction) : std::nullopt;
}

void setNumber(Entry& entry, double number) {
  constexpr double kIntegerEnd = 18446744073709551616.0; // 2^64
  entry.number = number;
  if (number >= 0 && number < kIntegerEnd)
    entry.integer = static_cast<uint64_t>(number);
}

} // namespace

Entry Entry::parse(absl::string_view text) {
  Entry entry;
  entry.text = std::string(text);
  double number = 0;
  uint64_t integer = 0;
  if (absl::SimpleAtod(text, &number) && std::isfinite(number))
    setNumber(entry, number);
  if (absl::SimpleAtoi(text, &integer)) // All digits, where a double has 53 bits.
    entry.integer = integer;
  if (absl::EqualsIgnoreCase(text, "true"))
    entry.boolean = true;
  if (absl::EqualsIgnoreCase(text, "false"))
    entry.boolean = false;
  entry.fraction = parseFraction(text);
  return entry;
}

Entry Entry::ofNumber(double number) {
  Entry entry;
  char digits[32]; // The fewest that tell it from other numbers.
  entry.text.assign(digits, std::to_chars(digits, std::end(digits), number).ptr);
  setNumber(entry, number);
  return entry;
}

Entry Entry::ofBoolean(bool value) {
  Entry entry;
  entry.text = value ? "true" : "false";
  entry.boolean = value;
  return entry;
}

Entry Entry::ofFraction(Fraction fraction) {
  Entry entry;
  entry.text = absl::StrCat("numerator: ", fraction.numerator, "\ndenominator: ",
                            fraction.denominator == 100      ? "HUNDRED"
                            : fraction.denominator == 10'000 ? "TEN_THOUSAND"
                                                             : "MILLION");
  entry.fraction = fraction;
  return entry;
}

} // namespace culvert::runtime
