// SPDX-License-Identifier: Apache-2.0
#include "docs/first_filter/greeter.pb.h"
#include "source/filter_api/filter.h"

namespace culvert {
namespace {

using Config = ::greeter::v1::Greeter;

// Sends a banner to each new peer, then lets at most `max_bytes` of its bytes through.
class Greeter final : public Filter {
public:
  Greeter(const Config& config, FilterContext& context)
      : config_(config), cut_(context.counter("cut")) {}

  Next onOpen() override {
    connection().write(config_.banner());
    return Next::kContinue;
  }

  Next onData(Buffer& data, bool /*end*/) override {
    seen_bytes_ += data.size();
    if (seen_bytes_ <= config_.max_bytes()) {
      return Next::kContinue;
    }
    cut_.add();
    return connection().close(CloseReason::local("greeter_limit"));
  }

private:
  const Config& config_; // Shared by the connections of the chain; outlives them.
  Counter& cut_;
  uint64_t seen_bytes_ = 0;
};

absl::Status validate(const Config& config) {
  if (config.max_bytes() == 0) {
    return absl::InvalidArgumentError("max_bytes: must be above 0");
  }
  return absl::OkStatus();
}

} // namespace

CULVERT_NETWORK_FILTER(greeter, Config, Greeter, validate)

} // namespace culvert
