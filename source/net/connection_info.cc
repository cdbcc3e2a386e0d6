// SPDX-License-Identifier: Apache-2.0
#include "source/net/connection_info.h"

#include <utility>

namespace culvert::net {

void FilterState::set(absl::string_view key, std::shared_ptr<Object> object, Sharing sharing) {
  for (Entry& entry : entries_) {
    if (entry.key == key) {
      entry.object = std::move(object);
      entry.sharing = sharing;
      return;
    }
  }
  entries_.reserve(entries_.size() + 1); // There are few, for as long as the connection.
  entries_.push_back({std::string(key), std::move(object), sharing});
}

const FilterState::Object* FilterState::find(absl::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) {
      return entry.object.get();
    }
  }
  return nullptr;
}

std::unique_ptr<FilterState> FilterState::shared() const {
  std::unique_ptr<FilterState> shared;
  for (const Entry& entry : entries_) {
    if (entry.sharing == Sharing::kNone) {
      continue;
    }
    if (shared == nullptr) {
      shared = std::make_unique<FilterState>();
    }
    shared->entries_.push_back(entry);
    if (entry.sharing == Sharing::kOnce) {
      shared->entries_.back().sharing = Sharing::kNone;
    }
  }
  return shared;
}

std::optional<std::string> AddressState::field(absl::string_view name) const {
  if (name == "ip") {
    return address_.ipString();
  }
  if (name == "port") {
    return std::to_string(address_.port());
  }
  return std::nullopt;
}

} // namespace culvert::net
