// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace culvert::net {

// Bytes on their way. Either a borrowed view of what was just read (no copy, no allocation), or
// owned chunks; what must outlive the current callback is owned by then. Empty, it holds no memory.
// Threads: one. Lifetime: borrow()ed bytes must live until they are drained or own()ed.
class Buffer {
public:
  Buffer() = default;
  Buffer(Buffer&&) = default;
  Buffer& operator=(Buffer&&) = default;

  // A buffer that shows `bytes` without copying them.
  static Buffer borrow(absl::string_view bytes) {
    Buffer buffer;
    buffer.borrowed_ = bytes;
    return buffer;
  }

  size_t size() const { return borrowed_.size() + owned_bytes_; }
  bool empty() const { return size() == 0; }

  // Copies.
  void append(absl::string_view bytes);
  // Takes everything out of `other`; copies only what is borrowed.
  void append(Buffer& other);
  // Makes the content independent of whatever it was borrowed from.
  void own();
  // As many of the owned chunks from the front as have no more than `bytes` in all. Copies nothing;
  // of what is borrowed gives nothing.
  Buffer takeChunks(size_t bytes);
  // Throws away the first `bytes`.
  void drain(size_t bytes);
  void clear() { drain(size()); }

  // The first contiguous piece; empty when the buffer is.
  absl::string_view front() const;
  // Points `out` at the content, piece by piece; how many pieces are used.
  size_t pieces(absl::Span<iovec> out) const;
  // Copies out the first `bytes` (or what there is) without draining.
  std::string peek(size_t bytes) const;
  std::string toString() const { return peek(size()); }

private:
  struct Chunk {
    std::unique_ptr<char[]> data;
    size_t begin = 0;
    size_t end = 0;
    size_t capacity = 0;
  };

  void appendOwned(absl::string_view bytes);

  absl::string_view borrowed_; // Comes before the chunks.
  std::unique_ptr<std::deque<Chunk>> chunks_;
  size_t owned_bytes_ = 0;
};

} // namespace culvert::net
