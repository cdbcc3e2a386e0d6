// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "source/net/io.h"

namespace culvert::test {

// A transport in memory: a test plays the peer. Lifetime: keep the pointer only as long as the
// connection that owns it; what the peer saw lives in the Peer.
class FakeIo final : public net::Io {
public:
  // The other end, owned by the test.
  struct Peer {
    std::string received;
    bool got_end = false;
    bool got_reset = false;
    bool closed = false;
    size_t window_bytes = static_cast<size_t>(-1); // What it still takes.
    std::string to_send;
    bool send_end = false;
    bool send_reset = false;
    FakeIo* io = nullptr; // Null once closed.
  };

  explicit FakeIo(Peer& peer) : peer_(peer) { peer_.io = this; }
  ~FakeIo() override { peer_.io = nullptr; }

  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest interest) override { interest_ = interest; }
  void setWrite(bool wanted) override { wants_write_ = wanted; }
  void activate(uint32_t readiness) override { activated_ |= readiness; }
  net::IoResult open() override { return {net::IoStatus::kOk}; }

  net::IoResult read(absl::Span<char> into) override {
    const size_t bytes = std::min(into.size(), peer_.to_send.size());
    std::memcpy(into.data(), peer_.to_send.data(), bytes);
    peer_.to_send.erase(0, bytes);
    if (bytes > 0) {
      return {net::IoStatus::kOk, bytes};
    }
    if (peer_.send_reset) {
      return {net::IoStatus::kReset};
    }
    return {peer_.send_end ? net::IoStatus::kEnd : net::IoStatus::kOk};
  }

  net::IoResult write(absl::Span<const iovec> pieces) override {
    size_t total = 0;
    for (const iovec& piece : pieces) {
      const size_t bytes = std::min(piece.iov_len, peer_.window_bytes - total);
      peer_.received.append(static_cast<const char*>(piece.iov_base), bytes);
      total += bytes;
    }
    peer_.window_bytes -= total;
    return {net::IoStatus::kOk, total};
  }

  void shutdownWrite() override { peer_.got_end = true; }
  void close(bool reset) override {
    peer_.closed = true;
    peer_.got_end |= !reset;
    peer_.got_reset |= reset;
  }
  bool peerReset() override { return peer_.send_reset; }
  net::Address localAddress() const override { return {}; }

  // Delivers what the peer has done, as the kernel would, until nothing is left to deliver.
  void deliver() {
    for (int turns = 0; turns < kTurnsMax && !peer_.closed; turns++) {
      uint32_t ready = std::exchange(activated_, 0);
      if (wants_write_ && peer_.window_bytes > 0) {
        ready |= event::kWritable;
      }
      const bool readable = !peer_.to_send.empty() || peer_.send_end || peer_.send_reset;
      if (readable && interest_ == event::FdEvents::ReadInterest::kData) {
        ready |= event::kReadable;
      }
      if (peer_.send_reset && interest_ == event::FdEvents::ReadInterest::kPeer) {
        ready |= event::kPeerChanged;
      }
      if (ready == 0) {
        return;
      }
      callback_(ready);
    }
  }

private:
  static constexpr int kTurnsMax = 10000;

  Peer& peer_;
  ReadyCallback callback_;
  event::FdEvents::ReadInterest interest_ = event::FdEvents::ReadInterest::kNone;
  bool wants_write_ = false;
  uint32_t activated_ = 0;
};

} // namespace culvert::test
