// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace culvert::mesh {

// A text that never changes, in one pointer; copies share it. A workload has a dozen of them, most
// of them the same as its neighbours'.
// Threads: any; copying and dropping are atomic.
class Text {
public:
  Text() = default; // ""
  Text(const Text& other);
  Text(Text&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
  Text& operator=(Text other) noexcept {
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Text();

  // A text of its own, not looked for among the pool's.
  static Text copy(absl::string_view text);

  absl::string_view view() const;
  operator absl::string_view() const { return view(); }
  std::string string() const { return std::string(view()); }
  bool empty() const { return shared_ == nullptr; }
  size_t size() const { return view().size(); }

  friend bool operator==(const Text& a, const Text& b) {
    return a.shared_ == b.shared_ || a.view() == b.view();
  }
  friend bool operator==(const Text& a, absl::string_view b) { return a.view() == b; }
  friend bool operator<(const Text& a, const Text& b) { return a.view() < b.view(); }
  template <typename H> friend H AbslHashValue(H h, const Text& text) {
    return H::combine(std::move(h), text.view());
  }

private:
  friend class TextPool;
  struct Shared;
  explicit Text(Shared* shared) : shared_(shared) {}
  bool unshared() const; // Nobody else has it.

  Shared* shared_ = nullptr;
};

// Finds texts that are there already, so that equal ones are kept once.
// Threads: one, the table's writer; what it gives out is for any.
class TextPool {
public:
  Text intern(absl::string_view text);
  size_t size() const { return texts_.size(); }

  // Forgets what nobody else uses any more. intern() does so itself, whenever the pool has
  // doubled; whoever has dropped much at once calls it.
  void sweep();

private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(absl::string_view text) const { return absl::HashOf(text); }
    size_t operator()(const Text& text) const { return absl::HashOf(text.view()); }
  };
  struct Same {
    using is_transparent = void;
    bool operator()(absl::string_view a, absl::string_view b) const { return a == b; }
  };

  absl::flat_hash_set<Text, Hash, Same> texts_;
  size_t sweep_above_ = 1024;
};

} // namespace culvert::mesh
