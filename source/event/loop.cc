// SPDX-License-Identifier: Apache-2.0
#include "source/event/loop.h"

#include <event2/event.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "source/base/check.h"

// libevent tells the kernel of a turn's changes together, or after it has closed a descriptor. A
// number that it means to remove may be another thread's by then: the kernel finds no such number
// in this loop's set, but the thread sanitizer finds a race. So its own epoll_ctl is not used.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
extern "C" int epoll_ctl(int set, int operation, int fd, epoll_event* event) {
  return static_cast<int>(syscall(SYS_epoll_ctl, set, operation, fd, event));
}
#endif
#endif

namespace culvert::event {
namespace {

// Its address tells threads apart.
thread_local char thread_mark;

event_base* makeBase() {
  event_config* const config = event_config_new();
  // Other threads reach a loop only through its eventfd, so libevent needs no locks. Timers are
  // ours, so its cached time is of no use.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
  // A turn's changes of interest in a descriptor become one system call, or none.
  event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  event_base* const base = event_base_new_with_config(config);
  event_config_free(config);
  CULVERT_CHECK(base != nullptr);
  return base;
}

void drainEventFd(int fd, short, void*) {
  eventfd_t value;
  eventfd_read(fd, &value);
}

} // namespace

Loop::Loop(std::string name, const base::Clock& clock)
    : name_(std::move(name)), clock_(clock), now_(clock.now()), base_(makeBase()),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CULVERT_CHECK(wake_fd_ >= 0);
  wake_event_ = event_new(base_, wake_fd_, EV_READ | EV_PERSIST, drainEventFd, nullptr);
  event_add(wake_event_, nullptr);
  wait_event_ = event_new(base_, -1, 0, [](int, short, void*) {}, nullptr);
}

Loop::~Loop() {
  runPosted();
  runDeferred();
  locals_.clear(); // May defer deletions in turn.
  runDeferred();
  event_free(wake_event_);
  event_free(wait_event_);
  event_base_free(base_);
  ::close(wake_fd_);
}

void Loop::run() {
  owner_ = &thread_mark;
  while (!exit_)
    runOnce(true);
}

void Loop::runOnce(bool wait) {
  owner_ = &thread_mark;
  now_stale_ = true;
  if (wait && !wantsTurnNow()) {
    armWait();
    event_base_loop(base_, EVLOOP_ONCE);
  } else {
    // Without ONCE it would not come back as long as any descriptor is ready.
    event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  runReady();
  runPosted();
  runTimers();
  runDeferred();
}

void Loop::exit() {
  exit_ = true;
  wake();
}

void Loop::post(std::function<void()> work) {
  bool first;
  {
    base::MutexLock lock(posted_mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (first)
    wake();
}

void Loop::wake() { eventfd_write(wake_fd_, 1); }

bool Loop::isCurrent() const {
  const void* const owner = owner_;
  return owner == nullptr || owner == &thread_mark;
}

void Loop::deferDelete(std::unique_ptr<Deferred> object) { deferred_.push_back(std::move(object)); }

void Loop::runNext(Ready& work) { ready_.pushBack(work); }

absl::Span<char> Loop::scratch() {
  if (scratch_ == nullptr)
    scratch_.reset(new char[kCopyOffset + kScratchBytes]);
  return {scratch_.get() + kCopyOffset, kScratchBytes};
}

bool Loop::wantsTurnNow() {
  if (!ready_.empty() || !deferred_.empty())
    return true;
  base::MutexLock lock(posted_mutex_);
  return !posted_.empty();
}

// Touches libevent's timer only when the earliest deadline moved.
void Loop::armWait() {
  const Timer* const earliest = timers_.earliest();
  const base::Instant deadline =
      earliest == nullptr || clock_.simulated() ? base::Instant::max() : earliest->deadline();
  if (deadline == base::Instant::max()) {
    if (deadline != wait_deadline_)
      event_del(wait_event_);
    wait_deadline_ = deadline;
    return;
  }
  if (deadline == wait_deadline_ && event_pending(wait_event_, EV_TIMEOUT, nullptr))
    return;
  wait_deadline_ = deadline;
  const auto left = std::max(deadline - clock_.now(), base::Duration(0));
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(left).count() + 1;
  const timeval timeout = {us / 1000000, us % 1000000};
  event_add(wait_event_, &timeout);
}

void Loop::runReady() {
  base::IntrusiveList<Ready> batch;
  batch.splice(ready_);
  while (Ready* work = batch.popFront())
    work->onReady();
}

void Loop::runPosted() {
  std::vector<std::function<void()>> batch;
  {
    base::MutexLock lock(posted_mutex_);
    batch.swap(posted_);
  }
  for (auto& work : batch) {
    work();
    work = nullptr; // What it holds goes before the next one runs.
  }
}

void Loop::runTimers() {
  if (timers_.empty()) {
    return;
  }
  const base::Instant due = clock_.now();
  while (Timer* timer = timers_.earliest()) {
    if (timer->deadline() > due) {
      break;
    }
    timers_.remove(*timer);
    timer->callback_();
  }
}

void Loop::runDeferred() {
  while (!deferred_.empty()) {
    std::vector<std::unique_ptr<Deferred>> batch;
    batch.swap(deferred_);
  }
}

} // namespace culvert::event
