// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "envoy/extensions/filters/listener/original_src/v3/original_src.pb.h"
#include "source/filter_api/listener_filter.h"
#include "source/net/upstream_source.h"

namespace culvert {
namespace {

using Config = envoy::extensions::filters::listener::original_src::v3::OriginalSrc;

// Hosts see the client's address instead of the proxy's. Routes must bring their answers here.
class OriginalSrc final : public ListenerFilter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.listener.original_src",
                                           "envoy.listener.original_src"};

  explicit OriginalSrc(const Config& config) : config_(config) {}

  Verdict onAccept() override {
    ConnectionInfo& info = connection().info();
    if (info.remote.isIp()) {
      // The client's port may be in use towards the host, so the kernel picks one.
      info.mutableFilterState().set(
          net::UpstreamSource::kKey,
          std::make_shared<net::UpstreamSource>(info.remote.withPort(0), config_.mark()));
    }
    return Verdict::kContinue;
  }

private:
  const Config& config_;
};

absl::Status validate(const Config&) { return absl::OkStatus(); }

} // namespace

CULVERT_LISTENER_FILTER(original_src, Config, OriginalSrc, validate)

} // namespace culvert
