// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/base/delegate.h"
#include "source/net/io.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {

// A transport whose peer is asked for a tunnel by CONNECT of HTTP/1.1 before it counts as open, and
// whose bytes are the tunnel's from then on. A tunnel of HTTP/1.1 is never half open: our end of it
// ends both directions, as in Envoy. Bounded: an answer above 60 KiB fails.
// Threads: the loop's. Lifetime: owned by its connection.
class Http1TunnelIo final : public net::Io {
public:
  static constexpr size_t kAnswerBytesMax = 60 * 1024;

  Http1TunnelIo(std::unique_ptr<net::Io> below, const TunnelRequest& request);

  // Called once, when the transport below is open and the request goes out.
  void setAskedCallback(base::Delegate<void()> asked) { asked_ = asked; }
  // The answer's headers, `:status` first; null while there is none.
  const HttpFields* answer() const { return answer_.get(); }

  void setReadyCallback(ReadyCallback callback) override { below_->setReadyCallback(callback); }
  void setRead(event::FdEvents::ReadInterest interest) override;
  void setWrite(bool wanted) override;
  void activate(uint32_t readiness) override { below_->activate(readiness); }
  net::IoResult open() override;
  net::IoResult read(absl::Span<char> into) override;
  net::IoResult write(absl::Span<const iovec> pieces) override { return below_->write(pieces); }
  void shutdownWrite() override;
  void close(bool reset) override { below_->close(reset); }
  bool peerReset() override { return below_->peerReset(); }
  int plainFd() const override;
  std::string failureReason() const override;
  net::Address localAddress() const override { return below_->localAddress(); }
  const net::Address* reached() const override { return below_->reached(); }
  std::shared_ptr<const net::TlsInfo> tlsInfo() const override { return below_->tlsInfo(); }

private:
  enum class State : uint8_t { kConnecting, kAsking, kAnswer, kOpen, kEnded };

  net::IoResult ask();
  net::IoResult readAnswer();
  net::IoResult takeAnswer();

  const std::unique_ptr<net::Io> below_;
  base::Delegate<void()> asked_;
  std::string text_; // What is left of the request; then the answer so far; then bytes behind it.
  std::unique_ptr<HttpFields> answer_;
  State state_ = State::kConnecting;
};

} // namespace culvert::upstream
