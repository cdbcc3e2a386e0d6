// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/internal/http2_callbacks.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "source/base/check.h"

namespace culvert::hbone {
namespace {

// Envoy's bounds for frames that cost a peer nothing: those without content one after the other,
// PRIORITY by the streams there were, WINDOW_UPDATE by the DATA that was sent.
constexpr uint32_t kEmptyFramesMax = 1;
constexpr uint64_t kPrioritiesPerStream = 100;
constexpr uint64_t kUpdatesPerDataFrame = 10;

// A frame of DATA with its head fills one record of TLS, so that neither is split.
constexpr size_t kFrameHeadBytes = 9;
constexpr size_t kFrameBytes = 16 * 1024 - kFrameHeadBytes;

absl::string_view textOf(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool ends(const nghttp2_frame& frame) { return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

} // namespace

nghttp2_session_callbacks* Http2Callbacks::make() {
  nghttp2_session_callbacks* callbacks = nullptr;
  CULVERT_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &onBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &onHeader);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &onInvalidHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &onData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &onFrame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &onInvalidFrame);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &onFrameSent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &onStreamClose);
  nghttp2_session_callbacks_set_send_data_callback(callbacks, &sendData);
  return callbacks;
}

int Http2Callbacks::onBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* data) {
  Http2Session& session = self(data);
  session.incoming_ = {};
  session.incoming_bytes_ = 0;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    session.streams_count_++;
    session.floods_.streams++;
    session.stats_.streams_active.add();
  }
  return 0;
}

int Http2Callbacks::onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                             size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                             void* data) {
  Http2Session& session = self(data);
  session.incoming_bytes_ += name_size + value_size;
  const absl::string_view key = textOf(name, name_size);
  const absl::string_view text = textOf(value, value_size);
  if (session.incoming_bytes_ > session.options_.header_bytes_max ||
      session.incoming_.fields.size() >= session.options_.header_count_max) {
    session.stats_.header_overflow.add();
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // Resets the stream.
  }
  if (key == ":status" && !absl::SimpleAtoi(text, &session.incoming_.status)) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (frame->headers.cat != NGHTTP2_HCAT_HEADERS || session.role_ == Http2Role::kClient) {
    session.incoming_.fields.emplace_back(key, text);
  }
  return 0;
}

int Http2Callbacks::onInvalidHeader(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t,
                                    const uint8_t*, size_t, uint8_t, void* data) {
  self(data).stats_.rx_messaging_error.add();
  onBadMessage(self(data));
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int Http2Callbacks::onData(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* bytes,
                           size_t size, void* data) {
  Http2StreamIo* const stream = streamOf(session, id);
  if (stream == nullptr) { // Nobody reads it.
    nghttp2_session_consume(session, id, size);
    return 0;
  }
  Http2Session& owner = self(data);
  owner.held_bytes_ += size;
  if (owner.held_bytes_ <= owner.options_.connection_window_bytes / 2) {
    nghttp2_session_consume_connection(session, size);
  } else {
    owner.owed_bytes_ += size;
  }
  stream->inbox_.append(textOf(bytes, size));
  stream->onPeer();
  return 0;
}

int Http2Callbacks::onFrame(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
  Http2Session& owner = self(data);
  if (owner.end_ != Http2End::kDone) { // It is being ended; what was read with it is passed over.
    return 0;
  }
  if (isFlood(*frame, owner)) {
    owner.end_ = Http2End::kFlood;
    return nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  switch (frame->hd.type) {
  case NGHTTP2_HEADERS:
    onHeaders(session, *frame, owner);
    break;
  case NGHTTP2_SETTINGS:
    owner.heard_settings_ |= (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0;
    owner.room_changed_ = true;
    break;
  case NGHTTP2_GOAWAY:
    owner.room_changed_ = true;
    break;
  case NGHTTP2_PING:
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
      owner.onPong();
    }
    break;
  case NGHTTP2_RST_STREAM:
    owner.stats_.rx_reset.add();
    break;
  default:
    break;
  }
  Http2StreamIo* const stream = streamOf(session, frame->hd.stream_id);
  const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (carries && ends(*frame) && stream != nullptr) {
    stream->ended_ = true;
    stream->onPeer();
  }
  return 0;
}

bool Http2Callbacks::isFlood(const nghttp2_frame& frame, Http2Session& self) {
  Http2Session::Floods& floods = self.floods_;
  switch (frame.hd.type) {
  case NGHTTP2_HEADERS:
  case NGHTTP2_DATA:
    floods.empty_frames = frame.hd.length == 0 && !ends(frame) ? floods.empty_frames + 1 : 0;
    if (floods.empty_frames > kEmptyFramesMax) {
      self.stats_.inbound_empty_frames_flood.add();
      return true;
    }
    return false;
  case NGHTTP2_PRIORITY:
    if (++floods.priorities > kPrioritiesPerStream * (1 + floods.streams)) {
      self.stats_.inbound_priority_frames_flood.add();
      return true;
    }
    return false;
  case NGHTTP2_WINDOW_UPDATE:
    if (++floods.window_updates >
        5 + 2 * (floods.streams + kUpdatesPerDataFrame * floods.data_frames_sent)) {
      self.stats_.inbound_window_update_frames_flood.add();
      return true;
    }
    return false;
  default:
    return false;
  }
}

void Http2Callbacks::onHeaders(nghttp2_session* session, const nghttp2_frame& frame,
                               Http2Session& self) {
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    onRequest(session, frame, self);
    return;
  }
  Http2StreamIo* const stream = streamOf(session, frame.hd.stream_id);
  if (stream != nullptr && stream->opening_ && stream->response_ == nullptr) {
    onResponse(*stream, self);
  } else {
    self.stats_.trailers.add();
  }
}

void Http2Callbacks::onRequest(nghttp2_session* session, const nghttp2_frame& frame,
                               Http2Session& self) {
  std::unique_ptr<Http2StreamIo> stream(new Http2StreamIo(self, self.loop_, false));
  stream->id_ = frame.hd.stream_id;
  stream->ended_ = ends(frame); // Who refuses it at once wants to know.
  nghttp2_session_set_stream_user_data(session, stream->id_, stream.get());
  self.streams_.pushBack(*stream);
  self.handler_.onRequest(std::move(stream), std::exchange(self.incoming_, {}));
}

void Http2Callbacks::onResponse(Http2StreamIo& stream, Http2Session& self) {
  if (self.incoming_.status < 200) { // Interim.
    return;
  }
  stream.response_ = std::make_unique<Http2Headers>(std::exchange(self.incoming_, {}));
  stream.wake();
}

int Http2Callbacks::onInvalidFrame(nghttp2_session*, const nghttp2_frame*, int error, void* data) {
  Http2Session& owner = self(data);
  if (error == NGHTTP2_ERR_REFUSED_STREAM) {
    owner.stats_.stream_refused_errors.add();
    return 0;
  }
  owner.stats_.rx_messaging_error.add();
  const bool message = error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING;
  return message ? onBadMessage(owner) : 0;
}

int Http2Callbacks::onBadMessage(Http2Session& owner) {
  if (owner.options_.bad_messages_end_streams) {
    return 0;
  }
  owner.end_ = Http2End::kProtocol;
  return nghttp2_session_terminate_session(owner.session_.get(), NGHTTP2_PROTOCOL_ERROR);
}

int Http2Callbacks::onFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* data) {
  Http2Session& owner = self(data);
  const int32_t id = frame->hd.stream_id;
  switch (frame->hd.type) {
  case NGHTTP2_RST_STREAM:
    owner.stats_.tx_reset.add();
    return 0;
  case NGHTTP2_GOAWAY:
    owner.stats_.goaway_sent.add();
    if (frame->goaway.error_code != NGHTTP2_NO_ERROR && owner.end_ == Http2End::kDone) {
      owner.end_ = Http2End::kProtocol;
    }
    return 0;
  case NGHTTP2_DATA:
    owner.floods_.data_frames_sent++;
    break;
  case NGHTTP2_HEADERS:
    break;
  default:
    return 0;
  }
  // We said all, and nobody listens any more.
  if (ends(*frame) && streamOf(session, id) == nullptr &&
      nghttp2_session_get_stream_remote_close(session, id) == 0) {
    owner.submitReset(id, owner.unwantedCode(id));
  }
  return 0;
}

