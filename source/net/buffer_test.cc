// SPDX-License-Identifier: Apache-2.0
#include "source/net/buffer.h"

#include <gtest/gtest.h>

#include <array>

namespace culvert::net {
namespace {

TEST(Buffer, ShowsBorrowedBytesWithoutCopyingThem) {
  const std::string bytes = "hello";
  Buffer buffer = Buffer::borrow(bytes);
  EXPECT_EQ(buffer.front().data(), bytes.data());
  buffer.drain(2);
  EXPECT_EQ(buffer.toString(), "llo");
}

TEST(Buffer, KeepsBytesThatItOwnsAfterTheLenderIsGone) {
  Buffer buffer;
  {
    std::string bytes = "hello";
    buffer = Buffer::borrow(bytes);
    buffer.own();
    bytes.assign("xxxxx");
  }
  EXPECT_EQ(buffer.toString(), "hello");
}

TEST(Buffer, KeepsTheOrderOfBorrowedAndOwnedBytes) {
  Buffer buffer = Buffer::borrow("ab");
  buffer.append("cd");
  Buffer other = Buffer::borrow("ef");
  buffer.append(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(buffer.toString(), "abcdef");
  EXPECT_EQ(buffer.peek(3), "abc");
}

TEST(Buffer, MovesChunksFromOneToAnother) {
  Buffer from;
  Buffer to;
  std::string expected;
  for (int i = 0; i < 100; i++) {
    const std::string piece(1 + i * 37 % 1000, static_cast<char>('a' + i % 26));
    expected += piece;
    from.append(piece);
    if (i % 7 == 0) {
      to.append(from);
    }
  }
  to.append(from);
  EXPECT_EQ(from.size(), 0u);
  EXPECT_EQ(to.toString(), expected);
  to.drain(12345);
  EXPECT_EQ(to.toString(), expected.substr(12345));
}

TEST(Buffer, GivesAwayWholeChunksOnly) {
  Buffer buffer;
  for (const char c : {'a', 'b', 'c'}) {
    Buffer piece;
    piece.append(std::string(1000, c));
    buffer.append(piece);
  }
  EXPECT_TRUE(buffer.takeChunks(999).empty());
  EXPECT_EQ(buffer.takeChunks(2500).toString(), std::string(1000, 'a') + std::string(1000, 'b'));
  EXPECT_EQ(buffer.toString(), std::string(1000, 'c'));
  EXPECT_EQ(buffer.takeChunks(1000).size(), 1000u);
  EXPECT_TRUE(buffer.empty());
  Buffer borrowed = Buffer::borrow("abc");
  EXPECT_TRUE(borrowed.takeChunks(10).empty());
}

TEST(Buffer, HandsOutPiecesForAVectoredWrite) {
  Buffer buffer;
  buffer.append(std::string(20000, 'a'));
  buffer.append(std::string(20000, 'b'));
  std::array<iovec, 8> pieces;
  const size_t count = buffer.pieces(absl::MakeSpan(pieces));
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    bytes += pieces[i].iov_len;
  }
  EXPECT_EQ(bytes, 40000u);
  EXPECT_EQ(buffer.pieces(absl::MakeSpan(pieces).subspan(0, 1)), 1u);
}

} // namespace
} // namespace culvert::net
