// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_session.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "nghttp2/nghttp2.h"
#include "source/base/check.h"
#include "source/hbone/internal/http2_callbacks.h"

namespace culvert::hbone {
namespace {

// What is collected before it goes to the sink at once.
constexpr size_t kOutputBytes = 64 * 1024;

// A loop's sessions collect into the same memory, as long as they do so one after the other.
struct SpareOutput {
  explicit SpareOutput(event::Loop&) {}
  std::string memory;
};

std::vector<nghttp2_nv> linesOf(const Http2Fields& fields) {
  const auto bytes = [](const std::string& text) { // nghttp2 copies it.
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  std::vector<nghttp2_nv> lines;
  lines.reserve(fields.size() + 1);
  for (const auto& [name, value] : fields) {
    lines.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return lines;
}

nghttp2_session* newSession(Http2Role role, void* user) {
  nghttp2_session_callbacks* const callbacks = Http2Callbacks::make();
  nghttp2_option* option = nullptr;
  CULVERT_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_session* session = nullptr;
  const auto make =
      role == Http2Role::kServer ? &nghttp2_session_server_new2 : &nghttp2_session_client_new2;
  CULVERT_CHECK(make(&session, callbacks, user, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

} // namespace

void Http2Session::Close::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Http2Session::Http2Session(Http2Role role, const Http2Options& options, net::Connection& sink,
                           Http2Stats& stats, Http2Handler& handler)
    : role_(role), options_(options), sink_(sink), loop_(sink.loop()), stats_(stats),
      handler_(handler), session_(newSession(role, this)) {
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window_bytes},
  };
  if (role == Http2Role::kServer) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  if (role == Http2Role::kServer || options.allow_connect) { // Envoy's server says also that not.
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, options.allow_connect ? 1u : 0u});
  }
  for (const Http2Setting& setting : options.more_settings) {
    settings.push_back({setting.id, setting.value});
  }
  nghttp2_session* const session = session_.get();
  CULVERT_CHECK(
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  CULVERT_CHECK(nghttp2_session_set_local_window_size(
                    session, NGHTTP2_FLAG_NONE, 0,
                    static_cast<int32_t>(options.connection_window_bytes)) == 0);
  if (options.keepalive_interval > base::Duration::zero()) {
    keepalive_ = std::make_unique<event::Timer>(
        loop_, event::Timer::Callback::to<&Http2Session::onKeepAlive>(this));
    keepalive_->arm(options.keepalive_interval);
  }
  schedule();
}

Http2Session::~Http2Session() {
  stats_.streams_active.sub(streams_count_);
  dropStreams();
}

void Http2Session::take(net::Buffer& data) {
  while (!data.empty() && !broken_ && !finished_) {
    const absl::string_view front = data.front();
    busy_ = true;
    const ssize_t taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const uint8_t*>(front.data()), front.size());
    busy_ = false;
    if (taken < 0) {
      broken_ = true;
      stats_.outbound_control_flood.add(taken == NGHTTP2_ERR_FLOODED ? 1 : 0);
      end_ = taken == NGHTTP2_ERR_FLOODED ? Http2End::kFlood : Http2End::kProtocol;
    } else {
      data.drain(static_cast<size_t>(taken));
    }
  }
  data.clear();
  schedule();
}

void Http2Session::onSinkBlocked(bool blocked) {
  sink_blocked_ = blocked;
  if (blocked) {
    return;
  }
  while (Http2StreamIo* stream = blocked_.popFront()) {
    stream->wake();
  }
  schedule();
}

void Http2Session::onSinkClosed() { finish(Http2End::kGone); }

std::unique_ptr<Http2StreamIo> Http2Session::openStream(const Http2Fields& fields) {
  if (room() == 0) {
    return nullptr;
  }
  std::unique_ptr<Http2StreamIo> stream(new Http2StreamIo(*this, loop_, true));
  const std::vector<nghttp2_nv> lines = linesOf(fields);
  const nghttp2_data_provider provider{{.ptr = nullptr}, &Http2Callbacks::readStaged};
  stream->id_ = nghttp2_submit_request(session_.get(), nullptr, lines.data(), lines.size(),
                                       &provider, stream.get());
  if (stream->id_ < 0) { // No stream ids are left.
    stream->session_ = nullptr;
    return nullptr;
  }
  stream->carries_ = true;
  streams_.pushBack(*stream);
  streams_count_++;
  stats_.streams_active.add();
  schedule();
  return stream;
}

uint32_t Http2Session::room() const {
  if (finished_ || broken_ || goodbye()) {
    return 0;
  }
  const uint32_t peers =
      nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  const uint32_t limit = std::min(peers, options_.max_concurrent_streams);
  return limit - std::min(limit, streams_count_);
}

bool Http2Session::goodbye() const {
  return nghttp2_session_check_request_allowed(session_.get()) == 0;
}

void Http2Session::announceGoodbye() {
  nghttp2_submit_shutdown_notice(session_.get());
  schedule();
}

void Http2Session::sayGoodbye() {
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  schedule();
}

void Http2Session::sayGoodbyeAtOnce() {
  sayGoodbye();
  if (!broken_) {
    collect();
  }
  flush();
}

// DATA frames are made here and now, of bytes that are only borrowed.
net::IoResult Http2Session::write(Http2StreamIo& stream, absl::Span<const iovec> pieces) {
  if (sink_blocked_) {
    blocked_.pushBack(stream);
    return {net::IoStatus::kOk};
  }
  if (busy_ || broken_) {
    stream.wake();
    return {net::IoStatus::kOk};
  }
  staged_ = {.stream = &stream, .pieces = pieces};
  for (const iovec& piece : pieces) {
    staged_.left += piece.iov_len;
  }
  stream.writable_ = false;
  nghttp2_session_resume_data(session_.get(), stream.id_);
  collect();
  const size_t sent = std::exchange(staged_, {}).sent;
  if (sink_blocked_) {
    blocked_.pushBack(stream);
  }
  schedule();
  return {net::IoStatus::kOk, sent};
}

void Http2Session::onRead(Http2StreamIo& stream, size_t bytes) {
  release(bytes);
  if (stream.live_) {
    nghttp2_session_consume_stream(session_.get(), stream.id_, bytes);
  }
  schedule();
}

// What waited no longer does.
void Http2Session::release(size_t bytes) {
  held_bytes_ -= bytes;
  const uint64_t paid = std::min<uint64_t>(owed_bytes_, bytes);
  owed_bytes_ -= paid;
  if (paid > 0) {
    nghttp2_session_consume_connection(session_.get(), paid);
  }
}

void Http2Session::endWrite(Http2StreamIo& stream) {
  nghttp2_session_resume_data(session_.get(), stream.id_);
  schedule();
}

// What the stream had to say still leaves, as far as it was written; then nobody listens. An
// upstream that failed is told of by CONNECT_ERROR (RFC 9113, section 8.5).
void Http2Session::leave(Http2StreamIo& stream, bool reset) {
  const bool unread = !stream.inbox_.empty();
  release(stream.inbox_.size());
  static_cast<base::ListNode<Http2StreamIo>&>(stream).unlink();
  static_cast<base::ListNode<BlockedStreams>&>(stream).unlink();
  stream.session_ = nullptr;
  if (!stream.live_) {
    return;
  }
  stream.live_ = false;
  nghttp2_session* const session = session_.get();
  nghttp2_session_set_stream_user_data(session, stream.id_, nullptr);
  const auto answer = answers_.find(stream.id_);
  const bool answered = answer != answers_.end();
  if (answered) {
    answer->second.unwanted_code = stream.reset_as_;
  }
  if (!answered && (reset || unread || stream.opening_ || !stream.carries_)) {
    submitReset(stream.id_, resetCodeOf(stream, reset));
  } else if (nghttp2_session_get_stream_local_close(session, stream.id_) == 1) {
    if (!stream.ended_) {
      submitReset(stream.id_, unwantedCode(stream.id_));
    }
  } else {
    nghttp2_session_resume_data(session, stream.id_);
  }
  schedule();
}

void Http2Session::submitReset(int32_t id, uint32_t code) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, code);
}

