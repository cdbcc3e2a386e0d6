// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/net/io.h"

namespace culvert::net {

// A transport that opens like any other, but that is only chosen later: until begin() nothing is
// connected. Threads: the loop's. Lifetime: owned by its connection.
class LateIo : public Io {
public:
  // From here on it is `io`, which is open.
  void begin(std::unique_ptr<Io> io);
  // There will be none, for this reason.
  void giveUp(std::string reason) { reason_ = std::move(reason); }

  void setReadyCallback(ReadyCallback callback) override;
  void setRead(event::FdEvents::ReadInterest interest) override;
  void setWrite(bool wanted) override;
  void activate(uint32_t readiness) override;
  IoResult open() override { return {io_ == nullptr ? IoStatus::kMore : IoStatus::kOk}; }
  IoResult read(absl::Span<char> into) override;
  IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  bool peerReset() override { return io_ != nullptr && io_->peerReset(); }
  int plainFd() const override { return io_ == nullptr ? -1 : io_->plainFd(); }
  std::string failureReason() const override;
  Address localAddress() const override { return io_ == nullptr ? Address() : io_->localAddress(); }
  const Address* reached() const override { return io_ == nullptr ? nullptr : io_->reached(); }
  std::shared_ptr<const TlsInfo> tlsInfo() const override {
    return io_ == nullptr ? nullptr : io_->tlsInfo();
  }

protected:
  const ReadyCallback& readyCallback() const { return callback_; }

private:
  std::unique_ptr<Io> io_;
  ReadyCallback callback_;
  std::string reason_;
  bool write_wanted_ = false;
};

} // namespace culvert::net
