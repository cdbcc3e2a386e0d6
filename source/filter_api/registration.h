// SPDX-License-Identifier: Apache-2.0
#pragma once

// The registration line of a network filter; filter.h includes it, authors use only the macro.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "source/filter_api/factory.h"
#include "source/filter_api/filter.h"
#include "source/registry/registry.h"

namespace culvert {

template <class F> struct FilterTraits {
  // A filter sees a direction if it overrides that verb.
  static constexpr bool kSeesReads =
      !std::is_same_v<decltype(&F::onData), Next (Filter::*)(Buffer&, bool)>;
  static constexpr bool kSeesWrites =
      !std::is_same_v<decltype(&F::onWrite), Next (Filter::*)(Buffer&, bool)>;
  // `static constexpr bool kTerminal = true;` in the class of a filter that ends its chain.
  static constexpr bool kTerminal = requires { requires F::kTerminal; };

  // `static constexpr const char* kNames[] = {...};`: the name people write, then older ones.
  static std::vector<std::string> names(const char* id) {
    if constexpr (requires { F::kNames; }) {
      return {std::begin(F::kNames), std::end(F::kNames)};
    } else {
      return {std::string("culvert.filters.") + id};
    }
  }
};

// One entry of a chain, with S as the shared, immutable state that each filter borrows.
template <class F, class S> class TypedFilterConfig final : public NetworkFilterConfig {
public:
  TypedFilterConfig(const char* id, std::shared_ptr<const S> shared, stats::Scope& scope)
      : NetworkFilterConfig(id, {FilterTraits<F>::kSeesReads, FilterTraits<F>::kSeesWrites}, scope),
        shared_(std::move(shared)) {}

  std::unique_ptr<Filter> make(FilterContext& context) const override {
    return std::make_unique<F>(*shared_, context);
  }

private:
  const std::shared_ptr<const S> shared_;
};

template <class S> struct MakeResult;
template <class S> struct MakeResult<absl::StatusOr<std::shared_ptr<const S>>> {
  using Shared = S;
};

// `Make` is either `absl::Status validate(const C&)`, and filters borrow the message, or
// `absl::StatusOr<std::shared_ptr<const S>> make(const C&, FactoryContext&)`, and they borrow S.
// Threads: main.
template <class C, class F, auto kMake>
class TypedFilterFactory final : public NetworkFilterFactory {
public:
  explicit TypedFilterFactory(const char* id) : id_(id), names_(FilterTraits<F>::names(id)) {}

  std::string type() const override { return C::descriptor()->full_name(); }
  std::string name() const override { return names_.front(); }
  std::vector<std::string> aliases() const override { return {names_.begin() + 1, names_.end()}; }
  bool terminal() const override { return FilterTraits<F>::kTerminal; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<C>();
  }

  absl::StatusOr<std::shared_ptr<const NetworkFilterConfig>>
  create(const google::protobuf::Message& message, FactoryContext& context) const override {
    const C& config = static_cast<const C&>(message);
    if constexpr (std::is_invocable_v<decltype(kMake), const C&>) {
      if (absl::Status status = kMake(config); !status.ok()) {
        return status;
      }
      return finish(std::make_shared<const C>(config), context);
    } else {
      auto shared = kMake(config, context);
      if (!shared.ok()) {
        return shared.status();
      }
      return finish(*std::move(shared), context);
    }
  }

private:
  template <class S>
  std::shared_ptr<const NetworkFilterConfig> finish(std::shared_ptr<const S> shared,
                                                    FactoryContext& context) const {
    auto config = std::make_shared<TypedFilterConfig<F, S>>(id_, std::move(shared), context.scope);
    config->nameStatistics();
    return config;
  }

  const char* const id_;
  const std::vector<std::string> names_;
};

} // namespace culvert

// Write it in namespace culvert, in the .cc of the filter, with the target's name as id. It defines
// `void register_filter_<id>(registry::Registry&)`, which the proxy's generated list calls.
#define CULVERT_NETWORK_FILTER(id, Config, FilterClass, make)                                      \
  void register_filter_##id(registry::Registry& registry) {                                        \
    registry.add(registry::Category::kNetworkFilter,                                               \
                 std::make_unique<TypedFilterFactory<Config, FilterClass, &(make)>>(#id));         \
  }
