// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "google/protobuf/message.h"

namespace culvert::upstream {

// The parts of a factory that follow from its message and name.
template <class Base, class Proto> class Named : public Base {
public:
  explicit Named(const char* name) : name_(name) {}
  std::string type() const override { return std::string(Proto::descriptor()->full_name()); }
  std::string name() const override { return name_; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<Proto>();
  }

private:
  const char* const name_;
};

} // namespace culvert::upstream
