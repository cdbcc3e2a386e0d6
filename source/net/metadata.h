// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace culvert::net {

// A value as JSON has them: google.protobuf.Value for rooms that know no messages.
// Threads: any, as a container.
struct Value {
  using List = std::vector<Value>;
  using Fields = std::map<std::string, Value, std::less<>>;

  std::variant<std::monostate, bool, double, std::string, List, Fields> kind;

  bool isNull() const { return std::holds_alternative<std::monostate>(kind); }
};

// What filters, clusters, hosts and listeners are annotated with, by filter name.
class Metadata {
public:
  void set(absl::string_view filter, Value::Fields fields) {
    fields_.insert_or_assign(std::string(filter), std::move(fields));
  }
  // Adds to what `filter` has; a key that is there already gets the new value.
  void merge(absl::string_view filter, Value::Fields fields) {
    Value::Fields& mine = fields_[std::string(filter)];
    for (auto& [key, value] : fields)
      mine.insert_or_assign(key, std::move(value));
  }
  // Null when `filter` has none.
  const Value::Fields* find(absl::string_view filter) const {
    const auto it = fields_.find(filter);
    return it == fields_.end() ? nullptr : &it->second;
  }
  // The value below `filter` that a path of one key or more leads to. Null when there is none.
  const Value* find(absl::string_view filter, absl::Span<const std::string> path) const {
    const Value::Fields* fields = find(filter);
    const Value* value = nullptr;
    for (const std::string& key : path) {
      if (fields == nullptr)
        return nullptr;
      const auto it = fields->find(key);
      if (it == fields->end())
        return nullptr;
      value = &it->second;
      fields = std::get_if<Value::Fields>(&value->kind);
    }
    return value;
  }

private:
  std::map<std::string, Value::Fields, std::less<>> fields_;
};

} // namespace culvert::net
