// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "source/base/file.h"

namespace culvert::base {

// What an envoy.config.core.v3.DataSource stands for: the text in it, or that of a file or of an
// environment variable, read now. A template, for rooms that know the message.
// Threads: main.
template <class DataSource> absl::StatusOr<std::string> readDataSource(const DataSource& source) {
  switch (source.specifier_case()) {
  case DataSource::kInlineString:
    return source.inline_string();
  case DataSource::kInlineBytes:
    return source.inline_bytes();
  case DataSource::kFilename: {
    auto text = readFile(source.filename());
    if (!text.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("Invalid path: ", source.filename()));
    }
    return *std::move(text);
  }
  case DataSource::kEnvironmentVariable: {
    const char* const value = std::getenv(source.environment_variable().c_str());
    if (value == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("Environment variable doesn't exist: ", source.environment_variable()));
    }
    return std::string(value);
  }
  default:
    return absl::InvalidArgumentError("field: \"specifier\", reason: is required");
  }
}

} // namespace culvert::base
