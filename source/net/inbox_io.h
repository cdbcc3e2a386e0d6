// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <utility>

#include "source/event/loop.h"
#include "source/net/buffer.h"
#include "source/net/io.h"

namespace culvert::net {

// What transports without a descriptor have in common: bytes that came wait in memory, and
// readiness is reported by turns of the loop as a kernel reports it. `Contract` is Io, or what
// extends it. Threads: the loop's. Lifetime: owned by its connection.
template <class Contract> class InboxIo : public Contract, protected event::Ready {
public:
  using ReadInterest = event::FdEvents::ReadInterest;

  void setReadyCallback(Io::ReadyCallback callback) final { callback_ = callback; }
  void setRead(ReadInterest interest) final {
    read_interest_ = interest;
    if (interest == ReadInterest::kPeer) {
      changed_ = ended_ || reset_; // What is there already is reported once, as a kernel does.
    }
    wake();
  }
  void setWrite(bool wanted) final {
    write_wanted_ = wanted;
    wake();
  }
  void activate(uint32_t readiness) final {
    activated_ |= static_cast<uint8_t>(readiness);
    loop_.runNext(*this);
  }
  IoResult read(absl::Span<char> into) final {
    if (inbox_.empty()) {
      return nothingToRead();
    }
    size_t copied = 0;
    while (copied < into.size() && !inbox_.empty()) {
      const absl::string_view front = inbox_.front().substr(0, into.size() - copied);
      std::memcpy(into.data() + copied, front.data(), front.size());
      copied += front.size();
      inbox_.drain(front.size());
    }
    onTaken(copied);
    wake();
    return {IoStatus::kOk, copied};
  }
  IoResult take(absl::Span<char> scratch, Buffer& data) final {
    data = inbox_.takeChunks(scratch.size());
    if (data.empty()) {
      return Contract::take(scratch, data);
    }
    onTaken(data.size());
    wake();
    return {IoStatus::kOk, data.size()};
  }
  bool peerReset() final { return reset_; }

protected:
  explicit InboxIo(event::Loop& loop) : loop_(loop) {}

  // Whether a write would take something, or opening would go on.
  virtual bool takesMore() const = 0;
  // So many bytes have left the inbox.
  virtual void onTaken(size_t bytes) = 0;

  void onReady() override {
    const uint32_t ready = readiness() | std::exchange(activated_, uint8_t{0});
    if ((ready & event::kPeerChanged) != 0) {
      changed_ = false;
    }
    if (ready != 0 && callback_) {
      callback_(ready); // This may be gone now.
    }
  }
  // Asks for a turn if there is something to report.
  void wake() {
    if (readiness() != 0) {
      loop_.runNext(*this);
    }
  }
  // The peer wrote, read, ended or went.
  void onPeer() {
    changed_ = true;
    wake();
  }
  IoResult nothingToRead() const {
    return {reset_ ? IoStatus::kReset : ended_ ? IoStatus::kEnd : IoStatus::kOk};
  }
  // Reports nothing from here on.
  void silence() {
    event::Ready::unlink();
    read_interest_ = ReadInterest::kNone;
    write_wanted_ = false;
  }
  bool writeWanted() const { return write_wanted_; }

  Buffer inbox_;       // From the peer.
  bool ended_ = false; // The peer writes no more.
  bool reset_ = false;

private:
  uint32_t readiness() const {
    const bool readable = !inbox_.empty() || ended_ || reset_;
    uint32_t ready = write_wanted_ && takesMore() ? event::kWritable : 0;
    if (read_interest_ == ReadInterest::kData && readable) {
      ready |= event::kReadable;
    }
    if (read_interest_ == ReadInterest::kPeer && changed_) {
      ready |= event::kPeerChanged;
    }
    return ready;
  }

  event::Loop& loop_;
  Io::ReadyCallback callback_;
  ReadInterest read_interest_ = ReadInterest::kNone;
  uint8_t activated_ = 0;
  bool write_wanted_ = false;
  bool changed_ = false; // Since it was last reported: for ReadInterest::kPeer.
};

} // namespace culvert::net
