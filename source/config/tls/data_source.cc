// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/data_source.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/base.pb.h"
#include "source/base/field_error.h"

namespace culvert::config::tls {
namespace {

using base::errorAt;
using envoy::config::core::v3::DataSource;

constexpr absl::string_view kInline = "<inline>";

} // namespace

absl::StatusOr<culvert::tls::Source> readSource(const DataSource& source, const std::string& path) {
  switch (source.specifier_case()) {
  case DataSource::kFilename: {
    std::ifstream file(source.filename(), std::ios::binary);
    if (!file) {
      return errorAt(path, "Invalid path: " + source.filename());
    }
    std::string text(std::istreambuf_iterator<char>(file), {});
    if (text.empty()) {
      return errorAt(path, absl::StrCat("file ", source.filename(), " is empty"));
    }
    return culvert::tls::Source{std::move(text), source.filename()};
  }
  case DataSource::kEnvironmentVariable: {
    const char* const text = std::getenv(source.environment_variable().c_str());
    if (text == nullptr) {
      return errorAt(path, "Environment variable doesn't exist: " + source.environment_variable());
    }
    return culvert::tls::Source{text, std::string(kInline)};
  }
  case DataSource::kInlineBytes:
    return culvert::tls::Source{source.inline_bytes(), std::string(kInline)};
  default:
    return culvert::tls::Source{source.inline_string(), std::string(kInline)};
  }
}

culvert::tls::Source readSourceOrEmpty(const DataSource& source) {
  auto read = readSource(source, "");
  return read.ok() ? *std::move(read) : culvert::tls::Source{"", source.filename()};
}

} // namespace culvert::config::tls
