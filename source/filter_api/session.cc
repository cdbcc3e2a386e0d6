// SPDX-License-Identifier: Apache-2.0
#include "source/filter_api/session.h"

#include <utility>

#include "source/base/check.h"

namespace culvert {

void Filter::resume() { session_->resume(*this); }

void Filter::bypass() {
  session_->slots_[index_].sees_reads = false;
  session_->slots_[index_].sees_writes = false;
}

Session::Session(std::unique_ptr<net::Connection> transport, ConnectionInfo info,
                 SessionOwner& owner)
    : transport_(std::move(transport)), info_(std::move(info)), owner_(owner) {}

Session::~Session() = default;

void Session::start(const FilterConfigs& configs, upstream::ThreadClusters& clusters,
                    std::shared_ptr<const void> keep_alive) {
  keep_alive_ = std::move(keep_alive);
  slots_.resize(configs.size());
  for (size_t i = 0; i < configs.size(); i++) {
    Slot& slot = slots_[i];
    slot.filter = configs[i]->newFilter(clusters);
    slot.filter->connection_ = this;
    slot.filter->session_ = this;
    slot.filter->index_ = i;
    slot.sees_reads = configs[i]->sees().reads;
    slot.sees_writes = configs[i]->sees().writes;
  }
  transport_->start(*this);
  openFrom(0);
  if (!transport_->closed()) {
    transport_->resumeReading(); // Undoes the pause that a connection begins with.
  }
}

void Session::openFrom(size_t index) {
  for (size_t i = index; i < slots_.size(); i++) {
    Slot& slot = slots_[i];
    opened_ = i + 1;
    slot.open_stopped = slot.filter->onOpen() == Next::kStop;
    if (write_blocked_ && !transport_->closing()) {
      slot.filter->onWriteBlocked(true);
    }
    if (!transport_->closing() && (slot.reads.kept != nullptr || slot.reads.end)) {
      Buffer nothing; // What came before its turn.
      readFrom(i, nothing, false);
    }
    const bool resumed_inside = opened_ != i + 1;
    if (slot.open_stopped || resumed_inside || transport_->closing()) {
      return;
    }
  }
}

void Session::onData(Buffer& data, bool end) { readFrom(0, data, end); }

void Session::readFrom(size_t index, Buffer& data, bool end) {
  for (size_t i = index; i < slots_.size(); i++) {
    Slot& slot = slots_[i];
    const bool waits = i >= opened_ || (slot.reads.stopped && !slot.sees_reads);
    if (waits) {
      keepReads(slot, data, end);
      break;
    }
    if ((slot.sees_reads || slot.reads.kept != nullptr) && !offerRead(slot, data, end)) {
      break;
    }
  }
  afterRead();
}

// False when the bytes go no further for now.
bool Session::offerRead(Slot& slot, Buffer& data, bool& end) {
  end |= unkeepReads(slot, data);
  const Next next = slot.filter->onData(data, end);
  slot.reads.stopped = next == Next::kStop;
  if (transport_->closing()) {
    return false;
  }
  if (slot.reads.stopped) {
    keepReads(slot, data, end);
  }
  return !slot.reads.stopped;
}

void Session::write(Buffer& data, bool end) { writeBelow(slots_.size(), data, end); }

void Session::writeBelow(size_t index, Buffer& data, bool end) {
  while (index > 0) {
    Slot& slot = slots_[--index];
    const bool waits = slot.writes.stopped && !slot.sees_writes;
    if (waits) {
      keepWrites(slot, data, end);
    }
    if (waits ||
        ((slot.sees_writes || slot.writes.kept != nullptr) && !offerWrite(slot, data, end))) {
      data.clear();
      tellBlocked();
      return;
    }
  }
  transport_->write(data, end);
  tellBlocked();
}

bool Session::offerWrite(Slot& slot, Buffer& data, bool& end) {
  if (transport_->closing()) {
    return false;
  }
  end |= unkeepWrites(slot, data);
  const Next next = slot.filter->onWrite(data, end);
  slot.writes.stopped = next == Next::kStop;
  if (transport_->closing()) {
    return false;
  }
  if (slot.writes.stopped) {
    keepWrites(slot, data, end);
  }
  return !slot.writes.stopped;
}

void Session::resume(Filter& filter) {
  const size_t index = filter.index_;
  Slot& slot = slots_[index];
  CULVERT_CHECK(slot.open_stopped || slot.reads.stopped || slot.writes.stopped);
  slot.reads.stopped = slot.writes.stopped = false;
  const bool opening = std::exchange(slot.open_stopped, false);
  if (opening && !transport_->closing()) {
    openFrom(index + 1);
  }
  if (!transport_->closing() && (slot.writes.kept != nullptr || slot.writes.end)) {
    Buffer data;
    const bool end = unkeepWrites(slot, data);
    writeBelow(index, data, end);
  }
  if (!transport_->closing() && (slot.reads.kept != nullptr || slot.reads.end)) {
    Buffer data;
    const bool end = unkeepReads(slot, data);
    readFrom(index + 1, data, end);
  }
}

// Keeps `data` for later, independent of where it was borrowed from.
void Session::Kept::keep(Buffer& data, bool with_end) {
  if (kept == nullptr) {
    kept = std::make_unique<Buffer>();
  }
  kept->append(data);
  end |= with_end;
}

// Puts what was kept before `data`; whether it had the end.
bool Session::Kept::unkeep(Buffer& data) {
  if (kept != nullptr) {
    kept->append(data);
    data = std::move(*kept);
    kept.reset();
  }
  return std::exchange(end, false);
}

void Session::keepReads(Slot& slot, Buffer& data, bool end) {
  kept_read_bytes_ += data.size();
  read_end_kept_ |= end;
  slot.reads.keep(data, end);
}

bool Session::unkeepReads(Slot& slot, Buffer& data) {
  kept_read_bytes_ -= slot.reads.kept == nullptr ? 0 : slot.reads.kept->size();
  read_end_kept_ &= !slot.reads.end;
  return slot.reads.unkeep(data);
}

void Session::keepWrites(Slot& slot, Buffer& data, bool end) {
  kept_write_bytes_ += data.size();
  slot.writes.keep(data, end);
}

bool Session::unkeepWrites(Slot& slot, Buffer& data) {
  kept_write_bytes_ -= slot.writes.kept == nullptr ? 0 : slot.writes.kept->size();
  return slot.writes.unkeep(data);
}

// Pauses the peer while filters keep more than the read limit back, and does not take the
// connection for over while they keep the last of it.
void Session::afterRead() {
  const bool too_much = kept_read_bytes_ >= transport_->readLimit();
  if (too_much != kept_too_much_ && !transport_->closing()) {
    kept_too_much_ = too_much;
    if (too_much) {
      transport_->pauseReading();
    } else {
      transport_->resumeReading();
    }
  }
  transport_->holdOpen(read_end_kept_);
}

void Session::onWriteBlocked(bool blocked) {
  transport_blocked_ = blocked;
  tellBlocked();
}

// What filters keep back counts as what the peer does not take.
void Session::tellBlocked() {
  const bool blocked = transport_blocked_ || kept_write_bytes_ >= transport_->readLimit();
  if (blocked == write_blocked_) {
    return;
  }
  write_blocked_ = blocked;
  for (size_t i = 0; i < opened_ && !transport_->closing(); i++) {
    slots_[i].filter->onWriteBlocked(blocked);
  }
}

Next Session::close(const CloseReason& reason, CloseMode mode) {
  transport_->close(mode, reason);
  return Next::kStop;
}

void Session::onConnected() {
  for (size_t i = 0; i < opened_ && !transport_->closed(); i++) {
    slots_[i].filter->onHandshake();
  }
}

void Session::onClosed(const CloseReason& reason) {
  info_.end = loop().clock().now();
  info_.close_reason = reason;
  info_.response_flags |= reason.responseFlags();
  info_.detected_close = transport_->detectedClose();
  info_.bytes_received = transport_->bytesReceived();
  info_.bytes_sent = transport_->bytesSent();
  if (info_.tls != nullptr || reason.code == net::CloseCode::kTransportFailure) {
    info_.transport_failure_reason = transport_->io().failureReason();
  }
  if (info_.local_close_reason.empty()) {
    info_.local_close_reason = reason.localCloseReason();
  }
  for (Slot& slot : slots_) {
    slot.filter->onClose(reason);
  }
  owner_.onSessionClosed(*this);
}

bool Session::writesAreSeen() const {
  for (size_t i = 0; i + 1 < slots_.size(); i++) {
    if (slots_[i].sees_writes || slots_[i].writes.stopped) {
      return true;
    }
  }
  return false;
}

void Session::setDirectSink(net::Connection* sink, base::Delegate<void(size_t)> moved) {
  direct_sink_ = sink;
  moved_ = moved;
}

net::Connection* Session::directSink() {
  for (size_t i = 0; i + 1 < slots_.size(); i++) {
    if (slots_[i].sees_reads || slots_[i].reads.stopped) {
      return nullptr;
    }
  }
  return direct_sink_;
}

} // namespace culvert
