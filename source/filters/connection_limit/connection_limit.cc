// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/proto_fields.h"

namespace culvert {
namespace {

using Proto = envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;

// One entry of a chain, with what it counts on all workers together.
struct Limit {
  Limit(const Proto& proto, FactoryContext& context)
      : max_connections(proto.max_connections().value()), delay(toDuration(proto.delay())),
        enabled(watchEnabled(proto, context.runtime)),
        scope(context.scope.scope(absl::StrCat("connection_limit.", proto.stat_prefix()))),
        active_connections(scope->gauge("active_connections")),
        limited_connections(scope->counter("limited_connections")) {}

  const uint64_t max_connections;
  const base::Duration delay;
  const runtime::Watched<bool> enabled;
  const std::unique_ptr<stats::Scope> scope;
  stats::Gauge& active_connections;
  stats::Counter& limited_connections;
  mutable std::atomic<uint64_t> counted = 0;
};

// Closes the connections beyond the limit: at once, or after a delay that keeps a peer from trying
// again and again. One that is being delayed counts as well, until it is closed.
class ConnectionLimit final : public Filter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.network.connection_limit"};

  ConnectionLimit(const Limit& limit, FilterContext&) : limit_(limit) {}

  Next onOpen() override {
    if (!limit_.enabled.get()) {
      return Next::kContinue;
    }
    counted_ = true;
    limit_.active_connections.add();
    if (limit_.counted.fetch_add(1, std::memory_order_relaxed) < limit_.max_connections) {
      return Next::kContinue;
    }
    LOG_CONNECTION(debug, filter, connection().id(), "closed: beyond the connection limit");
    limit_.limited_connections.add();
    return refuse();
  }

  void onClose(const CloseReason&) override {
    delay_timer_.reset();
    if (std::exchange(counted_, false)) {
      limit_.counted.fetch_sub(1, std::memory_order_relaxed);
      limit_.active_connections.sub();
    }
  }

private:
  Next refuse() {
    if (limit_.delay == base::Duration::zero()) {
      end();
      return Next::kStop;
    }
    connection().pauseReading(); // Nothing that it sends meanwhile is worth memory.
    delay_timer_ = std::make_unique<event::Timer>(
        connection().loop(), event::Timer::Callback::to<&ConnectionLimit::end>(this));
    delay_timer_->arm(limit_.delay);
    return Next::kStop;
  }
  void end() { connection().close(CloseReason::local("over_connection_limit"), CloseMode::kNow); }

  const Limit& limit_;
  std::unique_ptr<event::Timer> delay_timer_;
  bool counted_ = false;
};

absl::StatusOr<std::shared_ptr<const Limit>> makeLimit(const Proto& proto,
                                                       FactoryContext& context) {
  if (!proto.has_max_connections()) {
    return absl::InvalidArgumentError("max_connections: Field 'max_connections' is missing");
  }
  return std::make_shared<const Limit>(proto, context);
}

} // namespace

CULVERT_NETWORK_FILTER(connection_limit, Proto, ConnectionLimit, makeLimit)

} // namespace culvert
