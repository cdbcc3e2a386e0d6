// SPDX-License-Identifier: Apache-2.0
#include "source/net/preamble_io.h"

#include <gtest/gtest.h>

#include "source/event/simulated_clock.h"
#include "source/net/internal_io.h"

namespace culvert::net {
namespace {

// A preamble over a connection that takes four bytes at a time.
class PreambleIoTest : public testing::Test {
protected:
  std::string read() {
    char bytes[16];
    return std::string(bytes, peer_->read(absl::MakeSpan(bytes)).bytes);
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  InternalIo::Pair pair_ = InternalIo::makePair(loop_, 4, {}, {});
  std::unique_ptr<InternalIo> peer_ = std::move(pair_.second);
  PreambleIo io_{std::move(pair_.first), "PREAMBLE"};
};

TEST_F(PreambleIoTest, IsOpenWhenItHasBeenSent) {
  EXPECT_EQ(io_.open().status, IoStatus::kMore);
  EXPECT_EQ(read(), "PREA");
  EXPECT_EQ(io_.open().status, IoStatus::kOk);
  EXPECT_EQ(read(), "MBLE");
}

TEST_F(PreambleIoTest, FailsWithWhatIsBelow) {
  peer_.reset();
  EXPECT_EQ(io_.open().status, IoStatus::kReset);
  EXPECT_EQ(io_.failureReason(), "delayed connect error: Invalid argument");
}

} // namespace
} // namespace culvert::net
