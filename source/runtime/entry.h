// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace culvert::runtime {

// A share of all: numerator / denominator.
struct Fraction {
  uint32_t numerator = 0;
  uint32_t denominator = 100; // 100, 10,000 or 1,000,000.
};

// A value of the runtime: its text, and what else the text can be read as.
struct Entry {
  std::string text;
  std::optional<double> number;
  std::optional<uint64_t> integer; // Of numbers from 0 on, cut.
  std::optional<bool> boolean;
  std::optional<Fraction> fraction;

  // From what a file, a string in YAML or the admin page says: "5", "1.5", "true",
  // "numerator: 5", "{numerator: 5, denominator: TEN_THOUSAND}".
  static Entry parse(absl::string_view text);
  static Entry ofNumber(double number);
  static Entry ofBoolean(bool value);
  static Entry ofFraction(Fraction fraction);
};

// By key, whose parts dots join.
using Entries = std::map<std::string, Entry>;

} // namespace culvert::runtime