int Http2Callbacks::onStreamClose(nghttp2_session* session, int32_t id, uint32_t code, void* data) {
  Http2Session& owner = self(data);
  owner.streams_count_--;
  owner.stats_.streams_active.sub();
  owner.answers_.erase(id);
  owner.room_changed_ = true;
  Http2StreamIo* const stream = streamOf(session, id);
  if (stream == nullptr) {
    return 0;
  }
  stream->live_ = false;
  if (code != NGHTTP2_NO_ERROR || !stream->ended_) { // Else the peer only wants no more of us.
    stream->onReset(code);
  }
  return 0;
}

ssize_t Http2Callbacks::readStaged(nghttp2_session* session, int32_t id, uint8_t*, size_t size,
                                   uint32_t* flags, nghttp2_data_source*, void* data) {
  Http2Session& owner = self(data);
  const Http2Session::Staged& staged = owner.staged_;
  Http2StreamIo* const stream = streamOf(session, id);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (stream != nullptr && staged.stream == stream && staged.left > 0 && !owner.sink_blocked_) {
    return static_cast<ssize_t>(std::min({size, staged.left, kFrameBytes}));
  }
  if (stream == nullptr || stream->end_sent_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return 0;
  }
  stream->writable_ = true;
  stream->wake();
  return NGHTTP2_ERR_DEFERRED;
}

ssize_t Http2Callbacks::readBody(nghttp2_session*, int32_t id, uint8_t* buffer, size_t size,
                                 uint32_t* flags, nghttp2_data_source*, void* data) {
  std::string& body = self(data).answers_[id].body;
  const size_t some = std::min(size, body.size());
  std::copy_n(body.data(), some, buffer);
  body.erase(0, some);
  if (body.empty()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
  }
  return static_cast<ssize_t>(some);
}

// Nothing is padded.
int Http2Callbacks::sendData(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size,
                             nghttp2_data_source*, void* data) {
  Http2Session& owner = self(data);
  owner.append(textOf(head, kFrameHeadBytes));
  Http2Session::Staged& staged = owner.staged_;
  staged.left -= size;
  staged.sent += size;
  for (size_t left = size; left > 0;) {
    const iovec& piece = staged.pieces.front();
    const size_t some = std::min(left, piece.iov_len - staged.offset);
    owner.append({static_cast<const char*>(piece.iov_base) + staged.offset, some});
    staged.offset += some;
    left -= some;
    if (staged.offset == piece.iov_len) {
      staged.pieces.remove_prefix(1);
      staged.offset = 0;
    }
  }
  owner.flushIfMuch();
  return 0;
}

} // namespace culvert::hbone
