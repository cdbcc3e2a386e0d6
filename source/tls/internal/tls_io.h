// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/net/buffer.h"
#include "source/net/io.h"
#include "source/tls/internal/session.h"

namespace culvert::tls {
class Revocations;
}

namespace culvert::tls::internal {

class RevocationLists;

// TLS over another transport.
//
// Writing: up to kBatchBytes become records in a buffer that the loop's connections share, and
// leave in one send. Of records that the transport did not take whole the tail is kept, and their
// bytes count as refused: the caller offers them again, and they are then skipped. Reading: into
// the caller's buffer, until the transport or the caller's buffer is empty.
//
// A peer that was revoked is not read any more: the reader sees the end, and has that turn for a
// last word; then it is told of a reset, also when it does not read.
//
// Threads: the loop's. Lifetime: owned by its Connection.
class TlsIo final : public net::Io, public base::ListNode<TlsIo> {
public:
  // `connecting`: the transport still has to open.
  TlsIo(event::Loop& loop, std::unique_ptr<net::Io> inner, std::shared_ptr<Session> session,
        bool connecting);
  ~TlsIo() override;

  // Ends those connections of the loop whose peers are revoked by now.
  static void recheck(event::Loop& loop, Revocations& revocations);

  void setReadyCallback(ReadyCallback callback) override { callback_ = callback; }
  void setRead(event::FdEvents::ReadInterest interest) override;
  void setWrite(bool wanted) override;
  void activate(uint32_t readiness) override { inner_->activate(readiness); }
  net::IoResult open() override;
  net::IoResult read(absl::Span<char> into) override;
  net::IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  bool peerReset() override { return session_->revoked || inner_->peerReset(); }
  std::string failureReason() const override;
  net::Address localAddress() const override { return inner_->localAddress(); }
  std::shared_ptr<const net::TlsInfo> tlsInfo() const override { return session_; }

private:
  enum class State : uint8_t { kConnecting, kHandshake, kOpen, kFailed, kClosed };
  class Shared;
  class Pieces;
  friend struct TlsBio;

  void recheck(const RevocationLists& lists);
  void reportRevoked();
  void onReady(uint32_t readiness);
  void updateInterest();
  net::IoResult handshake();
  void onHandshakeDone();
  net::IoResult readFailed(int result, size_t bytes);
  void fail();
  size_t encrypt(Pieces& pieces);
  bool flush();
  void answer();
  void beginTurn();
  void sendCloseNotify();

  // Of the library's view of the transport.
  int bioRead(char* into, size_t size);
  int bioWrite(const char* data, size_t size);

  Shared& shared_;
  const std::unique_ptr<net::Io> inner_;
  const std::shared_ptr<Session> session_;
  ReadyCallback callback_;
  std::string failure_;
  net::Buffer unsent_;  // Records that the transport did not take.
  size_t withheld_ = 0; // What is in them of the caller's bytes.
  int reads_ = 0;       // Of the transport, in this turn.
  State state_;
  event::FdEvents::ReadInterest wanted_read_ = event::FdEvents::ReadInterest::kNone;
  bool wanted_write_ = false;
  bool bulk_ = false;    // The last read was long: the next is asked for more at once.
  bool drained_ = false; // The transport has nothing more in this turn.
  bool transport_more_ = false;
  bool transport_end_ = false;
  bool transport_reset_ = false;
  bool look_again_ = false; // Bytes may wait inside the library since the handshake.
  bool notified_ = false;   // close_notify was sent.
};

} // namespace culvert::tls::internal
