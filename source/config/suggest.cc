// SPDX-License-Identifier: Apache-2.0
#include "source/config/suggest.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace culvert::config {
namespace {

constexpr size_t kQuotedBytesMax = 200;
constexpr size_t kNameBytesMax = 200; // Longer names are not compared: the cost is quadratic.

// Two typing errors in a short name, more in a long one.
size_t tolerance(size_t length) { return length <= 3 ? 1 : length <= 8 ? 2 : 3; }

// `timeout` for `connect_timeout`: a whole word at one end of a name.
bool isWordOf(absl::string_view word, absl::string_view name) {
  return word.size() >= 3 && (absl::EndsWithIgnoreCase(name, absl::StrCat("_", word)) ||
                              absl::StartsWithIgnoreCase(name, absl::StrCat(word, "_")));
}

} // namespace

size_t editDistance(absl::string_view a, absl::string_view b, size_t limit) {
  const size_t longer = std::max(a.size(), b.size());
  if (longer - std::min(a.size(), b.size()) > limit || longer > kNameBytesMax) {
    return limit + 1;
  }
  std::vector<size_t> older, old(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) {
    old[j] = j;
  }
  const auto same = [&](size_t i, size_t j) {
    return absl::ascii_tolower(a[i]) == absl::ascii_tolower(b[j]);
  };
  for (size_t i = 0; i < a.size(); i++) {
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); j++) {
      row[j + 1] = std::min({old[j + 1] + 1, row[j] + 1, old[j] + (same(i, j) ? 0 : 1)});
      if (i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j)) {
        row[j + 1] = std::min(row[j + 1], older[j - 1] + 1);
      }
    }
    older = old;
    std::swap(old, row);
  }
  return old[b.size()];
}

std::string nearestName(absl::string_view written, const std::vector<std::string>& known) {
  const size_t limit = tolerance(written.size());
  size_t best = limit + 1;
  std::string nearest;
  for (const std::string& name : known) {
    const size_t distance = editDistance(written, name, limit);
    if (distance < best && distance < name.size()) {
      best = distance;
      nearest = name;
    }
  }
  if (!nearest.empty()) {
    return nearest;
  }
  for (const std::string& name : known) {
    if (isWordOf(written, name) || isWordOf(name, written)) {
      if (!nearest.empty()) {
        return ""; // Two are as likely.
      }
      nearest = name;
    }
  }
  return nearest;
}

std::string didYouMean(absl::string_view suggestion) {
  return suggestion.empty() ? "" : absl::StrCat("; did you mean '", suggestion, "'?");
}

std::string quoted(absl::string_view text) {
  const bool cut = text.size() > kQuotedBytesMax;
  return absl::StrCat("'", text.substr(0, kQuotedBytesMax), cut ? "..." : "", "'");
}

} // namespace culvert::config
