// SPDX-License-Identifier: Apache-2.0
#include "source/net/late_io.h"

#include <utility>

namespace culvert::net {

void LateIo::begin(std::unique_ptr<Io> io) {
  io_ = std::move(io);
  if (callback_) {
    io_->setReadyCallback(callback_);
  }
  if (write_wanted_) {
    io_->setWrite(true);
  }
}

void LateIo::setReadyCallback(ReadyCallback callback) {
  callback_ = callback;
  if (io_ != nullptr) {
    io_->setReadyCallback(callback);
  }
}

// Nobody reads what is not open.
void LateIo::setRead(event::FdEvents::ReadInterest interest) {
  if (io_ != nullptr) {
    io_->setRead(interest);
  }
}

void LateIo::setWrite(bool wanted) {
  write_wanted_ = wanted;
  if (io_ != nullptr) {
    io_->setWrite(wanted);
  }
}

void LateIo::activate(uint32_t readiness) {
  if (io_ != nullptr) {
    io_->activate(readiness);
  }
}

IoResult LateIo::read(absl::Span<char> into) {
  return io_ == nullptr ? IoResult{IoStatus::kOk} : io_->read(into);
}

IoResult LateIo::write(absl::Span<const iovec> pieces) {
  return io_ == nullptr ? IoResult{IoStatus::kOk} : io_->write(pieces);
}

void LateIo::shutdownWrite() {
  if (io_ != nullptr) {
    io_->shutdownWrite();
  }
}

void LateIo::close(bool reset) {
  if (io_ != nullptr) {
    io_->close(reset);
  }
}

std::string LateIo::failureReason() const {
  return io_ == nullptr ? reason_ : io_->failureReason();
}

} // namespace culvert::net
