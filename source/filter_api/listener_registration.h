// SPDX-License-Identifier: Apache-2.0
#pragma once

// The registration line of a listener filter; listener_filter.h includes it, authors use only the
// macro.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "source/filter_api/factory.h"
#include "source/filter_api/listener_filter.h"
#include "source/filter_api/registration.h"
#include "source/registry/registry.h"

namespace culvert {

// One listener filter as configured: makes that filter for each connection.
// Threads: built on main, then read-only on all workers. Lifetime: outlives its filters.
class ListenerFilterConfig {
public:
  virtual ~ListenerFilterConfig() = default;
  virtual std::unique_ptr<ListenerFilter> newFilter() const = 0;
  virtual const char* id() const = 0;
};

// Makes ListenerFilterConfigs of one kind. Threads: main.
class ListenerFilterFactory : public registry::Factory {
public:
  // As NetworkFilterFactory::create.
  virtual absl::StatusOr<std::shared_ptr<const ListenerFilterConfig>>
  create(const google::protobuf::Message& config, FactoryContext& context) const = 0;
};

// `static constexpr const char* kNames[] = {...};`: the name people write, then older ones.
template <class F> std::vector<std::string> listenerFilterNames(const char* id) {
  if constexpr (requires { F::kNames; }) {
    return {std::begin(F::kNames), std::end(F::kNames)};
  } else {
    return {std::string("culvert.filters.listener.") + id};
  }
}

// With S as the shared, immutable state that each filter borrows.
template <class F, class S> class TypedListenerFilterConfig final : public ListenerFilterConfig {
public:
  TypedListenerFilterConfig(const char* id, std::shared_ptr<const S> shared)
      : id_(id), shared_(std::move(shared)) {}

  std::unique_ptr<ListenerFilter> newFilter() const override {
    return std::make_unique<F>(*shared_);
  }
  const char* id() const override { return id_; }

private:
  const char* const id_;
  const std::shared_ptr<const S> shared_;
};

// `Make` is either `absl::Status validate(const C&)`, and filters borrow the message, or
// `absl::StatusOr<std::shared_ptr<const S>> make(const C&, FactoryContext&)`, and they borrow S.
// Threads: main.
template <class C, class F, auto kMake>
class TypedListenerFilterFactory final : public ListenerFilterFactory {
public:
  explicit TypedListenerFilterFactory(const char* id)
      : id_(id), names_(listenerFilterNames<F>(id)) {}

  std::string type() const override { return C::descriptor()->full_name(); }
  std::string name() const override { return names_.front(); }
  std::vector<std::string> aliases() const override { return {names_.begin() + 1, names_.end()}; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<C>();
  }

  absl::StatusOr<std::shared_ptr<const ListenerFilterConfig>>
  create(const google::protobuf::Message& message, FactoryContext& context) const override {
    const C& config = static_cast<const C&>(message);
    if constexpr (std::is_invocable_v<decltype(kMake), const C&>) {
      if (absl::Status status = kMake(config); !status.ok()) {
        return status;
      }
      return std::make_shared<TypedListenerFilterConfig<F, C>>(id_,
                                                               std::make_shared<const C>(config));
    } else {
      auto shared = kMake(config, context);
      if (!shared.ok()) {
        return shared.status();
      }
      using Shared = typename MakeResult<decltype(shared)>::Shared;
      return std::make_shared<TypedListenerFilterConfig<F, Shared>>(id_, *std::move(shared));
    }
  }

private:
  const char* const id_;
  const std::vector<std::string> names_;
};

} // namespace culvert

// Write it in namespace culvert, in the .cc of the filter, with the target's name as id. It
// defines `void register_filter_<id>(registry::Registry&)`, which the proxy's generated list calls.
#define CULVERT_LISTENER_FILTER(id, Config, FilterClass, make)                                     \
  void register_filter_##id(registry::Registry& registry) {                                        \
    registry.add(registry::Category::kListenerFilter,                                              \
                 std::make_unique<TypedListenerFilterFactory<Config, FilterClass, &(make)>>(#id)); \
  }
