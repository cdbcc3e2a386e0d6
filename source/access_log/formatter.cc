// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/formatter.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "source/access_log/internal/json_format.h"
#include "source/access_log/internal/json_text.h"
#include "source/access_log/internal/operator.h"
#include "source/base/check.h"
#include "source/base/data_source.h"

namespace culvert::access_log {
namespace {

using envoy::config::core::v3::SubstitutionFormatString;
using internal::Found;
using internal::Piece;

constexpr absl::string_view kDefaultFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" "
    "\"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

// Lets literals say what operators without any value would, so that lines have few parts.
std::vector<Piece> mergeUnset(std::vector<Piece> pieces, bool omit_empty) {
  std::vector<Piece> merged;
  std::string literal;
  for (Piece& piece : pieces) {
    literal += piece.literal;
    if (!piece.op.has_value())
      continue;
    if (piece.op->print == internal::printNothing) {
      literal += omit_empty ? "" : "-";
      continue;
    }
    merged.push_back({std::exchange(literal, ""), std::move(piece.op)});
  }
  merged.push_back({std::move(literal), std::nullopt});
  return merged;
}

class TextFormatter final : public Formatter {
public:
  TextFormatter(std::vector<Piece> pieces, bool omit_empty)
      : pieces_(mergeUnset(std::move(pieces), omit_empty)), omit_empty_(omit_empty) {}

  void append(const Entry& entry, std::string& out) const override {
    for (const Piece& piece : pieces_) {
      out += piece.literal;
      if (!piece.op.has_value())
        continue;
      const size_t start = out.size();
      const Found found = piece.op->appendText(entry, out);
      if (found == Found::kNothing && !omit_empty_) {
        out.push_back('-');
      } else if (found == Found::kText && !piece.op->verbatim) {
        internal::escapeControls(out, start);
      }
    }
  }

private:
  const std::vector<Piece> pieces_;
  const bool omit_empty_;
};

class JsonFormatter final : public Formatter {
public:
  explicit JsonFormatter(internal::JsonFormat format) : format_(std::move(format)) {}

  void append(const Entry& entry, std::string& out) const override {
    format_.append(entry, out);
    out.push_back('\n');
  }

private:
  const internal::JsonFormat format_;
};

absl::Status below(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(field, ": ", status.message()));
}

absl::StatusOr<Formatter::Ptr> textFrom(absl::string_view field, absl::string_view format,
                                        bool omit_empty) {
  auto formatter = Formatter::text(format, omit_empty);
  return formatter.ok() ? std::move(formatter) : below(field, formatter.status());
}

} // namespace

absl::StatusOr<Formatter::Ptr> Formatter::text(absl::string_view format, bool omit_empty) {
  auto pieces = internal::parseFormat(format);
  if (!pieces.ok())
    return pieces.status();
  return std::make_unique<TextFormatter>(*std::move(pieces), omit_empty);
}

absl::StatusOr<Formatter::Ptr> Formatter::json(const google::protobuf::Struct& format,
                                               bool omit_empty) {
  auto compiled = internal::JsonFormat::create(format, omit_empty);
  if (!compiled.ok())
    return compiled.status();
  return std::make_unique<JsonFormatter>(*std::move(compiled));
}

Formatter::Ptr Formatter::defaultLine() {
  auto formatter = text(kDefaultFormat);
  CULVERT_CHECK(formatter.ok());
  return *std::move(formatter);
}

absl::StatusOr<Formatter::Ptr> Formatter::create(const SubstitutionFormatString& config) {
  if (!config.formatters().empty())
    return absl::InvalidArgumentError("formatters[0]: custom formatters are not supported");
  const bool omit_empty = config.omit_empty_values();
  switch (config.format_case()) {
  case SubstitutionFormatString::kTextFormat:
    return textFrom("text_format", config.text_format(), omit_empty);
  case SubstitutionFormatString::kTextFormatSource: {
    const auto source = base::readDataSource(config.text_format_source());
    if (!source.ok())
      return below("text_format_source", source.status());
    return textFrom("text_format_source", *source, omit_empty);
  }
  case SubstitutionFormatString::kJsonFormat: {
    auto formatter = json(config.json_format(), omit_empty);
    if (formatter.ok())
      return formatter;
    return absl::InvalidArgumentError(absl::StrCat("json_format.", formatter.status().message()));
  }
  case SubstitutionFormatString::FORMAT_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError("field: \"format\", reason: is required");
}

} // namespace culvert::access_log
