// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "source/net/socket.h"

namespace culvert::event {
class Loop;
}

namespace culvert::net {

class Connection;

// A kernel pipe that splice moves pages through.
struct Pipe {
  Fd read_end;
  Fd write_end;
};

// The empty pipes of one loop, so that a bulk flow needs none of its own while it waits.
// Threads: the loop's. Lifetime: loop.local<PipePool>().
class PipePool {
public:
  explicit PipePool(event::Loop& loop) { static_cast<void>(loop); }

  // Null where the kernel gives no pipe of a useful size.
  std::unique_ptr<Pipe> take();
  void giveBack(std::unique_ptr<Pipe> pipe); // It must be empty.

private:
  static constexpr size_t kIdlePipesMax = 8;
  std::vector<std::unique_ptr<Pipe>> idle_;
};

// Moves a bulk flow from one connection to another inside the kernel, through a pooled pipe that
// is held only while bytes are in it: they count as the sink's unsent ones. Ends by itself when the
// flow is no longer bulk, and is ended when somebody else writes to the sink.
// Threads: the loop's of both connections. Lifetime: owned by the source connection.
class Splice {
public:
  // A flow is bulk after so many bytes in reads of at least that size each.
  static constexpr size_t kBulkReadBytes = 64 * 1024;
  static constexpr size_t kBulkBytes = 512 * 1024;
  static constexpr int kPipeBytes = 1024 * 1024;

  // Null when the two cannot be spliced: somebody must see the bytes, a transport is not plain, or
  // the buffer limit is below a pipe's size.
  static std::unique_ptr<Splice> tryStart(Connection& source, Connection* sink);
  ~Splice();

  // The source has bytes, or its end.
  void turn();
  // Moves on what the pipe holds. False when the sink takes no more; this may be gone then.
  bool flush();
  size_t heldBytes() const { return held_bytes_; }
  // Back to ordinary reads; what the pipe holds becomes the sink's to send. Deletes this.
  void leave();
  // The sink is closed: what the pipe holds is lost with it. Deletes this.
  void onSinkGone();

private:
  static constexpr int kSmallTurnsMax = 16;

  Splice(Connection& source, Connection& sink, PipePool& pool);
  void onRead(size_t bytes);
  void handOver();
  void releasePipe();

  Connection& source_;
  Connection* sink_;
  PipePool& pool_;
  std::unique_ptr<Pipe> pipe_;
  size_t held_bytes_ = 0;
  int small_turns_ = 0;
};

} // namespace culvert::net
