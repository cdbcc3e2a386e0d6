// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/access_log/access_log.h"

namespace culvert::access_log::internal {

class TimeFormat;
struct Operator;

// What an operator found for an entry.
enum class Found : uint8_t {
  kNothing, // "-" in text, null in JSON.
  kBlank,   // Empty in text, null in JSON.
  kText,
  kNumber,
  kJson, // Text that is JSON already.
};

// Appends the value to `out`, or nothing when there is none.
using Print = Found (*)(const Operator& op, const Entry& entry, std::string& out);

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

// One %COMMAND(argument):length% of a format, ready to print. Threads: any, once parsed.
struct Operator {
  Print print = nullptr;
  size_t length_max = kNoLimit; // Of text. What is JSON is cut in text formats only.
  bool verbatim = false;        // Configuration alone decides the text: it may hold line breaks.

  // What the argument said, as each command wants it.
  std::string text;
  std::vector<std::string> path;
  int64_t number = 0;
  std::shared_ptr<const TimeFormat> time;
  std::vector<Operator> choices;

  // What goes into a text format, or into a JSON string made of several parts, not yet escaped.
  Found appendText(const Entry& entry, std::string& out) const;
  // A whole JSON value. False when there is none; nothing is appended then.
  bool appendJson(const Entry& entry, std::string& out) const;
};

// Which parts a command takes.
enum Syntax : uint8_t {
  kBare = 0,
  kMayHaveArgument = 1,
  kNeedsArgument = 2,
  kMayHaveLength = 4,
  kVerbatim = 8, // Not of the syntax: see Operator::verbatim.
};

struct Command {
  absl::string_view name;
  uint8_t syntax;
  Print print;
  // Checks the argument and leaves it in the operator. Called also for an empty one.
  absl::Status (*parse)(absl::string_view argument, Operator& op) = nullptr;
};

// Of the same name as what they are about.
absl::Span<const Command> connectionCommands();
absl::Span<const Command> upstreamCommands();
absl::Span<const Command> timeCommands();
absl::Span<const Command> stateCommands();
absl::Span<const Command> tlsCommands();
absl::Span<const Command> requestCommands();
absl::Span<const Command> unsetCommands();

// What is known to every Envoy, but has no value in a TCP proxy.
Found printNothing(const Operator& op, const Entry& entry, std::string& out);

// Errors: NotFound for an unknown name; an argument or length where none may be, and what
// Command::parse says.
absl::StatusOr<Operator> makeOperator(absl::string_view name, absl::string_view argument,
                                      std::optional<size_t> length);

// A format cut into pieces: literals, and operators between them.
struct Piece {
  std::string literal;
  std::optional<Operator> op; // Printed behind the literal.
};
absl::StatusOr<std::vector<Piece>> parseFormat(absl::string_view format);

} // namespace culvert::access_log::internal
