// SPDX-License-Identifier: Apache-2.0
#include "source/event/loop.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "source/event/fd_events.h"
#include "source/event/simulated_clock.h"

namespace culvert::event {
namespace {

using std::chrono::milliseconds;

struct Recorder {
  void tick() { ticks++; }
  void ready(uint32_t what) {
    readiness |= what;
    calls++;
  }
  int ticks = 0;
  int calls = 0;
  uint32_t readiness = 0;
};

TEST(Loop, RunsPostedWorkInOrder) {
  base::SystemClock clock;
  Loop loop("test", clock);
  std::string order;
  std::thread other([&] {
    loop.post([&] { order += "a"; });
    loop.post([&] { order += "b"; });
    loop.post([&] { loop.exit(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(order, "ab");
}

TEST(Loop, FiresTimersOnlyWhenTheClockHasPassedThem) {
  SimulatedClock clock;
  Loop loop("test", clock);
  Recorder recorder;
  Timer early(loop, Timer::Callback::to<&Recorder::tick>(&recorder));
  Timer late(loop, Timer::Callback::to<&Recorder::tick>(&recorder));
  late.arm(milliseconds(20));
  early.arm(milliseconds(10));
  loop.runOnce(false);
  EXPECT_EQ(recorder.ticks, 0);
  clock.advance(milliseconds(10));
  loop.runOnce(false);
  EXPECT_EQ(recorder.ticks, 1);
  EXPECT_TRUE(late.armed());
  late.disarm();
  clock.advance(milliseconds(100));
  loop.runOnce(false);
  EXPECT_EQ(recorder.ticks, 1);
}

TEST(Loop, WaitsForARealTimer) {
  base::SystemClock clock;
  Loop loop("test", clock);
  Recorder recorder;
  Timer timer(loop, Timer::Callback::to<&Recorder::tick>(&recorder));
  const auto start = clock.now();
  timer.arm(milliseconds(5));
  while (recorder.ticks == 0)
    loop.runOnce(true);
  EXPECT_GE(clock.now() - start, milliseconds(5));
}

TEST(Loop, DeletesDeferredObjectsAtTheEndOfTheTurn) {
  struct Tracked : Deferred {
    explicit Tracked(bool& gone) : gone(gone) {}
    ~Tracked() override { gone = true; }
    bool& gone;
  };
  base::SystemClock clock;
  Loop loop("test", clock);
  bool gone = false;
  bool gone_inside = true;
  loop.post([&] {
    loop.deferDelete(std::make_unique<Tracked>(gone));
    gone_inside = gone;
  });
  loop.runOnce(true);
  EXPECT_FALSE(gone_inside);
  EXPECT_TRUE(gone);
}

TEST(FdEvents, ReportsWhatWasAskedForAsLongAsItLasts) {
  base::SystemClock clock;
  Loop loop("test", clock);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Recorder recorder;
  {
    FdEvents events(loop, pair[0], FdEvents::Callback::to<&Recorder::ready>(&recorder));
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 0);
    events.setRead(FdEvents::ReadInterest::kData);
    loop.runOnce(true);
    loop.runOnce(true);
    EXPECT_EQ(recorder.calls, 2);
    events.setRead(FdEvents::ReadInterest::kNone);
    events.setWrite(true);
    loop.runOnce(true);
    EXPECT_TRUE(recorder.readiness & kWritable);
  }
  close(pair[0]);
  close(pair[1]);
}

// As a level both would be reported for ever; of a reset libevent would then tell nobody.
TEST(FdEvents, ReportsThePeersFinAndResetOnceEach) {
  base::SystemClock clock;
  Loop loop("test", clock);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, raw, length), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  getsockname(listener, raw, &length);
  const int peer = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(peer, raw, length), 0);
  const int ours = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  Recorder recorder;
  {
    FdEvents events(loop, ours, FdEvents::Callback::to<&Recorder::ready>(&recorder));
    events.setRead(FdEvents::ReadInterest::kPeer);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 0);
    shutdown(peer, SHUT_WR);
    loop.runOnce(true);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 1);
    const linger now = {1, 0};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(peer);
    loop.runOnce(true);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 2);
    EXPECT_EQ(recorder.readiness, uint32_t{kPeerChanged});
  }
  close(ours);
  close(listener);
}

// Both changes of kind in one turn: the kernel hears of them together.
TEST(FdEvents, OfBytesIsALevelAgainAfterThePeerWasWatchedWhileBytesWaited) {
  base::SystemClock clock;
  Loop loop("test", clock);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Recorder recorder;
  {
    FdEvents events(loop, pair[0], FdEvents::Callback::to<&Recorder::ready>(&recorder));
    events.setRead(FdEvents::ReadInterest::kPeer);
    events.setWrite(true);
    loop.runOnce(true);
    events.setWrite(false);
    events.setRead(FdEvents::ReadInterest::kData);
    recorder.calls = 0;
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    loop.runOnce(false);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 2);
  }
  close(pair[0]);
  close(pair[1]);
}

