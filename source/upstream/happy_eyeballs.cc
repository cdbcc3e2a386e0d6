// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/happy_eyeballs.h"

#include <string>
#include <utility>

#include "source/event/timer_heap.h"
#include "source/net/late_io.h"

namespace culvert::upstream {
namespace {

class Race final : public net::LateIo, private event::Ready {
public:
  Race(event::Loop& loop, std::vector<net::Address> addresses, DialAddress dial)
      : loop_(loop), addresses_(std::move(addresses)), dial_(std::move(dial)),
        timer_(loop, event::Timer::Callback::to<&Race::tryNext>(this)) {}

  // Somebody waits for it to open.
  void setWrite(bool wanted) override {
    LateIo::setWrite(wanted);
    if (wanted && next_ == 0) {
      tryNext();
    }
  }
  net::IoResult open() override {
    return failed_ ? net::IoResult{net::IoStatus::kReset} : LateIo::open();
  }
  void close(bool reset) override {
    timer_.disarm();
    unlink();
    for (const std::unique_ptr<Attempt>& attempt : attempts_) {
      attempt->close();
    }
    LateIo::close(reset);
  }
  const net::Address* reached() const override { return winner_; }

private:
  struct Attempt {
    Race& race;
    const net::Address& address;
    std::unique_ptr<net::Io> io;
    bool over = false;

    void onReady(uint32_t) {
      if (!over) {
        race.onAttempt(*this);
      }
    }
    void close() {
      if (!over) {
        over = true;
        io->close(false);
      }
    }
  };

  void tryNext() {
    while (next_ < addresses_.size()) {
      const size_t number = next_++;
      absl::StatusOr<std::unique_ptr<net::Io>> io = dial_(number);
      if (!io.ok()) {
        giveUp(std::string(io.status().message()));
        continue;
      }
      begin(addresses_[number], *std::move(io));
      return;
    }
    failIfOver();
  }

  void begin(const net::Address& address, std::unique_ptr<net::Io> io) {
    attempts_.push_back(std::make_unique<Attempt>(Attempt{*this, address, std::move(io)}));
    running_++;
    net::Io& begun = *attempts_.back()->io;
    begun.setReadyCallback(net::Io::ReadyCallback::to<&Attempt::onReady>(attempts_.back().get()));
    begun.setWrite(true);
    if (next_ < addresses_.size()) {
      timer_.arm(kNextAddressAfter);
    }
  }

  void onAttempt(Attempt& attempt) {
    const net::IoStatus status = attempt.io->open().status;
    if (status == net::IoStatus::kOk) {
      win(attempt);
    } else if (status != net::IoStatus::kMore) {
      lose(attempt);
    }
  }

  // The attempt stays, closed, for this may be its own callback.
  void lose(Attempt& attempt) {
    giveUp(attempt.io->failureReason());
    attempt.close();
    running_--;
    if (next_ < addresses_.size()) {
      tryNext();
    } else {
      failIfOver();
    }
  }

  void failIfOver() {
    if (running_ == 0) {
      failed_ = true;
      loop_.runNext(*this);
    }
  }

  void win(Attempt& attempt) {
    timer_.disarm();
    attempt.over = true;
    winner_ = &attempt.address;
    const std::vector<std::unique_ptr<Attempt>> attempts = std::move(attempts_);
    for (const std::unique_ptr<Attempt>& other : attempts) {
      other->close();
    }
    LateIo::begin(std::move(attempt.io));
    readyCallback()(event::kWritable);
  }

  void onReady() override { readyCallback()(event::kWritable); }

  event::Loop& loop_;
  const std::vector<net::Address> addresses_;
  const DialAddress dial_;
  event::Timer timer_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  size_t next_ = 0;
  size_t running_ = 0;
  const net::Address* winner_ = nullptr;
  bool failed_ = false;
};

} // namespace

std::unique_ptr<net::Io> makeHappyEyeballs(event::Loop& loop, std::vector<net::Address> addresses,
                                           DialAddress dial) {
  return std::make_unique<Race>(loop, std::move(addresses), std::move(dial));
}

} // namespace culvert::upstream
