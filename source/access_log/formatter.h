// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Struct;
}
namespace envoy::config::core::v3 {
class SubstitutionFormatString;
}

namespace culvert::access_log {

struct Entry;

// A compiled format with %OPERATORS%: see docs/access_log.md for what they print. Whatever a peer
// had a say in is printed without control characters, so that one entry stays one line.
// Threads: built on main, then any.
// Errors: Envoy's texts, behind the path of the field inside the message.
class Formatter {
public:
  using Ptr = std::unique_ptr<const Formatter>;

  virtual ~Formatter() = default;

  // Text and JSON formats alike. Errors also: the list of custom formatters is refused.
  static absl::StatusOr<Ptr>
  create(const envoy::config::core::v3::SubstitutionFormatString& config);
  // `omit_empty`: what has no value leaves nothing, instead of "-".
  static absl::StatusOr<Ptr> text(absl::string_view format, bool omit_empty = false);
  // One object and a newline, its keys sorted, its numbers numbers. `omit_empty`: a key without a
  // value goes, instead of being null.
  static absl::StatusOr<Ptr> json(const google::protobuf::Struct& format, bool omit_empty = false);
  // The line that Envoy writes where no format is given.
  static Ptr defaultLine();

  virtual void append(const Entry& entry, std::string& out) const = 0;
};

} // namespace culvert::access_log
