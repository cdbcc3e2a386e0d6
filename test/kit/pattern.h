// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "source/base/random.h"

namespace culvert::test {

// An endless stream of bytes in which each place shows whether it is the right one: to send, and to
// compare with what arrives.
class Pattern {
public:
  // From place `from` on, at most `size` bytes and at least one.
  static absl::string_view at(uint64_t from, size_t size) {
    const absl::string_view all = block();
    return all.substr(from % all.size(), size);
  }

  // Whether `bytes` are those from place `from` on.
  static bool continues(uint64_t from, absl::string_view bytes) {
    while (!bytes.empty()) {
      const absl::string_view expected = at(from, bytes.size());
      if (bytes.substr(0, expected.size()) != expected) {
        return false;
      }
      from += expected.size();
      bytes.remove_prefix(expected.size());
    }
    return true;
  }

private:
  static const std::string& block() {
    static const std::string* const bytes = [] {
      base::Random random(1);
      auto* const made = new std::string(1'000'003, '\0');
      std::generate(made->begin(), made->end(), [&] { return static_cast<char>(random.next()); });
      return made;
    }();
    return *bytes;
  }
};

} // namespace culvert::test
