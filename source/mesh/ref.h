// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace culvert::mesh {

// Counts its owners inside of itself: four bytes a record, where std::shared_ptr takes thirty-two.
// Threads: any, as long as nobody writes to the record any more.
template <class T> class Counted {
public:
  Counted() = default;
  Counted(const Counted&) {} // A copy of a record has owners of its own.
  Counted& operator=(const Counted&) { return *this; }

private:
  template <class U> friend class Ref;
  mutable std::atomic<uint32_t> references_{0};
};

// One owner of a record. Threads: the one that has it; records may have owners on all.
template <class T> class Ref {
public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* object) : object_(object) { take(); }
  Ref(const Ref& other) : object_(other.object_) { take(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  // A Ref to what may be written becomes one to what may not.
  template <class U> Ref(const Ref<U>& other) : object_(other.get()) { take(); }
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && object_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete object_;
    }
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }
  friend bool operator==(const Ref& a, std::nullptr_t) { return a.object_ == nullptr; }

private:
  void take() {
    if (object_ != nullptr) {
      object_->references_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  T* object_ = nullptr;
};

} // namespace culvert::mesh
