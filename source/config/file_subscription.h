// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/config/subscription.h"
#include "source/config/watched_file.h"

namespace envoy::config::core::v3 {
class PathConfigSource;
}

namespace culvert::config {

// What becomes of fields that this version does not know, in what comes while it runs.
enum class UnknownFields : uint8_t { kWarn, kReject, kIgnore };

// What all subscriptions to files use. Lifetime: outlives them.
struct FileSubscriptionContext {
  event::FileWatcher& watcher;
  const base::Clock& clock;
  UnknownFields unknown_fields = UnknownFields::kWarn;
  stats::Counter& dynamic_unknown_fields;
};

// Resources from a watched file that holds a DiscoveryResponse (.yaml, .json, .pb, .pb_text). What
// cannot be taken is logged, and the last good one stays.
// Threads: main.
class FileSubscription final : public Subscription {
public:
  // Errors: begin with a field of `source`; in Envoy's words, a path that does not exist.
  static absl::StatusOr<std::unique_ptr<FileSubscription>>
  create(const envoy::config::core::v3::PathConfigSource& source,
         const FileSubscriptionContext& context, SubscriptionStats& stats, Subscriber& subscriber);

  void start(std::function<void()> answered) override;

private:
  FileSubscription(const FileSubscriptionContext& context, SubscriptionStats& stats,
                   Subscriber& subscriber)
      : context_(context), stats_(stats), subscriber_(subscriber) {}

  void onRead(const WatchedFile::Text& text);
  void take(const std::string& text);
  void reportUnknown(const Problems& problems);

  const FileSubscriptionContext& context_;
  SubscriptionStats& stats_;
  Subscriber& subscriber_;
  std::unique_ptr<WatchedFile> file_;
};

} // namespace culvert::config
