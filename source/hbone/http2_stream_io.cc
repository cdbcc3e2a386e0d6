// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_stream_io.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nghttp2/nghttp2.h"
#include "source/hbone/http2_session.h"

namespace culvert::hbone {

using net::IoResult;
using net::IoStatus;

Http2StreamIo::Http2StreamIo(Http2Session& session, event::Loop& loop, bool opening)
    : InboxIo(loop), session_(&session), opening_(opening) {}

Http2StreamIo::~Http2StreamIo() { close(false); }

void Http2StreamIo::respond(uint32_t status, const Http2Fields& fields) {
  if (live_ && session_ != nullptr) {
    session_->submitResponse(*this, status, fields, std::nullopt);
    carries_ = true;
  }
}

void Http2StreamIo::respondAndEnd(uint32_t status, const Http2Fields& fields, std::string body) {
  if (live_ && session_ != nullptr) {
    session_->submitResponse(*this, status, fields, std::move(body));
    carries_ = end_sent_ = true;
  }
}

void Http2StreamIo::onReady() {
  if (writeWanted() && session_ != nullptr && session_->sink_blocked_) {
    session_->blocked_.pushBack(*this); // Others were faster when the sink had room.
  }
  InboxIo::onReady(); // This may be gone now.
}

bool Http2StreamIo::takesMore() const {
  return reset_ || (opening_ ? response_ != nullptr
                             : writable_ && session_ != nullptr && !session_->sink_blocked_);
}

void Http2StreamIo::onTaken(size_t bytes) {
  if (session_ != nullptr) {
    session_->onRead(*this, bytes);
  }
}

void Http2StreamIo::onReset(std::optional<uint32_t> code) {
  reset_ = true;
  reset_code_ = code;
  onPeer();
}

IoResult Http2StreamIo::open() {
  if (response_ == nullptr && !reset_) {
    return {IoStatus::kMore};
  }
  if (response_ == nullptr || response_->status / 100 != 2) {
    return {IoStatus::kReset};
  }
  opening_ = false;
  return {IoStatus::kOk};
}

IoResult Http2StreamIo::peek(absl::Span<char> into) {
  if (inbox_.empty()) {
    return nothingToRead();
  }
  const std::string begin = inbox_.peek(into.size());
  std::memcpy(into.data(), begin.data(), begin.size());
  return {IoStatus::kOk, begin.size()};
}

IoResult Http2StreamIo::write(absl::Span<const iovec> pieces) {
  if (!live_ || session_ == nullptr) {
    return {IoStatus::kReset};
  }
  if (!carries_ || end_sent_) {
    return {IoStatus::kOk};
  }
  return session_->write(*this, pieces);
}

void Http2StreamIo::shutdownWrite() {
  if (live_ && session_ != nullptr && carries_ && !end_sent_) {
    end_sent_ = true;
    session_->endWrite(*this);
  }
}

void Http2StreamIo::close(bool reset) {
  silence();
  if (session_ != nullptr) {
    session_->leave(*this, reset);
  }
  inbox_.clear();
}

std::string Http2StreamIo::failureReason() const {
  if (response_ != nullptr && response_->status / 100 != 2) {
    return absl::StrCat("the peer answered ", response_->status);
  }
  if (!reset_) {
    return "";
  }
  return reset_code_.has_value()
             ? absl::StrCat("stream reset: ", nghttp2_http2_strerror(*reset_code_))
             : std::string(net::kTunnelLost);
}

net::Address Http2StreamIo::localAddress() const {
  return session_ == nullptr ? net::Address() : session_->sink().io().localAddress();
}

std::shared_ptr<const net::TlsInfo> Http2StreamIo::tlsInfo() const {
  return session_ == nullptr ? nullptr : session_->sink().io().tlsInfo();
}

} // namespace culvert::hbone
