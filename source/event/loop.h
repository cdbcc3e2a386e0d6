// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "source/base/clock.h"
#include "source/base/intrusive_list.h"
#include "source/base/mutex.h"
#include "source/event/timer_heap.h"

struct event_base;
struct event;
struct evhttp;

namespace culvert::event {

class FdEvents;
class Signal;

// Something that may not be destroyed while its own callback runs: see Loop::deferDelete.
class Deferred {
public:
  virtual ~Deferred() = default;
};

// Work that wants one more turn of the loop, after everybody else had theirs.
class Ready : public base::ListNode<Ready> {
public:
  virtual void onReady() = 0;

protected:
  ~Ready() = default;
};

// One thread's event loop on a libevent base: readiness of descriptors, timers, posted work.
// A turn: wait, descriptors, ready list, posted work, due timers, deferred deletions.
//
// Threads: owned by the thread that calls run(); only post(), exit() and wake() are for any thread.
// Lifetime: outlives every Timer, FdEvents and Signal made on it.
class Loop {
public:
  // How far into its page memory begins that large copies are made from and to; the allocator's
  // begins with the page, and TLS libraries put records 0 to 200 bytes into theirs. A copy to where
  // a page is 1 to 15 bytes further on than at the source is 20 times slower (`rep movsb`, AMD).
  static constexpr size_t kCopyOffset = 256;
  // Bytes in scratch(): what one read takes at most.
  static constexpr size_t kScratchBytes = 256 * 1024;

  Loop(std::string name, const base::Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;

  const std::string& name() const { return name_; }
  const base::Clock& clock() const { return clock_; }

  // The time of this turn, read once after its wait: good for timeouts, not for measuring.
  base::Instant now() {
    if (now_stale_) {
      now_ = clock_.now();
      now_stale_ = false;
    }
    return now_;
  }

  // Runs turns until exit(). The calling thread owns the loop from here on.
  void run();
  // One turn; waits only when `wait`. For tests and for orderly shutdown.
  void runOnce(bool wait);
  void exit();

  // Runs `work` on the loop's thread in one of its next turns, in the order of the calls.
  void post(std::function<void()> work);
  // Ends the wait of the current turn.
  void wake();

  bool isCurrent() const;

  // Destroys `object` at the end of this turn.
  void deferDelete(std::unique_ptr<Deferred> object);
  // Calls work.onReady() in the next turn, without waiting for a descriptor.
  void runNext(Ready& work);

  // One large buffer that every connection of this loop reads into. Its content is anybody's
  // after the callback returns: an idle connection owns no buffer.
  absl::Span<char> scratch();

  // The loop's own instance of T, made with T(Loop&) at first use and destroyed with the loop.
  template <class T> T& local() {
    static const char key = 0;
    for (const LocalEntry& entry : locals_) {
      if (entry.key == &key)
        return *static_cast<T*>(entry.object.get());
    }
    auto object = std::make_shared<T>(*this);
    T& result = *object;
    locals_.push_back({&key, std::move(object)});
    return result;
  }

private:
  friend class FdEvents;
  friend class HttpServer;
  friend class Signal;
  friend class Timer;

  struct LocalEntry {
    const void* key;
    std::shared_ptr<void> object;
  };

  void armWait();
  void runReady();
  void runPosted();
  void runTimers();
  void runDeferred();
  bool wantsTurnNow();

  const std::string name_;
  const base::Clock& clock_;
  base::Instant now_;
  bool now_stale_ = true;
  event_base* base_;
  struct event* wait_event_; // Fires at the earliest timer's deadline.
  struct event* wake_event_; // Readable when another thread wants attention.
  int wake_fd_;
  base::Instant wait_deadline_ = base::Instant::max();
  TimerHeap timers_;
  base::IntrusiveList<Ready> ready_;
  std::vector<std::unique_ptr<Deferred>> deferred_;
  std::vector<LocalEntry> locals_;
  std::unique_ptr<char[]> scratch_;

  base::Mutex posted_mutex_;
  std::vector<std::function<void()>> posted_ CULVERT_GUARDED_BY(posted_mutex_);
  std::atomic<bool> exit_{false};
  std::atomic<const void*> owner_{nullptr};
};

} // namespace culvert::event
