// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace culvert {

// What the configurations of several filters share because they say so, by key: begin it with the
// filter's id. An object lives as long as somebody uses it.
// Threads: main; the objects themselves may be for all.
class SharedObjects {
public:
  // The one in use under `key`, or a new one that `make` returns as a shared_ptr<T>.
  template <class T, class Make> std::shared_ptr<T> find(const std::string& key, Make make) {
    absl::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<void>& object = objects_[key];
    std::shared_ptr<T> found = std::static_pointer_cast<T>(object.lock());
    if (found == nullptr) {
      found = make();
      object = found;
    }
    return found;
  }

private:
  absl::flat_hash_map<std::string, std::weak_ptr<void>> objects_;
};

} // namespace culvert
