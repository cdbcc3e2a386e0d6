// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/hbone/http2_headers.h"
#include "source/net/inbox_io.h"

namespace culvert::hbone {

class Http2Session;
struct Http2Callbacks;

struct BlockedStreams; // Names a list.

// Both directions of one HTTP/2 stream, as a transport for a net::Connection: DATA frames are its
// bytes, END_STREAM is its end, RST_STREAM its reset. Bytes are taken back into the peer's windows
// as they are read, so what waits here is bounded by the stream's window; an idle one holds none.
// As a socket does, it resets the peer when it is closed with bytes unread.
//
// A server's carries bytes once respond() said 2xx; what comes before waits. A client's still has
// to be opened: open() answers kMore until the response's headers came, and fails if they say no.
// Threads: the loop's. Lifetime: owned by its connection; it or the session may go first. The sink
// of the session outlives it, or the session was told of its end.
class Http2StreamIo final : public net::InboxIo<net::AcceptedIo>,
                            public base::ListNode<Http2StreamIo>,
                            public base::ListNode<BlockedStreams> {
public:
  ~Http2StreamIo() override;

  int32_t id() const { return id_; }

  // Server: answers, and carries bytes from here on. Once.
  void respond(uint32_t status, const Http2Fields& fields);
  // Server: answers, `body` being all there is to say. What the peer still sends is not read.
  void respondAndEnd(uint32_t status, const Http2Fields& fields, std::string body);

  // Client: the response's headers; null while none came.
  const Http2Headers* response() const { return response_.get(); }
  // All of them but the status, once they have been read: a stream may live long.
  void forgetFields() { response_->fields = Http2Fields(); }
  // The code of the RST_STREAM that ended it (RFC 9113, section 7); 0 where there was none.
  uint32_t resetCode() const { return reset_code_.value_or(0); }
  // What a close with `reset` tells the peer instead of CONNECT_ERROR or CANCEL, and an answer
  // that ends the stream before the peer did instead of NO_ERROR.
  void resetAs(uint32_t code) { reset_as_ = code; }
  // The peer ended its direction.
  bool ended() const { return ended_; }
  // Bytes that came and were not read yet.
  size_t unreadBytes() const { return inbox_.size(); }

  // net::AcceptedIo
  net::IoResult peek(absl::Span<char> into) override;
  bool peerEnded() const override { return ended_; }
  net::IoResult open() override;
  net::IoResult write(absl::Span<const iovec> pieces) override;
  void shutdownWrite() override;
  void close(bool reset) override;
  std::string failureReason() const override;
  net::Address localAddress() const override;
  std::shared_ptr<const net::TlsInfo> tlsInfo() const override;

private:
  friend class Http2Session;
  friend struct Http2Callbacks;

  Http2StreamIo(Http2Session& session, event::Loop& loop, bool opening);

  void onReady() override;
  bool takesMore() const override;
  void onTaken(size_t bytes) override;
  void onReset(std::optional<uint32_t> code); // None: the session took it along.

  Http2Session* session_; // Null when the session is over, or this was closed.
  std::unique_ptr<Http2Headers> response_;
  int32_t id_ = -1;
  std::optional<uint32_t> reset_code_;
  uint32_t reset_as_ = 0;
  bool opening_;          // A client's whose response did not come yet.
  bool writable_ = false; // The windows have room.
  bool live_ = true;      // HTTP/2 still knows the stream.
  bool carries_ = false;  // Our headers are out.
  bool end_sent_ = false; // Nothing more is written.
};

} // namespace culvert::hbone
