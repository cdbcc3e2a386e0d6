// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace culvert::base {

template <class Signature> class Delegate;

// A member function bound to an object: two pointers, no allocation, unlike std::function.
// Lifetime: borrows the object.
template <class R, class... Args> class Delegate<R(Args...)> {
public:
  Delegate() = default;

  // Delegate<void()>::to<&Session::onIdle>(this)
  template <auto kMethod, class T> static Delegate to(T* object) {
    return Delegate(object, [](void* self, Args... args) -> R {
      return (static_cast<T*>(self)->*kMethod)(std::forward<Args>(args)...);
    });
  }

  R operator()(Args... args) const { return function_(object_, std::forward<Args>(args)...); }
  explicit operator bool() const { return function_ != nullptr; }

private:
  using Function = R (*)(void*, Args...);
  Delegate(void* object, Function function) : object_(object), function_(function) {}

  void* object_ = nullptr;
  Function function_ = nullptr;
};

} // namespace culvert::base
