// SPDX-License-Identifier: Apache-2.0
#include "source/net/connection.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <utility>

#include "source/base/check.h"
#include "source/net/splice.h"

namespace culvert::net {
namespace {

using event::FdEvents;

constexpr size_t kPiecesMax = 16;
// What is read and dropped of a peer that goes on sending while it is closed.
constexpr int kIgnoredReadsMax = 64;

} // namespace

uint64_t nextConnectionId() {
  // The one number that all threads draw from; its order means nothing.
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

Connection::Connection(event::Loop& loop, std::unique_ptr<Io> io, uint64_t id, bool opening)
    : loop_(loop), io_(std::move(io)), id_(id), state_(opening ? State::kOpening : State::kOpen),
      opening_(opening) {}

Connection::~Connection() {
  if (!closed()) {
    abandon(false);
  }
}

void Connection::start(ConnectionHandler& handler) {
  handler_ = &handler;
  io_->setReadyCallback(Io::ReadyCallback::to<&Connection::onReady>(this));
  if (opening_) {
    io_->setWrite(true);
  }
}

void Connection::onReady(uint32_t readiness) {
  if (opening_) {
    if (!closed()) {
      onOpening();
    }
    return;
  }
  if ((readiness & event::kWritable) != 0 && !closed()) {
    onWritable();
  }
  if ((readiness & event::kPeerChanged) != 0 && !closed()) {
    onPeerChanged();
  }
  if ((readiness & event::kReadable) != 0 && !closed()) {
    onReadable();
  }
}

void Connection::onOpening() {
  const IoResult result = io_->open();
  if (result.status == IoStatus::kMore) {
    return;
  }
  if (result.status != IoStatus::kOk) {
    finish(CloseReason::of(CloseCode::kTransportFailure), false);
    return;
  }
  opening_ = false;
  io_->setWrite(false);
  if (state_ == State::kOpening) {
    state_ = State::kOpen;
    handler_->onConnected();
  }
  if (!closed()) {
    onWritable(); // What was written meanwhile.
  }
}

void Connection::onReadable() {
  if (end_received_) {
    return;
  }
  if (pauses_ > 0) { // Interest is withdrawn only now: most pauses end before bytes come.
    io_->setRead(FdEvents::ReadInterest::kNone);
    return;
  }
  if (splice_ != nullptr) {
    splice_->turn();
    return;
  }
  readTurn();
}

void Connection::readTurn() {
  read_again_ = false;
  const absl::Span<char> scratch = loop_.scratch();
  const size_t want = std::min<size_t>(scratch.size(), read_limit_bytes_);
  Buffer data;
  const IoResult result = io_->take(scratch.subspan(0, want), data);
  bytes_received_ += result.bytes;
  if (result.bytes > 0 && state_ != State::kFlushing) {
    handler_->onData(data, false);
  }
  if (closed()) {
    return;
  }
  switch (result.status) {
  case IoStatus::kEnd:
    onEnd();
    break;
  case IoStatus::kReset:
    finish(peerReason(true), false);
    break;
  case IoStatus::kMore:
    read_again_ = true;
    io_->activate(event::kReadable);
    break;
  case IoStatus::kOk:
    if (countBulk(result.bytes)) {
      splice_ = Splice::tryStart(*this, handler_->directSink());
    }
    break;
  }
}

// True when the flow has proved to be bulk: reads that fill the buffer, one after the other.
bool Connection::countBulk(size_t bytes) {
  if (bytes < Splice::kBulkReadBytes || state_ != State::kOpen) {
    bulk_bytes_ = 0;
    return false;
  }
  bulk_bytes_ += static_cast<uint32_t>(bytes);
  if (bulk_bytes_ < Splice::kBulkBytes) {
    return false;
  }
  bulk_bytes_ = 0;
  return true;
}

void Connection::onEnd() {
  end_received_ = true;
  io_->setRead(FdEvents::ReadInterest::kPeer);
  if (write_failed_) {
    finish(peerReason(true), false);
    return;
  }
  if (state_ == State::kFlushing) {
    return;
  }
  Buffer nothing;
  handler_->onData(nothing, true);
  finishIfEnded();
}

// Nobody reads, now or any more. Only a reset matters: before its FIN the peer's bytes may still be
// wanted, and behind it no read tells of one.
void Connection::onPeerChanged() {
  if (io_->peerReset()) {
    finish(peerReason(true), false);
  }
}

void Connection::write(Buffer& data, bool end) {
  if (closed() || state_ == State::kFlushing || end_queued_ || write_failed_) {
    data.clear();
    return;
  }
  if (splice_source_ != nullptr) {
    splice_source_->leave(); // Its bytes come first.
  }
  end_queued_ = end;
  if (state_ == State::kOpen && unsent_.empty()) {
    trySend(data);
  }
  if (closed() || write_failed_) {
    data.clear();
    return;
  }
  if (!data.empty()) {
    unsent_.append(data);
  }
  afterWrite();
}

void Connection::onWritable() {
  if (splice_source_ != nullptr && !splice_source_->flush()) {
    return;
  }
  if (!unsent_.empty()) {
    trySend(unsent_);
  }
  if (!closed() && !write_failed_) {
    afterWrite();
  }
}

void Connection::trySend(Buffer& data) {
  std::array<iovec, kPiecesMax> pieces;
  while (!data.empty()) {
    const size_t count = data.pieces(absl::MakeSpan(pieces));
    const IoResult result = io_->write({pieces.data(), count});
    bytes_sent_ += result.bytes;
    data.drain(result.bytes);
    if (result.status == IoStatus::kReset) {
      onWriteFailed();
      return;
    }
    if (result.bytes == 0) {
      return;
    }
  }
}

// Tells who writes when the transport begins or ceases to refuse bytes; ends what was to end.
void Connection::afterWrite() {
  if (opening_) {
    return;
  }
  const bool blocked = unsentBytes() > 0;
  if (!blocked && end_queued_ && !end_sent_) {
    end_sent_ = true;
    if (!end_received_ || held_open_ || state_ != State::kOpen) {
      io_->shutdownWrite(); // Otherwise the close that follows at once says it.
    }
  }
  if (blocked != blocked_) {
    blocked_ = blocked;
    io_->setWrite(blocked);
    if (state_ == State::kOpen) {
      handler_->onWriteBlocked(blocked);
    }
  }
  if (closed() || blocked_) {
    return;
  }
  if (state_ == State::kFlushing) {
    finishFlushed(flush_reason_);
  } else {
    finishIfEnded();
  }
}

void Connection::finishIfEnded() {
  if (end_sent_ && end_received_ && !held_open_ && !closed()) {
    finish(peerReason(false), false);
  }
}

void Connection::holdOpen(bool held) {
  if (held != held_open_) {
    held_open_ = held;
    finishIfEnded();
  }
}

// The peer takes no more. What it sent before may still be on its way up: read on to the end.
void Connection::onWriteFailed() {
  write_failed_ = true;
  unsent_.clear();
  io_->setWrite(false);
  if (end_received_ || state_ != State::kOpen || pauses_ > 0) {
    finish(peerReason(true), false);
    return;
  }
  io_->activate(event::kReadable);
}

size_t Connection::unsentBytes() const {
  return unsent_.size() + (splice_source_ == nullptr ? 0 : splice_source_->heldBytes());
}

void Connection::setReadLimit(uint32_t bytes) {
  read_limit_bytes_ = bytes == 0 ? std::numeric_limits<uint32_t>::max() : bytes;
}

void Connection::pauseReading() { pauses_++; }

void Connection::resumeReading() {
  CULVERT_CHECK(pauses_ > 0);
  if (--pauses_ > 0 || end_received_ || closed()) {
    return;
  }
  io_->setRead(FdEvents::ReadInterest::kData);
  if (read_again_) {
    io_->activate(event::kReadable);
  }
}

void Connection::watchPeer() {
  if (pauses_ > 0 && !closed() && !end_received_) {
    io_->setRead(FdEvents::ReadInterest::kPeer);
  }
}

void Connection::close(CloseMode mode, const CloseReason& reason) {
  if (closed()) {
    return;
  }
  if (mode == CloseMode::kFlush && !write_failed_) {
    flush(reason);
    return;
  }
  if (mode == CloseMode::kReset) {
    detected_close_ = DetectedClose::kLocalReset;
  }
  finish(reason, mode == CloseMode::kReset);
}

void Connection::flush(const CloseReason& reason) {
  splice_.reset(); // Nobody is interested in input any more.
  if (splice_source_ != nullptr) {
    splice_source_->leave();
  }
  if (unsent_.empty()) {
    finishFlushed(reason);
    return;
  }
  state_ = State::kFlushing;
  flush_reason_ = reason;
  end_queued_ = true;
}

// A socket that is closed with input unread resets the peer, and what it has not taken yet is lost.
void Connection::finishFlushed(const CloseReason& reason) {
  char ignored[16 * 1024];
  for (int reads = 0; reads < kIgnoredReadsMax && !end_received_ && !opening_; reads++) {
    const IoResult result = io_->read(absl::MakeSpan(ignored));
    if (result.bytes == 0 || result.status == IoStatus::kReset) {
      break;
    }
  }
  finish(reason, false);
}

void Connection::finish(const CloseReason& reason, bool reset) {
  if (reason.code == CloseCode::kPeerReset) {
    detected_close_ = DetectedClose::kRemoteReset;
  }
  abandon(reset);
  handler_->onClosed(reason);
}

void Connection::abandon(bool reset) {
  state_ = State::kClosed;
  if (splice_source_ != nullptr) {
    splice_source_->onSinkGone();
  }
  splice_.reset();
  unsent_.clear();
  io_->close(reset);
}

CloseReason Connection::peerReason(bool reset) const {
  return CloseReason::of(reset ? CloseCode::kPeerReset : CloseCode::kPeerClosed);
}

} // namespace culvert::net
