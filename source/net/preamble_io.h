// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/net/io.h"

namespace culvert::net {

// Writes `text` and takes off it what is out: kOk when all is, kMore when the rest has to wait for
// writable readiness, kReset when the transport is beyond use. Threads: the transport's.
IoResult writeText(Io& io, std::string& text);

// A transport whose first bytes are written before it counts as open: a PROXY header.
// Threads: the loop's. Lifetime: owned by its connection, or by the transport above it.
class PreambleIo final : public Io {
public:
  PreambleIo(std::unique_ptr<Io> below, std::string preamble)
      : below_(std::move(below)), preamble_(std::move(preamble)) {}

  void setReadyCallback(ReadyCallback callback) override { below_->setReadyCallback(callback); }
  void setRead(event::FdEvents::ReadInterest interest) override { below_->setRead(interest); }
  void setWrite(bool wanted) override { below_->setWrite(wanted); }
  void activate(uint32_t readiness) override { below_->activate(readiness); }
  IoResult open() override;
  IoResult read(absl::Span<char> into) override { return below_->read(into); }
  IoResult write(absl::Span<const iovec> pieces) override { return below_->write(pieces); }
  void shutdownWrite() override { below_->shutdownWrite(); }
  void close(bool reset) override { below_->close(reset); }
  bool peerReset() override { return below_->peerReset(); }
  int plainFd() const override { return below_->plainFd(); }
  std::string failureReason() const override { return below_->failureReason(); }
  Address localAddress() const override { return below_->localAddress(); }

private:
  const std::unique_ptr<Io> below_;
  std::string preamble_; // What is left of it.
  bool below_open_ = false;
};

} // namespace culvert::net
