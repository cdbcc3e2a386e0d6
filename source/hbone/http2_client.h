// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

struct nghttp2_session;

namespace culvert::hbone {

using Http2Fields = std::vector<std::pair<std::string, std::string>>;

// What came back for one request.
struct Http2Response {
  enum class State : uint8_t { kIncomplete, kComplete, kReset };

  State state = State::kIncomplete;
  uint32_t status = 0;
  Http2Fields fields; // Headers, and trailers behind them; names in lower case.
  std::string body;   // Its beginning, up to Http2Client::kBodyBytesMax.

  // The last one of that name; null: there is none.
  const std::string* find(absl::string_view name) const;
};

// The client's end of one HTTP/2 connection that carries small requests, one after the other. It
// knows no socket: bytes go in and come out. Bounded: a response with more than 16 KiB of headers
// is reset, and of a body only the beginning is kept. Threads: one.
class Http2Client {
public:
  static constexpr size_t kFieldBytesMax = 16 * 1024;
  static constexpr size_t kBodyBytesMax = 64 * 1024;

  Http2Client();
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // Gives up the one before, if it is not answered yet. `fields` begin with the pseudo-headers.
  void request(const Http2Fields& fields, std::string body);
  // Takes what the peer sent. False: it speaks no HTTP/2.
  bool take(absl::string_view bytes);
  // What there is to send now.
  std::string output();

  // Of the last request.
  const Http2Response& response() const { return response_; }
  // Whether another request may follow.
  bool reusable() const;

private:
  struct Callbacks; // nghttp2's.

  void collectOutput();

  struct Close {
    void operator()(nghttp2_session* session) const;
  };

  std::unique_ptr<nghttp2_session, Close> session_;
  int32_t stream_ = -1;
  std::string body_; // Of the request,
  size_t sent_ = 0;  // and how much of it is gone.
  std::string output_;
  Http2Response response_;
  size_t field_bytes_ = 0;
};

} // namespace culvert::hbone