TEST(FdEvents, OfThePeerStaysAChangeWhenNoBytesWaitAnyMore) {
  base::SystemClock clock;
  Loop loop("test", clock);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Recorder recorder;
  {
    FdEvents events(loop, pair[0], FdEvents::Callback::to<&Recorder::ready>(&recorder));
    events.setRead(FdEvents::ReadInterest::kPeer);
    events.setWrite(true);
    loop.runOnce(true);
    events.setWrite(false);
    loop.runOnce(false);
    recorder.calls = 0;
    shutdown(pair[1], SHUT_WR);
    loop.runOnce(false);
    loop.runOnce(false);
    EXPECT_EQ(recorder.calls, 1);
  }
  close(pair[0]);
  close(pair[1]);
}

TEST(FdEvents, TakesOneCallATurnHoweverLongADescriptorIsReady) {
  base::SystemClock clock;
  Loop loop("test", clock);
  struct Busy {
    void ready(uint32_t) {
      if (++calls == 100) {
        events->setRead(FdEvents::ReadInterest::kNone);
      }
    }
    FdEvents* events = nullptr;
    int calls = 0;
  } busy;
  const int always = eventfd(1, EFD_NONBLOCK);
  {
    FdEvents events(loop, always, FdEvents::Callback::to<&Busy::ready>(&busy));
    busy.events = &events;
    events.setRead(FdEvents::ReadInterest::kData);
    bool posted = false;
    loop.post([&] { posted = true; });
    loop.runOnce(true);
    EXPECT_EQ(busy.calls, 1);
    EXPECT_TRUE(posted);
  }
  close(always);
}

TEST(FdEvents, CallsBackInTheNextTurnWhenActivated) {
  base::SystemClock clock;
  Loop loop("test", clock);
  Recorder recorder;
  FdEvents events(loop, -1, FdEvents::Callback::to<&Recorder::ready>(&recorder));
  events.activate(kReadable);
  events.activate(kWritable);
  loop.runOnce(true);
  EXPECT_EQ(recorder.calls, 1);
  EXPECT_EQ(recorder.readiness, uint32_t{kReadable | kWritable});
}

TEST(TimerHeap, FiresManyTimersInOrderOfTheirDeadlines) {
  SimulatedClock clock;
  Loop loop("test", clock);
  struct Stamp {
    void fire() { order->push_back(delay); }
    std::vector<int>* order;
    int delay;
  };
  std::vector<int> order;
  std::vector<Stamp> stamps;
  for (int i = 0; i < 200; i++)
    stamps.push_back({&order, (i * 7919) % 1000});
  std::vector<std::unique_ptr<Timer>> timers;
  for (Stamp& stamp : stamps) {
    timers.push_back(std::make_unique<Timer>(loop, Timer::Callback::to<&Stamp::fire>(&stamp)));
    timers.back()->arm(milliseconds(stamp.delay));
  }
  for (size_t i = 0; i < timers.size(); i += 3)
    timers[i].reset();
  clock.advance(milliseconds(1000));
  loop.runOnce(false);
  EXPECT_EQ(order.size(), 133u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

} // namespace
} // namespace culvert::event
