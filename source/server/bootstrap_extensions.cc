// SPDX-License-Identifier: Apache-2.0
#include "source/server/bootstrap_extensions.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/bootstrap/internal_listener/v3/internal_listener.pb.h"
#include "source/base/proto.h"
#include "source/config/validate.h"

namespace culvert::server {
namespace {

using InternalListener = envoy::extensions::bootstrap::internal_listener::v3::InternalListener;

constexpr size_t kBufferKbDefault = 1024;

// Named, that is all: readInternalBuffer() reads it.
class InternalListenerFactory final : public registry::Factory {
public:
  std::string type() const override { return InternalListener::descriptor()->full_name(); }
  std::string name() const override { return "envoy.bootstrap.internal_listener"; }
  std::unique_ptr<google::protobuf::Message> newConfig() const override {
    return std::make_unique<InternalListener>();
  }
};

} // namespace

void registerBootstrapExtensions(registry::Registry& registry) {
  registry.add(registry::Category::kBootstrap, std::make_unique<InternalListenerFactory>());
}

size_t readInternalBuffer(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                          config::Problems& problems) {
  size_t kb = 0;
  for (int i = 0; i < bootstrap.bootstrap_extensions_size(); i++) {
    const auto& any = bootstrap.bootstrap_extensions(i).typed_config();
    InternalListener proto;
    if (base::typeOf(any) != proto.GetTypeName() ||
        !config::unpack(any, absl::StrCat("bootstrap_extensions[", i, "].typed_config"), proto,
                        problems)) {
      continue;
    }
    kb = proto.has_buffer_size_kb() ? proto.buffer_size_kb().value() : kBufferKbDefault;
  }
  return kb * 1024;
}

} // namespace culvert::server
