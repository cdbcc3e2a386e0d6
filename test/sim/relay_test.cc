// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/base/random.h"
#include "source/net/connection.h"
#include "source/net/socket_io.h"
#include "test/kit/pattern.h"
#include "test/kit/peer.h"

namespace culvert {
namespace {

using net::Buffer;
using net::CloseCode;
using net::CloseMode;
using net::CloseReason;
using net::Connection;

// One side of a relay, which besides back-pressure is paused and resumed at random.
struct RelaySide final : net::ConnectionHandler {
  void onData(Buffer& data, bool end) override { other->connection->write(data, end); }
  void onWriteBlocked(bool blocked) override {
    blocked ? other->connection->pauseReading() : other->connection->resumeReading();
  }
  void onClosed(const CloseReason& reason) override {
    closes++;
    closed = reason;
    const bool reset = reason.code == CloseCode::kPeerReset;
    other->connection->close(reset ? CloseMode::kReset : CloseMode::kFlush,
                             CloseReason::of(CloseCode::kUpstreamGone));
  }
  Connection* directSink() override { return direct ? other->connection.get() : nullptr; }

  RelaySide* other = nullptr;
  std::unique_ptr<Connection> connection;
  bool direct = false;
  bool paused = false;
  int closes = 0;
  std::optional<CloseReason> closed;
};

// An outer end: sends the pattern from a place of its own, and checks what it takes.
struct End {
  test::Peer peer;
  uint64_t from = 0;  // The pattern's place of its first byte.
  uint64_t total = 0; // What it means to send.
  uint64_t sent = 0;
  uint64_t taken = 0;
  bool ended = false;
  bool reset = false;
};

// How a round ends before its time, if it does.
enum class Cut { kNone, kReset, kFlush, kNow };

// A relay between two ends that do what a seed makes them do.
class Round {
public:
  Round(event::Loop& loop, uint64_t seed) : loop_(loop), random_(seed) {
    constexpr std::array<uint32_t, 5> kReadLimits = {1, 100, 5000, 65536, 0};
    cut_ = chance(3) ? static_cast<Cut>(1 + random_.below(3)) : Cut::kNone;
    steps_to_cut_ = random_.below(400);
    const uint32_t limit = kReadLimits[random_.below(kReadLimits.size())];
    const bool direct = chance(2);
    for (size_t i = 0; i < 2; i++) {
      test::Sockets sockets = chance(2) ? test::tcpPair() : test::unixPair();
      ends_[i].peer = test::Peer(std::move(sockets.theirs));
      ends_[i].from = random_.below(1'000'000);
      ends_[i].total = random_.below(limit == 1 ? 2000 : chance(4) ? 6'000'000 : 200'000);
      sides_[i].other = &sides_[1 - i];
      sides_[i].direct = direct;
      sides_[i].connection = std::make_unique<Connection>(
          loop_, std::make_unique<net::SocketIo>(loop_, std::move(sockets.ours), false), i, false);
      sides_[i].connection->setReadLimit(limit);
      sides_[i].connection->start(sides_[i]);
    }
    sides_[0].connection->resumeReading();
    sides_[1].connection->resumeReading();
  }

  // What went wrong, if anything did.
  std::string run() {
    for (uint64_t step = 0; !is_cut_ && step < 600 && error_.empty(); step++) {
      if (cut_ != Cut::kNone && step == steps_to_cut_) {
        cutNow();
      } else {
        act(random_.below(2), random_.below(10));
      }
    }
    // From here on everybody is in a hurry.
    // TCP has timers of its own, so that no number of turns is surely enough.
    const auto deadline = std::chrono::steady_clock::now() + kHurryMax;
    while (!over() && error_.empty() && std::chrono::steady_clock::now() < deadline) {
      for (size_t i = 0; i < 2; i++) {
        pause(i, false);
        send(i, 1 << 20);
        take(i, 1 << 20);
        endWhenSent(i);
      }
      loop_.runOnce(false);
    }
    check();
    return error_;
  }

private:
  static constexpr std::chrono::seconds kHurryMax{30};

  bool chance(uint64_t one_in) { return random_.below(one_in) == 0; }

  void act(size_t i, uint64_t what) {
    if (what < 3) {
      send(i, 1 + random_.below(chance(4) ? 200'000 : 3000));
    } else if (what < 6) {
      take(i, 1 + random_.below(chance(4) ? 300'000 : 3000));
    } else if (what == 6) {
      pause(i, !sides_[i].paused);
    } else if (what == 7) {
      endWhenSent(i);
    } else {
      loop_.runOnce(false);
    }
  }

  void send(size_t i, uint64_t size) {
    End& end = ends_[i];
    if (end.ended || end.reset) {
      return;
    }
    for (uint64_t left = std::min(size, end.total - end.sent); left > 0;) {
      const absl::string_view piece = test::Pattern::at(end.from + end.sent, left);
      const size_t taken = end.peer.send(piece);
      end.sent += taken;
      left -= taken;
      if (taken < piece.size()) {
        return;
      }
    }
  }

  void take(size_t i, uint64_t limit) {
    End& end = ends_[i];
    const End& other = ends_[1 - i];
    if (end.reset) {
      return;
    }
    end.peer.take(limit);
    if (!test::Pattern::continues(other.from + end.taken, end.peer.received())) {
      error_ = absl::StrCat("end ", i, " got something else after byte ", end.taken);
    }
    end.taken += end.peer.received().size();
    end.peer.received().clear();
  }

  void endWhenSent(size_t i) {
    End& end = ends_[i];
    if (!end.reset && !end.ended && end.sent == end.total) {
      end.ended = true;
      end.peer.end();
    }
  }

  void pause(size_t i, bool paused) {
    if (paused != sides_[i].paused) {
      sides_[i].paused = paused;
      paused ? sides_[i].connection->pauseReading() : sides_[i].connection->resumeReading();
    }
  }

  void cutNow() {
    const size_t i = random_.below(2);
    is_cut_ = true;
    if (cut_ == Cut::kReset) {
      ends_[i].reset = true;
      ends_[i].peer.reset();
      return;
    }
    flushed_to_ = sides_[i].connection->bytesSent() + sides_[i].connection->unsentBytes();
    cut_side_ = i;
    sides_[i].connection->close(cut_ == Cut::kFlush ? CloseMode::kFlush : CloseMode::kNow,
                                CloseReason::local("cut"));
  }

  bool over() { return sides_[0].closed && sides_[1].closed && seesTheEnd(0) && seesTheEnd(1); }
  bool seesTheEnd(size_t i) {
    take(i, 1 << 20);
    return ends_[i].reset || ends_[i].peer.seesEnd() || ends_[i].peer.seesReset();
  }

  std::string state(size_t i) const {
    const Connection& connection = *sides_[i].connection;
    return absl::StrCat("; end ", i, " sent ", ends_[i].sent, " of ", ends_[i].total, ", took ",
                        ends_[i].taken, "; its side got ", connection.bytesReceived(), ", sent ",
                        connection.bytesSent(), ", keeps ", connection.unsentBytes(),
                        sides_[i].closed       ? ", closed"
                        : connection.closing() ? ", closing"
                                               : "");
  }

  void check() {
    if (!error_.empty()) {
      return;
    }
    if (!over()) {
      error_ = absl::StrCat("it never ended", state(0), state(1));
    } else if (sides_[0].closes != 1 || sides_[1].closes != 1) {
      error_ = "onClosed came more than once";
    } else if (!is_cut_ && (ends_[0].taken != ends_[1].sent || ends_[1].taken != ends_[0].sent)) {
      error_ = "bytes are missing";
    } else if (!is_cut_ && (ends_[0].peer.seesReset() || ends_[1].peer.seesReset())) {
      error_ = "an orderly round ended with a reset";
    } else if (cut_ == Cut::kFlush && is_cut_ && !ends_[cut_side_].peer.seesReset() &&
               ends_[cut_side_].taken != flushed_to_) {
      error_ = absl::StrCat("of ", flushed_to_, " bytes to be flushed by side ", cut_side_,
                            " some are missing", state(0), state(1));
    }
  }

  event::Loop& loop_;
  base::Random random_;
  Cut cut_;
  uint64_t steps_to_cut_;
  bool is_cut_ = false;
  size_t cut_side_ = 0;
  uint64_t flushed_to_ = 0;
  std::array<End, 2> ends_;
  std::array<RelaySide, 2> sides_;
  std::string error_;
};

// CULVERT_SEED names other rounds than those that every run takes.
uint64_t firstSeed() {
  uint64_t seed = 1;
  if (const char* const given = std::getenv("CULVERT_SEED")) {
    EXPECT_TRUE(absl::SimpleAtoi(given, &seed));
  }
  return seed;
}

TEST(Relay, LosesNothingWhateverTheTwoEndsDo) {
  constexpr uint64_t kRounds = 200;
  const uint64_t seed = firstSeed();
  std::printf("CULVERT_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::array<std::string, 2> errors;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < errors.size(); t++) {
    threads.emplace_back([&, t] {
      base::SystemClock clock;
      event::Loop loop("relay", clock);
      for (uint64_t round = t; round < kRounds && errors[t].empty(); round += errors.size()) {
        const std::string error = Round(loop, seed + round).run();
        errors[t] = error.empty() ? "" : absl::StrCat("seed ", seed + round, ": ", error);
      }
    });
  }
  for (size_t t = 0; t < errors.size(); t++) {
    threads[t].join();
    EXPECT_EQ(errors[t], "");
  }
}

} // namespace
} // namespace culvert