uint32_t Http2Session::resetCodeOf(const Http2StreamIo& stream, bool reset) const {
  if (reset && stream.reset_as_ != NGHTTP2_NO_ERROR) {
    return stream.reset_as_;
  }
  return reset && role_ == Http2Role::kServer ? NGHTTP2_CONNECT_ERROR : NGHTTP2_CANCEL;
}

// How a peer hears that the rest of what it says is not wanted: from a server that has answered,
// by NO_ERROR (RFC 9113, section 8.1) where there is nothing else to say.
uint32_t Http2Session::unwantedCode(int32_t id) const {
  if (role_ == Http2Role::kClient) {
    return NGHTTP2_CANCEL;
  }
  const auto answer = answers_.find(id);
  return answer == answers_.end() ? NGHTTP2_NO_ERROR : answer->second.unwanted_code;
}

void Http2Session::submitResponse(Http2StreamIo& stream, uint32_t status, const Http2Fields& fields,
                                  std::optional<std::string> body) {
  Http2Fields all = {{":status", std::to_string(status)}};
  all.insert(all.end(), fields.begin(), fields.end());
  const std::vector<nghttp2_nv> lines = linesOf(all);
  const nghttp2_data_provider provider{
      {.ptr = nullptr}, body.has_value() ? &Http2Callbacks::readBody : &Http2Callbacks::readStaged};
  const bool headers_only = body.has_value() && body->empty();
  nghttp2_submit_response(session_.get(), stream.id_, lines.data(), lines.size(),
                          headers_only ? nullptr : &provider);
  if (body.has_value()) {
    answers_.emplace(stream.id_, Answer{*std::move(body), NGHTTP2_NO_ERROR});
  }
  schedule();
}

