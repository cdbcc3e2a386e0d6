// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/data_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/base.pb.h"
#include "source/base/data_source.h"
#include "source/base/field_error.h"

namespace culvert::config::tls {
namespace {

using base::errorAt;
using envoy::config::core::v3::DataSource;

constexpr absl::string_view kInline = "<inline>";

} // namespace

absl::StatusOr<culvert::tls::Source> readSource(const DataSource& source, const std::string& path) {
  if (source.specifier_case() == DataSource::SPECIFIER_NOT_SET) {
    return culvert::tls::Source{"", std::string(kInline)};
  }
  auto text = base::readDataSource(source);
  if (!text.ok()) {
    return errorAt(path, text.status().message());
  }
  if (source.has_filename() && text->empty()) {
    return errorAt(path, absl::StrCat("file ", source.filename(), " is empty"));
  }
  return culvert::tls::Source{*std::move(text),
                              source.has_filename() ? source.filename() : std::string(kInline)};
}

culvert::tls::Source readSourceOrEmpty(const DataSource& source) {
  auto read = readSource(source, "");
  return read.ok() ? *std::move(read) : culvert::tls::Source{"", source.filename()};
}

} // namespace culvert::config::tls
