// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/transport_socket.h"

#include <string>
#include <utility>

#include "source/net/internal_listeners.h"
#include "source/net/preamble_io.h"
#include "source/net/socket_io.h"

namespace culvert::upstream {
namespace {

class RawTransport final : public TransportSocketFactory {
public:
  absl::StatusOr<std::unique_ptr<net::Io>> connect(event::Loop& loop,
                                                   const net::HostDescription& host,
                                                   const net::ConnectOptions& options,
                                                   const LoadBalancerContext&) const override {
    auto io = dial(loop, host, options);
    if (io.ok() && !options.preamble.empty()) {
      return std::make_unique<net::PreambleIo>(*std::move(io), options.preamble);
    }
    return io;
  }

private:
  static absl::StatusOr<std::unique_ptr<net::Io>>
  dial(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options) {
    if (host.address.kind() == net::Address::Kind::kInternal) {
      return net::connectInternal(loop, host, options.passed);
    }
    absl::StatusOr<net::Fd> fd = net::connectTo(host.address, options);
    if (!fd.ok()) {
      return fd.status();
    }
    return std::make_unique<net::SocketIo>(loop, *std::move(fd), true);
  }
};

class BrokenTransport final : public net::Io, private event::Ready {
public:
  BrokenTransport(event::Loop& loop, std::string reason)
      : loop_(loop), reason_(std::move(reason)) {}

  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest) override {}
  void setWrite(bool wanted) override {
    if (wanted) {
      loop_.runNext(*this);
    } else {
      unlink();
    }
  }
  void activate(uint32_t) override {}
  net::IoResult open() override { return {net::IoStatus::kReset}; }
  net::IoResult read(absl::Span<char>) override { return {net::IoStatus::kReset}; }
  net::IoResult write(absl::Span<const iovec>) override { return {net::IoStatus::kReset}; }
  void shutdownWrite() override {}
  void close(bool) override { unlink(); }
  bool peerReset() override { return true; }
  std::string failureReason() const override { return reason_; }
  net::Address localAddress() const override { return {}; }

private:
  void onReady() override { callback_(event::kWritable); }

  event::Loop& loop_;
  const std::string reason_;
  ReadyCallback callback_;
};

} // namespace

std::shared_ptr<TransportSocketFactory> makeRawTransport() {
  return std::make_shared<RawTransport>();
}

std::unique_ptr<net::Io> makeBrokenTransport(event::Loop& loop, std::string reason) {
  return std::make_unique<BrokenTransport>(loop, std::move(reason));
}

} // namespace culvert::upstream
