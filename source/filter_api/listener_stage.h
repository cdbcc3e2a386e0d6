// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/listener_filter.h"
#include "source/net/io.h"

namespace culvert {

class ListenerStage;

// A listener filter in its place.
struct ListenerFilterUse {
  std::shared_ptr<const ListenerFilterConfig> config;
  // Whether a connection to this address is spared the filter; null: none is.
  std::function<bool(const net::Address& local)> disabled;
};
using ListenerFilterUses = std::vector<ListenerFilterUse>;

// How the listener filters of a connection ended.
enum class StageEnd : uint8_t {
  kReady,      // All are done: choose a chain.
  kRefused,    // One of them closes it.
  kTimedOut,   // The peer did not say enough in time.
  kPeerClosed, // The peer was gone before it had said enough.
  kPeerReset,
};

// Who keeps connections that wait in their listener filters.
class StageOwner {
public:
  // Never called from run(). The owner destroys the stage through Loop::deferDelete.
  virtual void onStageEnd(ListenerStage& stage, StageEnd end) = 0;

protected:
  ~StageOwner() = default;
};

// An accepted connection on its way through the listener filters. Bytes are only peeked at, into
// the loop's scratch buffer, so waiting holds none.
// Threads: the worker's. Lifetime: owned by its StageOwner, which outlives it, as does `filters`.
class ListenerStage final : public AcceptedConnection,
                            public event::Deferred,
                            public base::ListNode<ListenerStage> {
public:
  ListenerStage(event::Loop& loop, std::unique_ptr<net::AcceptedIo> io, ConnectionInfo info,
                const ListenerFilterUses& filters, StageOwner& owner);
  ~ListenerStage() override;

  // Goes as far as what has come allows. Nothing: more is needed, see wait().
  std::optional<StageEnd> run();
  // Goes on when bytes come; the owner hears of the end. No timeout: for ever.
  void wait(std::optional<base::Duration> timeout);

  // AcceptedConnection
  ConnectionInfo& info() override { return info_; }
  Detected& detected() override { return detected_; }
  int fd() const override { return io_->plainFd(); }
  void drop(size_t bytes) override;

  // The filter that waits, and whether the peer has said anything at all; after kTimedOut.
  const char* waiting() const { return filters_[next_].config->id(); }
  bool heardNothing() const { return !heard_; }

  // Whether these filters, not those of a listener before, found where it was redirected from.
  bool restoredHere() const { return info_.local_restored && !was_restored_; }

  // The connection leaves the stage.
  std::unique_ptr<net::AcceptedIo> takeIo();

private:
  // What looking at the peer's bytes led to: the filter's verdict, or the end.
  struct Look {
    Verdict verdict;
    std::optional<StageEnd> end;
  };

  Verdict begin();
  Look look();
  static std::optional<StageEnd> endOf(net::IoStatus status);
  void onReady(uint32_t readiness);
  void onTimeout();
  void finish(StageEnd end);

  event::Loop& loop_;
  std::unique_ptr<net::AcceptedIo> io_;
  ConnectionInfo info_;
  Detected detected_;
  const ListenerFilterUses& filters_;
  StageOwner& owner_;
  std::unique_ptr<ListenerFilter> filter_; // filters_[next_]'s, once it was asked.
  std::optional<event::Timer> timer_;      // While it waits.
  const bool was_restored_;
  size_t next_ = 0;
  bool heard_ = false;
  bool dropped_ = false;
};

} // namespace culvert
