// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/http2_stream_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nghttp2/nghttp2.h"
#include "source/hbone/http2_session.h"

namespace culvert::hbone {

using event::FdEvents;
using net::IoResult;
using net::IoStatus;

Http2StreamIo::Http2StreamIo(Http2Session& session, event::Loop& loop, bool opening)
    : session_(&session), loop_(loop), opening_(opening) {}

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

void Http2StreamIo::setRead(FdEvents::ReadInterest interest) {
  read_interest_ = interest;
  if (interest == FdEvents::ReadInterest::kPeer) {
    changed_ = ended_ || reset_; // What is there already is reported once, as a kernel does.
  }
  wake();
}

void Http2StreamIo::setWrite(bool wanted) {
  write_wanted_ = wanted;
  wake();
}

void Http2StreamIo::activate(uint32_t readiness) {
  activated_ |= static_cast<uint8_t>(readiness);
  loop_.runNext(*this);
}

// Asks for a turn if there is something to report.
void Http2StreamIo::wake() {
  if (readiness() != 0) {
    loop_.runNext(*this);
  }
}

void Http2StreamIo::onReady() {
  const uint32_t ready = readiness() | std::exchange(activated_, uint8_t{0});
  if ((ready & event::kPeerChanged) != 0) {
    changed_ = false;
  }
  if (write_wanted_ && session_ != nullptr && session_->sink_blocked_) {
    session_->blocked_.pushBack(*this); // Others were faster when the sink had room.
  }
  if (ready != 0 && callback_) {
    callback_(ready); // This may be gone now.
  }
}

uint32_t Http2StreamIo::readiness() const {
  const bool readable = !inbox_.empty() || ended_ || reset_;
  const bool open = opening_ ? response_ != nullptr
                             : writable_ && session_ != nullptr && !session_->sink_blocked_;
  uint32_t ready = write_wanted_ && (open || reset_) ? event::kWritable : 0;
  if (read_interest_ == FdEvents::ReadInterest::kData && readable) {
    ready |= event::kReadable;
  }
  if (read_interest_ == FdEvents::ReadInterest::kPeer && changed_) {
    ready |= event::kPeerChanged;
  }
  return ready;
}

// The peer wrote, ended or went.
void Http2StreamIo::onPeer() {
  changed_ = true;
  wake();
}

void Http2StreamIo::onReset(uint32_t code) {
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

IoResult Http2StreamIo::nothingToRead() const {
  return {reset_ ? IoStatus::kReset : ended_ ? IoStatus::kEnd : IoStatus::kOk};
}

IoResult Http2StreamIo::read(absl::Span<char> into) {
  if (inbox_.empty()) {
    return nothingToRead();
  }
  size_t copied = 0;
  while (copied < into.size() && !inbox_.empty()) {
    const absl::string_view front = inbox_.front().substr(0, into.size() - copied);
    std::memcpy(into.data() + copied, front.data(), front.size());
    copied += front.size();
    inbox_.drain(front.size());
  }
  if (session_ != nullptr) {
    session_->onRead(*this, copied);
  }
  wake();
  return {IoStatus::kOk, copied};
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
  event::Ready::unlink();
  read_interest_ = FdEvents::ReadInterest::kNone;
  write_wanted_ = false;
  if (session_ != nullptr) {
    session_->leave(*this, reset);
  }
  inbox_.clear();
}

std::string Http2StreamIo::failureReason() const {
  if (response_ != nullptr && response_->status / 100 != 2) {
    return absl::StrCat("the peer answered ", response_->status);
  }
  return reset_ ? absl::StrCat("stream reset: ", nghttp2_http2_strerror(reset_code_)) : "";
}

net::Address Http2StreamIo::localAddress() const {
  return session_ == nullptr ? net::Address() : session_->sink().io().localAddress();
}

std::shared_ptr<const net::TlsInfo> Http2StreamIo::tlsInfo() const {
  return session_ == nullptr ? nullptr : session_->sink().io().tlsInfo();
}

} // namespace culvert::hbone
