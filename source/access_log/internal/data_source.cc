// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/data_source.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/base.pb.h"

namespace culvert::access_log::internal {
namespace {

using envoy::config::core::v3::DataSource;

absl::StatusOr<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::InvalidArgumentError(absl::StrCat("Invalid path: ", path));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad())
    return absl::InvalidArgumentError(absl::StrCat("unable to read file: ", path));
  return text;
}

} // namespace

absl::StatusOr<std::string> readDataSource(const DataSource& source) {
  switch (source.specifier_case()) {
  case DataSource::kInlineString:
    return source.inline_string();
  case DataSource::kInlineBytes:
    return source.inline_bytes();
  case DataSource::kFilename:
    return readFile(source.filename());
  case DataSource::kEnvironmentVariable: {
    const char* const value = std::getenv(source.environment_variable().c_str());
    if (value != nullptr)
      return std::string(value);
    return absl::InvalidArgumentError(
        absl::StrCat("Environment variable doesn't exist: ", source.environment_variable()));
  }
  case DataSource::SPECIFIER_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError("field: \"specifier\", reason: is required");
}

} // namespace culvert::access_log::internal
