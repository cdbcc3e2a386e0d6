// SPDX-License-Identifier: Apache-2.0
#include "source/hbone/connect_io.h"

#include <utility>

namespace culvert::hbone {
namespace {

constexpr uint32_t kOk = 200;
constexpr uint32_t kCancel = 8; // RFC 9113, section 7.

} // namespace

ConnectIo::ConnectIo(std::unique_ptr<Http2StreamIo> stream,
                     std::shared_ptr<net::ConnectAnswer> answer)
    : stream_(std::move(stream)), answer_(std::move(answer)), tls_(stream_->tlsInfo()) {}

ConnectIo::~ConnectIo() { close(false); }

void ConnectIo::setRead(event::FdEvents::ReadInterest interest) {
  if (interest == event::FdEvents::ReadInterest::kData) {
    accept();
  }
  stream_->setRead(interest);
}

net::IoResult ConnectIo::write(absl::Span<const iovec> pieces) {
  accept();
  return stream_->write(pieces);
}

void ConnectIo::accept() {
  if (!std::exchange(answered_, true)) {
    stream_->respond(kOk, std::exchange(answer_->accept_headers, {}));
  }
}

// The application may reset what it never took; to the peer that is a refusal all the same.
void ConnectIo::close(bool reset) {
  const bool refused = !std::exchange(answered_, true);
  if (refused) {
    stream_->respondAndEnd(answer_->refusal, {}, {});
  }
  if (reset && !refused) {
    stream_->resetAs(kCancel);
  }
  stream_->close(reset && !refused);
}

} // namespace culvert::hbone
