// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"
#include "source/base/proto.h"
#include "source/config/problems.h"
#include "source/config/validate.h"
#include "source/registry/registry.h"

namespace culvert::server {

// The factory of a `{name, typed_config}` at `path`, by the type of its configuration. Null, which
// is reported: there is none. `what`: "network filter". Threads: main.
template <class F, class Proto>
const F* findExtension(const Proto& proto, registry::Category category, absl::string_view what,
                       const std::string& path, const registry::Registry& registry,
                       config::Problems& problems) {
  const std::string type = base::typeOf(proto.typed_config());
  const F* const factory = registry.find<F>(category, type);
  if (factory == nullptr) {
    problems.error(path, absl::StrCat("there is no such ", what),
                   absl::StrCat("Didn't find a registered implementation for '", proto.name(),
                                "' with type URL: '", type, "'"));
  }
  return factory;
}

// What `factory` makes by create(message, context, more...) of the configuration at `path`. Null,
// which is reported: it is not to be had. Threads: main.
template <class F, class Context, class... More>
auto createExtension(const F& factory, const google::protobuf::Any& any, const std::string& path,
                     config::Problems& problems, Context& context, More&... more) {
  using Made = typename decltype(factory.create(std::declval<const google::protobuf::Message&>(),
                                                context, more...))::value_type;
  const std::unique_ptr<google::protobuf::Message> message = factory.newConfig();
  if (!config::unpack(any, path, *message, problems)) {
    return Made();
  }
  auto made = factory.create(*message, context, more...);
  if (!made.ok()) {
    problems.errorFrom(made.status(), path);
    return Made();
  }
  return *std::move(made);
}

} // namespace culvert::server
