// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb.h"
#include "source/base/log.h"
#include "source/base/token_bucket.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/proto_fields.h"
#include "source/filter_api/shared_objects.h"

namespace culvert {
namespace {

using Proto = envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit;
using base::TokenBucket;

constexpr std::chrono::milliseconds kFillIntervalMin(50);

// One entry of a chain. Its bucket serves all workers.
struct RateLimit {
  RateLimit(const Proto& proto, std::shared_ptr<TokenBucket> shared_bucket, FactoryContext& context)
      : bucket(std::move(shared_bucket)), enabled(watchEnabled(proto, context.runtime)),
        scope(context.scope.scope(absl::StrCat("local_rate_limit.", proto.stat_prefix()))),
        rate_limited(scope->counter("rate_limited")) {}

  const std::shared_ptr<TokenBucket> bucket;
  const runtime::Watched<bool> enabled;
  const std::unique_ptr<stats::Scope> scope;
  stats::Counter& rate_limited;
};

// Closes new connections for which the bucket has no token.
class LocalRateLimit final : public Filter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.network.local_ratelimit"};

  LocalRateLimit(const RateLimit& limit, FilterContext&) : limit_(limit) {}

  Next onOpen() override {
    if (!limit_.enabled.get() || limit_.bucket->tryTake(connection().loop().now())) {
      return Next::kContinue;
    }
    LOG_CONNECTION(debug, filter, connection().id(), "closed: beyond the rate limit");
    limit_.rate_limited.add();
    connection().info().response_flags |= net::kUpstreamRetryLimitExceeded; // As Envoy says it.
    return connection().close(CloseReason::local("local_ratelimit_close_over_limit"),
                              CloseMode::kNow);
  }

private:
  const RateLimit& limit_;
};

std::shared_ptr<TokenBucket> newBucket(const envoy::type::v3::TokenBucket& proto,
                                       FactoryContext& context) {
  const double fills = proto.has_tokens_per_fill() ? proto.tokens_per_fill().value() : 1;
  const auto interval_ns = static_cast<double>(toDuration(proto.fill_interval()).count());
  return std::make_shared<TokenBucket>(proto.max_tokens(), interval_ns / fills,
                                       context.clock.now());
}

absl::StatusOr<std::shared_ptr<const RateLimit>> makeRateLimit(const Proto& proto,
                                                               FactoryContext& context) {
  if (toDuration(proto.token_bucket().fill_interval()) < kFillIntervalMin) {
    return absl::InvalidArgumentError("token_bucket.fill_interval: local rate limit token bucket "
                                      "fill timer must be >= 50ms");
  }
  const auto make = [&] { return newBucket(proto.token_bucket(), context); };
  // A key stands for one bucket, if the buckets are alike.
  auto bucket = proto.share_key().empty()
                    ? make()
                    : context.shared.find<TokenBucket>(
                          absl::StrCat("local_ratelimit/", proto.share_key(), "/",
                                       proto.token_bucket().SerializeAsString()),
                          make);
  return std::make_shared<const RateLimit>(proto, std::move(bucket), context);
}

} // namespace

CULVERT_NETWORK_FILTER(local_ratelimit, Proto, LocalRateLimit, makeRateLimit)

} // namespace culvert
