// SPDX-License-Identifier: Apache-2.0
#include "source/stats/store_config.h"

#include "source/stats/tags.h"

#include "absl/strings/str_cat.h"
#include "re2/re2.h"

namespace culvert::stats {
namespace {

absl::Status checkRegex(absl::string_view path, const std::string& regex) {
  const re2::RE2 compiled(regex, re2::RE2::Quiet);
  return compiled.ok() ? absl::OkStatus()
                       : absl::InvalidArgumentError(absl::StrCat(path, ": Invalid regex '", regex,
                                                                 "': ", compiled.error()));
}

absl::Status check(absl::string_view path, const StringMatch& match) {
  return match.kind == StringMatch::Kind::kRegex
             ? checkRegex(absl::StrCat(path, ".safe_regex.regex"), match.value)
             : absl::OkStatus();
}

absl::Status check(absl::string_view path, const TagSpecifier& tag) {
  if (tag.fixed_value.has_value()) {
    return absl::OkStatus();
  }
  if (tag.regex.has_value()) {
    if (tag.name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ".tag_name: tag_name cannot be empty"));
    }
    return checkRegex(absl::StrCat(path, ".regex"), *tag.regex);
  }
  if (!TagExtractor::isBuiltIn(tag.name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": No regex specified for tag specifier and no default regex for name: '", tag.name,
        "'"));
  }
  return absl::OkStatus();
}

} // namespace

absl::Status validate(const StoreConfig& config) {
  for (size_t i = 0; i < config.tags.size(); ++i) {
    if (auto status = check(absl::StrCat("stats_tags[", i, "]"), config.tags[i]); !status.ok()) {
      return status;
    }
  }
  const absl::string_view list = config.matcher.kind == StatsMatcher::Kind::kExclusionList
                                     ? "exclusion_list"
                                     : "inclusion_list";
  for (size_t i = 0; i < config.matcher.patterns.size(); ++i) {
    const std::string path = absl::StrCat("stats_matcher.", list, ".patterns[", i, "]");
    if (auto status = check(path, config.matcher.patterns[i]); !status.ok()) {
      return status;
    }
  }
  for (size_t i = 0; i < config.histogram_buckets.size(); ++i) {
    const std::string path = absl::StrCat("histogram_bucket_settings[", i, "].match");
    if (auto status = check(path, config.histogram_buckets[i].match); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

} // namespace culvert::stats
