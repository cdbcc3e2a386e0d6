// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/text.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "source/base/check.h"

namespace culvert::mesh {

struct Text::Shared {
  explicit Shared(uint32_t length_bytes) : size(length_bytes) {}
  char* bytes() { return reinterpret_cast<char*>(this + 1); }

  std::atomic<uint32_t> references{1};
  const uint32_t size; // The bytes follow.
};

Text::Text(const Text& other) : shared_(other.shared_) {
  if (shared_ != nullptr) {
    shared_->references.fetch_add(1, std::memory_order_relaxed);
  }
}

Text::~Text() {
  if (shared_ != nullptr && shared_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    shared_->~Shared();
    std::free(shared_);
  }
}

Text Text::copy(absl::string_view text) {
  if (text.empty()) {
    return {};
  }
  CULVERT_CHECK(text.size() <= UINT32_MAX);
  void* const memory = std::malloc(sizeof(Shared) + text.size());
  CULVERT_CHECK(memory != nullptr);
  Shared* const shared = new (memory) Shared(static_cast<uint32_t>(text.size()));
  std::memcpy(shared->bytes(), text.data(), text.size());
  return Text(shared);
}

absl::string_view Text::view() const {
  return shared_ == nullptr ? absl::string_view()
                            : absl::string_view(shared_->bytes(), shared_->size);
}

bool Text::unshared() const {
  return shared_ != nullptr && shared_->references.load(std::memory_order_acquire) == 1;
}

Text TextPool::intern(absl::string_view text) {
  if (text.empty()) {
    return {};
  }
  if (const auto found = texts_.find(text); found != texts_.end()) {
    return *found;
  }
  if (texts_.size() >= sweep_above_) {
    sweep();
  }
  return *texts_.insert(Text::copy(text)).first;
}

void TextPool::sweep() {
  absl::erase_if(texts_, [](const Text& text) { return text.unshared(); });
  constexpr size_t kSweepAboveMin = 1024;
  sweep_above_ = std::max(kSweepAboveMin, texts_.size() * 2);
}

} // namespace culvert::mesh
