// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace culvert::upstream {

// Reads one HTTP/1 response as it comes in, and remembers what a health check asks about it; its
// body is only measured (RFC 9112). Bounded: a head above 16 KiB is broken.
// Threads: one.
class HttpResponse {
public:
  static constexpr size_t kHeadBytesMax = 16 * 1024;
  enum class State : uint8_t { kIncomplete, kComplete, kBroken };

  // `to_head`: it answers a HEAD request, so it has no body.
  explicit HttpResponse(bool to_head) : to_head_(to_head) {}

  // Bytes that follow the response break it: nothing else was asked. `end`: the peer's FIN.
  State take(absl::string_view bytes, bool end);

  uint32_t status() const { return status_; }
  bool keepAlive() const { return keep_alive_; }
  bool degraded() const { return degraded_; }

private:
  // What the next bytes are.
  enum class Part : uint8_t {
    kHead,
    kSized,     // `left_` bytes of body.
    kChunkSize, // A line.
    kChunk,     // `left_` bytes, the line's end behind the chunk included.
    kTrailer,   // Lines up to an empty one.
    kUntilEnd,
    kDone,
    kBroken,
  };

  void takeHead(absl::string_view& bytes);
  bool readHead(absl::string_view head);
  bool readField(absl::string_view line);
  void chooseBody();
  void takeBody(absl::string_view& bytes);
  void takeLine(absl::string_view& bytes);
  void readChunkSize(absl::string_view line);

  bool to_head_;
  Part part_ = Part::kHead;
  std::string text_; // The head so far, or a line of it.
  uint64_t left_ = 0;
  uint64_t length_ = 0;
  uint32_t status_ = 0;
  bool has_length_ = false;
  bool chunked_ = false;
  bool keep_alive_ = true;
  bool degraded_ = false;
};

} // namespace culvert::upstream
