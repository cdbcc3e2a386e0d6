// SPDX-License-Identifier: Apache-2.0
// Names as peers' certificates have them, against every kind of matcher.
#include <cstdint>
#include <string>

#include "source/base/check.h"
#include "source/tls/san_matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::match::StringMatch;
  using culvert::tls::SanMatcher;
  using culvert::tls::SanType;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t middle = input.find('\n') == std::string::npos ? size : input.find('\n');
  const std::string text = input.substr(0, middle);
  const std::string san = middle < size ? input.substr(middle + 1) : std::string();
  for (const auto kind :
       {StringMatch::Kind::kExact, StringMatch::Kind::kPrefix, StringMatch::Kind::kSuffix,
        StringMatch::Kind::kContains, StringMatch::Kind::kRegex}) {
    const auto compiled = StringMatch::create(kind, text, text.size() % 2 == 1);
    if (!compiled.ok()) {
      continue;
    }
    for (const auto type : {SanType::kDns, SanType::kUri, SanType::kIp}) {
      const bool exact = kind == StringMatch::Kind::kExact;
      const SanMatcher matcher(type, *compiled, exact ? std::optional(text) : std::nullopt);
      matcher.matches(type, san);
      CULVERT_CHECK(kind == StringMatch::Kind::kRegex || matcher.matches(type, text));
    }
  }
  return 0;
}
