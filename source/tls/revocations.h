// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/mutex.h"
#include "source/event/loop.h"

namespace culvert::tls {

namespace internal {
class RevocationLists;
}

// The lists of revoked certificates that count now, for all contexts that share them. New lists
// count from the next handshake on. Connections whose peer, or an authority between it and the
// root, they name end: who reads one sees its end, and a turn of the loop later it is reset.
// What a list does not name any longer stays as it is. Only for contexts without resumption, since
// a session that is resumed shows no certificate.
//
// Threads: main, but for those that say so. Lifetime: shared by its contexts.
class Revocations : public std::enable_shared_from_this<Revocations> {
public:
  explicit Revocations(event::Loop& main) : loops_{&main} {}

  // Of a loop that has connections, besides main: before it runs; and of all loops, when they run
  // no more.
  void addLoop(event::Loop& loop) { loops_.push_back(&loop); }
  void removeLoops() { loops_.clear(); }

  // Takes lists in the place of those before; how many they are. PEM with any number of them, one
  // in DER, or nothing. Errors: what is wrong with them; then those before stay.
  absl::StatusOr<size_t> load(absl::string_view text);

  // Null before the first. Any thread.
  std::shared_ptr<const internal::RevocationLists> lists() const;

  // Peers that were revoked when they came, and connections that ended. Any thread.
  void countRejection(bool as_server) {
    rejections_[as_server].fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t rejections(bool as_server) const {
    return rejections_[as_server].load(std::memory_order_relaxed);
  }

private:
  std::vector<event::Loop*> loops_;
  std::atomic<uint64_t> rejections_[2] = {};
  mutable base::Mutex mutex_;
  std::shared_ptr<const internal::RevocationLists> lists_ CULVERT_GUARDED_BY(mutex_);
};

} // namespace culvert::tls
