// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/config/subscription.h"
#include "source/event/file_watcher.h"

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

// Resources from a file that holds a DiscoveryResponse (.yaml, .json, .pb, .pb_text), read again
// when it may have changed: something is renamed onto it, it is written in place, or something in
// its folder or in `watched_directory` is replaced and it then reads differently (as when a
// Kubernetes volume is swapped). What cannot be taken is logged, and the last good one stays.
// Threads: main.
class FileSubscription final : public Subscription {
public:
  // Errors: begin with a field of `source`; in Envoy's words, a path that does not exist.
  static absl::StatusOr<std::unique_ptr<FileSubscription>>
  create(const envoy::config::core::v3::PathConfigSource& source,
         const FileSubscriptionContext& context, SubscriptionStats& stats, Subscriber& subscriber);

  void start(std::function<void()> answered) override;

private:
  FileSubscription(std::string path, const FileSubscriptionContext& context,
                   SubscriptionStats& stats, Subscriber& subscriber);

  absl::Status watch(const std::string& path, event::FileChange change,
                     std::function<void()> callback);
  void read();
  void readIfDifferent();
  void take(const std::string& text);
  void reportUnknown(const Problems& problems);

  const std::string path_;
  const FileSubscriptionContext& context_;
  SubscriptionStats& stats_;
  Subscriber& subscriber_;
  std::vector<std::unique_ptr<event::FileWatcher::Watch>> watches_;
  std::optional<uint64_t> last_read_; // A hash; nothing while it could not be read.
};

} // namespace culvert::config
