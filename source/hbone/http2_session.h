// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/event/timer_heap.h"
#include "source/hbone/http2_headers.h"
#include "source/hbone/http2_options.h"
#include "source/hbone/http2_stats.h"
#include "source/hbone/http2_stream_io.h"
#include "source/net/connection.h"

struct nghttp2_session;

namespace culvert::hbone {

enum class Http2Role : uint8_t { kClient, kServer };

// Why no stream moves any more.
enum class Http2End : uint8_t {
  kDone,      // One of the two said goodbye, and the last stream ended.
  kGone,      // The sink closed.
  kProtocol,  // The peer speaks no HTTP/2, or not well; it was told by GOAWAY.
  kFlood,     // The peer sent too much of what costs it nothing.
  kKeepalive, // A PING was not answered.
};

// Whom a session belongs to and reports to.
class Http2Handler {
public:
  // Server: the headers of a request came. Whoever drops `stream` resets it.
  virtual void onRequest(std::unique_ptr<Http2StreamIo> stream, Http2Headers headers) {
    static_cast<void>(stream), static_cast<void>(headers);
  }
  // Client: how many more streams may be opened has changed, see Http2Session::room().
  virtual void onRoom() {}
  // Called once. Its streams are reset by then; what it said last is in the sink. The session may
  // only be destroyed through Loop::deferDelete here.
  virtual void onSessionEnd(Http2End end) = 0;

protected:
  ~Http2Handler() = default;
};

// One end of an HTTP/2 connection: the streams that go over one sink. Whoever owns the sink hands
// over what it reads and says when it is blocked or closed. What is written is collected and leaves
// once a turn. A stream that nobody reads stops only itself: the connection's window is given back
// as bytes come, until what waits in all streams together fills half of it. Threads: the loop's.
// Lifetime: borrows the sink and the handler; streams may outlive it. Destroy through
// Loop::deferDelete when one of its callbacks may be on the stack.
class Http2Session final : public event::Deferred, private event::Ready {
public:
  Http2Session(Http2Role role, const Http2Options& options, net::Connection& sink,
               Http2Stats& stats, Http2Handler& handler);
  ~Http2Session() override;

  // What is said goes here instead of to the sink itself.
  void writeThrough(base::Delegate<void(net::Buffer&)> writer) { writer_ = writer; }

  // What the sink's handler hears.
  void take(net::Buffer& data);
  void onSinkBlocked(bool blocked);
  void onSinkClosed();

  // Client: sends a request that is `fields`, beginning with the pseudo-headers. Null: room() is 0.
  std::unique_ptr<Http2StreamIo> openStream(const Http2Fields& fields);
  // Client: how many more streams may be opened now; 0 for ever when goodbye() is true.
  uint32_t room() const;
  // One of the two said goodbye: there will be no new streams.
  bool goodbye() const;
  // Client: the peer's SETTINGS came.
  bool heardSettings() const { return heard_settings_; }

  // Server: says that it is about to leave (the peer opens no new streams as soon as it hears of
  // it); then that it does: later streams are not answered, the ones there are go on to their end.
  void announceGoodbye();
  void sayGoodbye();
  // The same, to be closed right after: what there is to say is in the sink when this returns.
  void sayGoodbyeAtOnce();

  // Streams of which either end has something to say yet.
  uint32_t streams() const { return streams_count_; }
  net::Connection& sink() { return sink_; }

private:
  friend class Http2StreamIo;
  friend struct Http2Callbacks;

  // What a stream has in hand while it writes.
  struct Staged {
    Http2StreamIo* stream = nullptr;
    absl::Span<const iovec> pieces;
    size_t offset = 0; // In the first of them.
    size_t left = 0;
    size_t sent = 0;
  };
  // One that ends its stream.
  struct Answer {
    std::string body;           // What of it was not sent yet.
    uint32_t unwanted_code = 0; // What a peer is told then that has not ended.
  };
  // What the peer costs us without need, see Http2Callbacks::onFrame.
  struct Floods {
    uint64_t streams = 0;
    uint64_t data_frames_sent = 0;
    uint64_t priorities = 0;
    uint64_t window_updates = 0;
    uint32_t empty_frames = 0; // One after the other.
  };
  struct Close {
    void operator()(nghttp2_session* session) const;
  };

  // The streams' calls.
  net::IoResult write(Http2StreamIo& stream, absl::Span<const iovec> pieces);
  void onRead(Http2StreamIo& stream, size_t bytes);
  void endWrite(Http2StreamIo& stream);
  void leave(Http2StreamIo& stream, bool reset);
  void submitResponse(Http2StreamIo& stream, uint32_t status, const Http2Fields& fields,
                      std::optional<std::string> body);

  void onReady() override;
  void schedule();
  void collect();
  void flush();
  void flushIfMuch();
  void append(absl::string_view bytes);
  absl::string_view collected() const;
  void release(size_t bytes);
  void submitReset(int32_t id, uint32_t code);
  uint32_t resetCodeOf(const Http2StreamIo& stream, bool reset) const;
  uint32_t unwantedCode(int32_t id) const;
  void dropStreams();
  void onKeepAlive();
  void onPong();
  void finish(Http2End end);

  const Http2Role role_;
  const Http2Options options_;
  net::Connection& sink_;
  event::Loop& loop_;
  Http2Stats& stats_;
  Http2Handler& handler_;
  base::Delegate<void(net::Buffer&)> writer_;
  std::unique_ptr<nghttp2_session, Close> session_;
  base::IntrusiveList<Http2StreamIo> streams_;
  base::IntrusiveList<Http2StreamIo, BlockedStreams> blocked_; // By the sink.
  absl::flat_hash_map<int32_t, Answer> answers_;               // Of those without a stream.
  Http2Headers incoming_;                                      // Headers that are not complete yet.
  size_t incoming_bytes_ = 0;
  std::string output_; // Behind Loop::kCopyOffset.
  Staged staged_;
  Floods floods_;
  std::unique_ptr<event::Timer> keepalive_;
  uint64_t held_bytes_ = 0; // In all streams,
  uint64_t owed_bytes_ = 0; // and what of it was not given back to the connection's window.
  uint32_t streams_count_ = 0;
  bool busy_ = false; // nghttp2 is on the stack.
  bool sink_blocked_ = false;
  bool heard_settings_ = false;
  bool ping_unanswered_ = false;
  bool room_changed_ = false;
  bool broken_ = false; // Nothing more is taken.
  bool finished_ = false;
  Http2End end_ = Http2End::kDone; // Should it end.
};

} // namespace culvert::hbone
