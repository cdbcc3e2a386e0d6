// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/net/io.h"

namespace culvert::tls::internal {

// What stands over a transport while the secrets of its context are missing: it fails to open.
// Threads: the loop's. Lifetime: owned by its Connection.
class NotReadyIo final : public net::Io {
public:
  // `connecting`: the transport still has to open, and may fail for a reason of its own.
  NotReadyIo(std::unique_ptr<net::Io> inner, bool connecting)
      : inner_(std::move(inner)), connecting_(connecting) {}

  void setReadyCallback(ReadyCallback callback) override { inner_->setReadyCallback(callback); }
  void setRead(event::FdEvents::ReadInterest interest) override { inner_->setRead(interest); }
  void setWrite(bool wanted) override { inner_->setWrite(wanted); }
  void activate(uint32_t readiness) override { inner_->activate(readiness); }
  net::IoResult open() override {
    if (connecting_) {
      const net::IoResult result = inner_->open();
      if (result.status != net::IoStatus::kOk) {
        return result;
      }
      connecting_ = false;
    }
    return {net::IoStatus::kReset};
  }
  net::IoResult read(absl::Span<char>) override { return {net::IoStatus::kReset}; }
  net::IoResult write(absl::Span<const iovec>) override { return {net::IoStatus::kReset}; }
  void shutdownWrite() override {}
  void close(bool reset) override { inner_->close(reset); }
  bool peerReset() override { return inner_->peerReset(); }
  std::string failureReason() const override {
    return connecting_ ? inner_->failureReason() : "TLS error: Secret is not supplied by SDS";
  }
  net::Address localAddress() const override { return inner_->localAddress(); }

private:
  const std::unique_ptr<net::Io> inner_;
  bool connecting_;
};

} // namespace culvert::tls::internal
