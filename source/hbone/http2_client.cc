// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nghttp2/nghttp2.h"
#include "source/base/check.h"

namespace culvert::hbone {
namespace {

uint8_t* bytesOf(const std::string& text) {
  return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); // nghttp2 copies it.
}

absl::string_view textOf(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

} // namespace

struct Http2Client::Callbacks {
  static Http2Client& self(void* data) { return *static_cast<Http2Client*>(data); }

  static int onBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    Http2Client& client = self(data);
    if (frame->hd.stream_id == client.stream_ && client.response_.status < 200) {
      client.response_.fields.clear(); // What stood there was interim.
    }
    return 0;
  }

  static int onHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* data) {
    Http2Client& client = self(data);
    if (frame->hd.stream_id != client.stream_) {
      return 0;
    }
    client.field_bytes_ += name_size + value_size;
    const absl::string_view key = textOf(name, name_size);
    const absl::string_view text = textOf(value, value_size);
    const bool good = client.field_bytes_ <= kFieldBytesMax &&
                      (key != ":status" || absl::SimpleAtoi(text, &client.response_.status));
    if (!good) {
      client.response_.state = Http2Response::State::kReset;
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // Resets the stream.
    }
    client.response_.fields.emplace_back(key, text);
    return 0;
  }

  static int onData(nghttp2_session*, uint8_t, int32_t stream, const uint8_t* bytes, size_t size,
                    void* data) {
    Http2Client& client = self(data);
    if (stream == client.stream_) {
      std::string& body = client.response_.body;
      absl::StrAppend(&body, textOf(bytes, std::min(size, kBodyBytesMax - body.size())));
    }
    return 0;
  }

  static int onFrame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    Http2Client& client = self(data);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.stream_id == client.stream_ && ends) {
      client.response_.state = Http2Response::State::kComplete;
    }
    return 0;
  }

  static int onStreamClose(nghttp2_session*, int32_t stream, uint32_t, void* data) {
    Http2Client& client = self(data);
    if (stream == client.stream_ && client.response_.state == Http2Response::State::kIncomplete) {
      client.response_.state = Http2Response::State::kReset;
    }
    return 0;
  }

  static ssize_t readBody(nghttp2_session*, int32_t stream, uint8_t* buffer, size_t size,
                          uint32_t* flags, nghttp2_data_source* source, void*) {
    Http2Client& client = self(source->ptr);
    if (stream != client.stream_) { // Given up.
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    const size_t some = std::min(size, client.body_.size() - client.sent_);
    std::copy_n(client.body_.data() + client.sent_, some, buffer);
    client.sent_ += some;
    if (client.sent_ == client.body_.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(some);
  }
};

const std::string* Http2Response::find(absl::string_view name) const {
  const auto it = std::find_if(fields.rbegin(), fields.rend(),
                               [&](const auto& field) { return field.first == name; });
  return it == fields.rend() ? nullptr : &it->second;
}

void Http2Client::Close::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Http2Client::Http2Client() {
  nghttp2_session_callbacks* callbacks = nullptr;
  CULVERT_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::onBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::onHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::onData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::onFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::onStreamClose);
  nghttp2_session* session = nullptr;
  CULVERT_CHECK(nghttp2_session_client_new(&session, callbacks, this) == 0);
  nghttp2_session_callbacks_del(callbacks);
  session_.reset(session);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kFieldBytesMax},
  };
  CULVERT_CHECK(
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
}

Http2Client::~Http2Client() = default;

void Http2Client::request(const Http2Fields& fields, std::string body) {
  if (stream_ > 0 && response_.state == Http2Response::State::kIncomplete) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream_, NGHTTP2_CANCEL);
  }
  response_ = {};
  field_bytes_ = sent_ = 0;
  body_ = std::move(body);
  std::vector<nghttp2_nv> lines;
  lines.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    lines.push_back(
        {bytesOf(name), bytesOf(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_data_provider provider{{.ptr = this}, &Callbacks::readBody};
  stream_ = nghttp2_submit_request(session_.get(), nullptr, lines.data(), lines.size(),
                                   body_.empty() ? nullptr : &provider, nullptr);
  if (stream_ < 0) { // No stream ids are left, or the peer said goodbye.
    response_.state = Http2Response::State::kReset;
  }
}

bool Http2Client::take(absl::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  collectOutput(); // Which may be a farewell.
  const bool waits = response_.state == Http2Response::State::kIncomplete;
  return taken == static_cast<ssize_t>(bytes.size()) &&
         (!waits || nghttp2_session_want_read(session_.get()) != 0);
}

std::string Http2Client::output() {
  collectOutput();
  return std::exchange(output_, {});
}

void Http2Client::collectOutput() {
  const uint8_t* bytes = nullptr;
  ssize_t size = 0;
  while ((size = nghttp2_session_mem_send(session_.get(), &bytes)) > 0) {
    absl::StrAppend(&output_, textOf(bytes, static_cast<size_t>(size)));
  }
}

// Both are false as soon as a GOAWAY has come or is to go.
bool Http2Client::reusable() const {
  return nghttp2_session_check_request_allowed(session_.get()) != 0;
}

} // namespace culvert::hbone
