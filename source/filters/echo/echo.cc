// SPDX-License-Identifier: Apache-2.0
#include "envoy/extensions/filters/network/echo/v3/echo.pb.h"
#include "source/filter_api/filter.h"

namespace culvert {
namespace {

using Config = envoy::extensions::filters::network::echo::v3::Echo;

// Sends back what it gets. When the peer half-closes, what was echoed still leaves before the end.
class Echo final : public Filter {
public:
  static constexpr bool kTerminal = true;
  static constexpr const char* kNames[] = {"envoy.filters.network.echo", "envoy.echo"};

  Echo(const Config&, FilterContext&) {}

  Next onData(Buffer& data, bool end) override {
    connection().write(data, end);
    return Next::kContinue;
  }

  // Unsent bytes are bounded: no reading while the peer does not take what it was sent.
  void onWriteBlocked(bool blocked) override {
    if (blocked) {
      connection().pauseReading();
    } else {
      connection().resumeReading();
    }
  }
};

absl::Status validate(const Config&) { return absl::OkStatus(); }

} // namespace

CULVERT_NETWORK_FILTER(echo, Config, Echo, validate)

} // namespace culvert
