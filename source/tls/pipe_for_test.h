// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "source/net/io.h"

namespace culvert::tls {

// A transport in memory: reads what is in one string, appends to another. Nothing is reported; the
// test comes again by itself. Threads: the test's.
class PipeForTest final : public net::Io {
public:
  PipeForTest(std::string& in, std::string& out) : in_(in), out_(out) {}

  void setReadyCallback(ReadyCallback) override {}
  void setRead(event::FdEvents::ReadInterest) override {}
  void setWrite(bool) override {}
  void activate(uint32_t) override {}
  net::IoResult open() override { return {net::IoStatus::kOk}; }
  net::IoResult read(absl::Span<char> into) override {
    const size_t size = std::min(into.size(), in_.size());
    std::memcpy(into.data(), in_.data(), size);
    in_.erase(0, size);
    return {net::IoStatus::kOk, size};
  }
  net::IoResult write(absl::Span<const iovec> pieces) override {
    size_t bytes = 0;
    for (const iovec& piece : pieces) {
      out_.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      bytes += piece.iov_len;
    }
    return {net::IoStatus::kOk, bytes};
  }
  void shutdownWrite() override {}
  void close(bool) override {}
  bool peerReset() override { return false; }
  net::Address localAddress() const override { return {}; }

private:
  std::string& in_;
  std::string& out_;
};

} // namespace culvert::tls
