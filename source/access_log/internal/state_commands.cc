// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/access_log/internal/json_text.h"
#include "source/access_log/internal/operator.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

using net::FilterState;
using net::Metadata;
using net::Value;

Found appendValue(const Value& value, std::string& out) {
  if (value.isNull())
    return Found::kNothing;
  if (const auto* text = std::get_if<std::string>(&value.kind)) {
    out += *text;
    return Found::kText;
  }
  appendJsonValue(value, out);
  return std::holds_alternative<double>(value.kind) ? Found::kNumber : Found::kJson;
}

// op.text is the filter's name, op.path what leads to the value: none for all of them.
template <auto kGet> Found printMetadata(const Operator& op, const Entry& entry, std::string& out) {
  const Metadata* const metadata = kGet(entry.info);
  if (metadata == nullptr)
    return Found::kNothing;
  if (op.path.empty()) {
    const Value::Fields* const fields = metadata->find(op.text);
    return fields == nullptr ? Found::kNothing : appendValue({*fields}, out);
  }
  const Value* const value = metadata->find(op.text, op.path);
  return value == nullptr ? Found::kNothing : appendValue(*value, out);
}

const Metadata* dynamicMetadata(const net::ConnectionInfo& info) {
  return info.dynamic_metadata.get();
}
const Metadata* listenerMetadata(const net::ConnectionInfo& info) {
  return info.listener == nullptr ? nullptr : info.listener->metadata.get();
}
const Metadata* clusterMetadata(const net::ConnectionInfo& info) {
  return info.upstream == nullptr || info.upstream->cluster == nullptr
             ? nullptr
             : info.upstream->cluster->metadata.get();
}
const Metadata* hostMetadata(const net::ConnectionInfo& info) {
  return info.upstream == nullptr || info.upstream->host == nullptr
             ? nullptr
             : info.upstream->host->metadata.get();
}

absl::Status parsePath(absl::string_view argument, Operator& op) {
  op.path = absl::StrSplit(argument, ':');
  op.text = op.path[0];
  op.path.erase(op.path.begin());
  return absl::OkStatus();
}

// METADATA(CLUSTER:filter:key) is CLUSTER_METADATA(filter:key), and so on.
absl::Status parseMetadata(absl::string_view argument, Operator& op) {
  struct Kind {
    absl::string_view name;
    Print print;
  };
  constexpr Kind kKinds[] = {
      {"DYNAMIC", printMetadata<dynamicMetadata>},
      {"CLUSTER", printMetadata<clusterMetadata>},
      {"UPSTREAM_HOST", printMetadata<hostMetadata>},
      {"LISTENER", printMetadata<listenerMetadata>},
      {"LISTENER_FILTER_CHAIN", printNothing},
      {"ROUTE", printNothing},
      {"VIRTUAL_HOST", printNothing},
  };
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(argument, absl::MaxSplits(':', 1));
  for (const Kind& kind : kKinds) {
    if (kind.name == parts.first) {
      op.print = kind.print;
      return parsePath(parts.second, op);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat(parts.first, " is not supported type of metadata"));
}

const FilterState::Object* findState(const Operator& op, const Entry& entry) {
  return entry.info.filter_state == nullptr ? nullptr : entry.info.filter_state->find(op.text);
}

Found printPlainState(const Operator& op, const Entry& entry, std::string& out) {
  const FilterState::Object* const object = findState(op, entry);
  const std::string plain = object == nullptr ? "" : object->serialize();
  if (plain.empty())
    return Found::kNothing;
  out += plain;
  return Found::kText;
}

Found printTypedState(const Operator& op, const Entry& entry, std::string& out) {
  const FilterState::Object* const object = findState(op, entry);
  const Value value = object == nullptr ? Value{} : object->typed();
  if (value.isNull())
    return Found::kNothing;
  appendJsonValue(value, out);
  return Found::kJson;
}

Found printStateField(const Operator& op, const Entry& entry, std::string& out) {
  const FilterState::Object* const object = findState(op, entry);
  const auto field = object == nullptr ? std::nullopt : object->field(op.path[0]);
  if (!field.has_value())
    return Found::kNothing;
  out += *field;
  return Found::kText;
}

// key, or key:PLAIN, key:TYPED, key:FIELD:name.
absl::Status parseState(absl::string_view argument, Operator& op) {
  const std::vector<std::string> words = absl::StrSplit(argument, ':');
  const std::string how = words.size() > 1 && !words[1].empty() ? words[1] : "TYPED";
  const std::string field = words.size() > 2 ? words[2] : "";
  if (words[0].empty()) {
    return absl::InvalidArgumentError("Invalid filter state configuration, key cannot be empty.");
  }
  if (how != "PLAIN" && how != "TYPED" && how != "FIELD") {
    return absl::InvalidArgumentError(
        "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.");
  }
  if ((how == "FIELD") == field.empty()) {
    return absl::InvalidArgumentError("Invalid filter state serialize type, FIELD should be used "
                                      "with the field name.");
  }
  op.text = words[0];
  op.path = {field};
  op.print = how == "PLAIN" ? printPlainState : how == "TYPED" ? printTypedState : printStateField;
  return absl::OkStatus();
}

absl::Status parseUpstreamState(absl::string_view argument, Operator& op) {
  const absl::Status status = parseState(argument, op);
  op.print = printNothing; // Upstream connections keep no state of their own.
  return status;
}

constexpr uint8_t kState = kMayHaveArgument | kMayHaveLength;

constexpr Command kCommands[] = {
    {"DYNAMIC_METADATA", kNeedsArgument | kMayHaveLength, printMetadata<dynamicMetadata>,
     parsePath},
    {"CLUSTER_METADATA", kNeedsArgument, printMetadata<clusterMetadata>, parsePath},
    {"UPSTREAM_METADATA", kNeedsArgument, printMetadata<hostMetadata>, parsePath},
    {"METADATA", kState, printNothing, parseMetadata},
    {"FILTER_STATE", kState, printTypedState, parseState},
    {"UPSTREAM_FILTER_STATE", kState, printNothing, parseUpstreamState},
};

} // namespace

absl::Span<const Command> stateCommands() { return kCommands; }

} // namespace culvert::access_log::internal
