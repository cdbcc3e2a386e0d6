// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/operator.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/access_log/internal/coalesce.h"
#include "source/base/json_text.h"

namespace culvert::access_log::internal {
namespace {

constexpr Command kCoalesce = {"COALESCE", kNeedsArgument | kMayHaveLength, printFirst,
                               parseChoices};

const Command* findCommand(absl::string_view name) {
  for (const auto commands :
       {connectionCommands(), upstreamCommands(), timeCommands(), stateCommands(), tlsCommands(),
        requestCommands(), unsetCommands(), absl::MakeConstSpan(&kCoalesce, 1)})
    for (const Command& command : commands) {
      if (command.name == name)
        return &command;
    }
  return nullptr;
}

absl::Status checkSyntax(const Command& command, absl::string_view argument, bool has_length) {
  constexpr uint8_t kAny = kMayHaveArgument | kNeedsArgument | kMayHaveLength;
  if ((command.syntax & kAny) == 0 && (!argument.empty() || has_length)) {
    return absl::InvalidArgumentError(
        absl::StrCat(command.name, " does not take any parameters or length"));
  }
  if ((command.syntax & kNeedsArgument) != 0 && argument.empty())
    return absl::InvalidArgumentError(absl::StrCat(command.name, " requires parameters"));
  if ((command.syntax & kMayHaveLength) == 0 && has_length) {
    return absl::InvalidArgumentError(
        absl::StrCat(command.name, " does not allow length to be specified."));
  }
  return absl::OkStatus();
}

// A %COMMAND(argument):length% at the front of a format.
struct Token {
  absl::string_view name;
  absl::string_view argument = ""; // Never null, which StrSplit splits into nothing.
  std::optional<size_t> length;
  size_t size = 0; // Of all of it, with both percent signs.
};

// Reads ":length%" or "%" at `at`; false if it is neither.
bool readEnd(absl::string_view text, size_t at, Token& token) {
  size_t end = at;
  if (end < text.size() && text[end] == ':') {
    end = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
    size_t length = 0;
    if (end == at + 1 || !absl::SimpleAtoi(text.substr(at + 1, end - at - 1), &length))
      return false;
    token.length = length;
  }
  token.size = end + 1;
  return end < text.size() && text[end] == '%';
}

std::optional<Token> readToken(absl::string_view text) {
  Token token;
  size_t at = 1;
  while (at < text.size() &&
         (absl::ascii_isupper(static_cast<unsigned char>(text[at])) ||
          absl::ascii_isdigit(static_cast<unsigned char>(text[at])) || text[at] == '_'))
    at++;
  token.name = text.substr(1, at - 1);
  if (token.name.empty())
    return std::nullopt;
  if (at == text.size() || text[at] != '(')
    return readEnd(text, at, token) ? std::optional(token) : std::nullopt;
  // The argument ends at the first bracket behind which the operator can end; it may hold others.
  for (size_t close = at + 1; close < text.size() && text[close] != '\n'; close++) {
    if (text[close] == ')' && readEnd(text, close + 1, token)) {
      token.argument = text.substr(at + 1, close - at - 1);
      return token;
    }
  }
  return std::nullopt;
}

} // namespace

absl::StatusOr<Operator> makeOperator(absl::string_view name, absl::string_view argument,
                                      std::optional<size_t> length) {
  const Command* const command = findCommand(name);
  if (command == nullptr)
    return absl::NotFoundError(absl::StrCat("Not supported field in StreamInfo: ", name));
  if (absl::Status status = checkSyntax(*command, argument, length.has_value()); !status.ok())
    return status;
  Operator op;
  op.print = command->print;
  op.length_max = length.value_or(kNoLimit);
  op.verbatim = (command->syntax & kVerbatim) != 0;
  if (command->parse != nullptr) {
    if (absl::Status status = command->parse(argument, op); !status.ok())
      return status;
  }
  return op;
}

absl::StatusOr<std::vector<Piece>> parseFormat(absl::string_view format) {
  std::vector<Piece> pieces;
  std::string literal;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      literal.push_back(format[at++]);
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == '%') {
      literal.push_back('%');
      at += 2;
      continue;
    }
    const std::optional<Token> token = readToken(format.substr(at));
    if (!token.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "Incorrect configuration: ", format, ". Couldn't find valid command at position ", at));
    }
    auto op = makeOperator(token->name, token->argument, token->length);
    if (!op.ok())
      return absl::InvalidArgumentError(op.status().message());
    pieces.push_back({std::move(literal), *std::move(op)});
    literal.clear();
    at += token->size;
  }
  if (!literal.empty() || pieces.empty())
    pieces.push_back({std::move(literal), std::nullopt});
  return pieces;
}

Found Operator::appendText(const Entry& entry, std::string& out) const {
  const size_t start = out.size();
  const Found found = print(*this, entry, out);
  if (out.size() - start > length_max)
    out.resize(start + length_max);
  return found;
}

bool Operator::appendJson(const Entry& entry, std::string& out) const {
  out.push_back('"');
  const size_t start = out.size();
  const Found found = print(*this, entry, out);
  switch (found) {
  case Found::kNothing:
  case Found::kBlank:
    out.pop_back();
    return false;
  case Found::kText:
    if (out.size() - start > length_max)
      out.resize(start + length_max);
    base::escapeJson(out, start);
    out.push_back('"');
    return true;
  case Found::kNumber:
  case Found::kJson:
    out.erase(start - 1, 1);
    return true;
  }
  return false;
}

} // namespace culvert::access_log::internal