// Everybody who is ready now has their turn before what they said leaves.
void Http2Session::schedule() {
  if (!finished_) {
    loop_.runNext(*this);
  }
}

void Http2Session::onReady() {
  if (!broken_) {
    collect();
  }
  flush();
  if (finished_) {
    return;
  }
  if (std::exchange(room_changed_, false)) {
    handler_.onRoom();
  }
  nghttp2_session* const session = session_.get();
  const bool over =
      nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0;
  if (!finished_ && (broken_ || over)) {
    finish(end_);
  }
}

void Http2Session::collect() {
  const uint8_t* bytes = nullptr;
  busy_ = true;
  while (!sink_blocked_ && !finished_) {
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size < 0) {
      broken_ = true;
      end_ = Http2End::kProtocol;
    }
    if (size <= 0) {
      break;
    }
    append({reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)});
    flushIfMuch();
  }
  busy_ = false;
}

void Http2Session::append(absl::string_view bytes) {
  if (output_.capacity() < kOutputBytes) {
    output_ = std::exchange(loop_.local<SpareOutput>().memory, {});
    output_.reserve(event::Loop::kCopyOffset + 2 * kOutputBytes);
    output_.assign(event::Loop::kCopyOffset, '\0');
  }
  output_.append(bytes.data(), bytes.size());
}

absl::string_view Http2Session::collected() const {
  return absl::string_view(output_).substr(std::min(output_.size(), event::Loop::kCopyOffset));
}

void Http2Session::flushIfMuch() {
  if (collected().size() >= kOutputBytes) {
    flush();
  }
}

void Http2Session::flush() {
  if (collected().empty()) {
    return;
  }
  net::Buffer data = net::Buffer::borrow(collected());
  if (writer_) {
    writer_(data);
  } else {
    sink_.write(data, false);
  }
  output_.clear();
  loop_.local<SpareOutput>().memory = std::exchange(output_, {});
}

void Http2Session::onKeepAlive() {
  if (ping_unanswered_) {
    stats_.keepalive_timeout.add();
    end_ = Http2End::kKeepalive;
    broken_ = true;
    schedule();
    return;
  }
  ping_unanswered_ = true;
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
  keepalive_->arm(options_.keepalive_timeout);
  schedule();
}

void Http2Session::onPong() {
  if (std::exchange(ping_unanswered_, false)) {
    keepalive_->arm(options_.keepalive_interval);
  }
}

void Http2Session::finish(Http2End end) {
  if (std::exchange(finished_, true)) {
    return;
  }
  event::Ready::unlink();
  keepalive_.reset();
  dropStreams();
  handler_.onSessionEnd(end);
}

void Http2Session::dropStreams() {
  while (Http2StreamIo* stream = streams_.popFront()) {
    stream->session_ = nullptr;
    stream->live_ = false;
    stream->onReset(std::nullopt);
  }
}

} // namespace culvert::hbone
