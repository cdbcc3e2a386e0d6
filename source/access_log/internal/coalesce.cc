// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/coalesce.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace culvert::access_log::internal {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

const Value* find(const Struct& object, const char* key) {
  const auto it = object.fields().find(key);
  return it == object.fields().end() ? nullptr : &it->second;
}

absl::StatusOr<Operator> makeKnown(const std::string& name, const std::string& argument,
                                   std::optional<size_t> length) {
  auto op = makeOperator(name, argument, length);
  if (absl::IsNotFound(op.status()))
    return absl::InvalidArgumentError(absl::StrCat("unknown command: '", name, "'"));
  return op;
}

absl::StatusOr<Operator> makeChoice(const Value& entry) {
  if (entry.kind_case() == Value::kStringValue)
    return makeKnown(entry.string_value(), "", std::nullopt);
  if (entry.kind_case() != Value::kStructValue) {
    return absl::InvalidArgumentError("operator entry must be either a string (command name) or an "
                                      "object with 'command' field");
  }
  const Value* const command = find(entry.struct_value(), "command");
  const Value* const param = find(entry.struct_value(), "param");
  const Value* const max_length = find(entry.struct_value(), "max_length");
  if (command == nullptr || command->kind_case() != Value::kStringValue)
    return absl::InvalidArgumentError("operator object must have 'command' field");
  if (param != nullptr && param->kind_case() != Value::kStringValue)
    return absl::InvalidArgumentError("'param' field must be a string");
  std::optional<size_t> length;
  if (max_length != nullptr) {
    const double number = max_length->number_value();
    if (number < 1 || number > 1e9 || number != std::floor(number))
      return absl::InvalidArgumentError("'max_length' must be a positive integer");
    length = static_cast<size_t>(number);
  }
  return makeKnown(command->string_value(), param == nullptr ? "" : param->string_value(), length);
}

absl::Status error(const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat("COALESCE: ", text));
}

} // namespace

absl::Status parseChoices(absl::string_view argument, Operator& op) {
  Struct config;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(argument), &config);
  if (!parsed.ok())
    return error(absl::StrCat("failed to parse JSON configuration: ", parsed.ToString()));
  const Value* const choices = find(config, "operators");
  if (choices == nullptr || choices->kind_case() != Value::kListValue)
    return error("JSON configuration must contain 'operators' array");
  if (choices->list_value().values().empty())
    return error("'operators' array must not be empty");
  for (const Value& entry : choices->list_value().values()) {
    auto choice = makeChoice(entry);
    if (!choice.ok()) {
      return error(absl::StrCat("failed to parse operator at index ", op.choices.size(), ": ",
                                choice.status().message()));
    }
    op.choices.push_back(*std::move(choice));
  }
  return absl::OkStatus();
}

Found printFirst(const Operator& op, const Entry& entry, std::string& out) {
  for (const Operator& choice : op.choices) {
    const size_t start = out.size();
    const Found found = choice.print(choice, entry, out);
    if (found == Found::kNothing)
      continue;
    if (found == Found::kText && out.size() - start > choice.length_max)
      out.resize(start + choice.length_max);
    return found;
  }
  return Found::kNothing;
}

} // namespace culvert::access_log::internal
