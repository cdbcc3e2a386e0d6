// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/hbone/http2_stream_io.h"
#include "source/net/io.h"
#include "source/net/request_info.h"

namespace culvert::hbone {

// A CONNECT request as a transport whose connection is the answer: 200 goes out when somebody
// begins to read or to write it, since what is behind it has been reached by then; closing it
// before refuses. Above it nobody need know that it is no socket. Threads: the loop's. Lifetime: as
// Http2StreamIo.
class ConnectIo final : public net::AcceptedIo {
public:
  ConnectIo(std::unique_ptr<Http2StreamIo> stream, std::shared_ptr<net::ConnectAnswer> answer);
  ~ConnectIo() override;

  void setReadyCallback(ReadyCallback callback) override { stream_->setReadyCallback(callback); }
  void setRead(event::FdEvents::ReadInterest interest) override;
  void setWrite(bool wanted) override { stream_->setWrite(wanted); }
  void activate(uint32_t readiness) override { stream_->activate(readiness); }
  net::IoResult open() override { return stream_->open(); }
  net::IoResult read(absl::Span<char> into) override { return stream_->read(into); }
  net::IoResult take(absl::Span<char> scratch, net::Buffer& data) override {
    return stream_->take(scratch, data);
  }
  net::IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override { stream_->shutdownWrite(); }
  void close(bool reset) override;
  bool peerReset() override { return stream_->peerReset(); }
  std::string failureReason() const override { return stream_->failureReason(); }
  net::Address localAddress() const override { return stream_->localAddress(); }
  std::shared_ptr<const net::TlsInfo> tlsInfo() const override { return tls_; }
  net::IoResult peek(absl::Span<char> into) override { return stream_->peek(into); }
  bool peerEnded() const override { return stream_->peerEnded(); }

private:
  void accept();

  const std::unique_ptr<Http2StreamIo> stream_;
  const std::shared_ptr<net::ConnectAnswer> answer_;
  const std::shared_ptr<const net::TlsInfo> tls_; // Of the tunnel, also when that is gone.
  bool answered_ = false;
};

} // namespace culvert::hbone
