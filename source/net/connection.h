// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "source/event/loop.h"
#include "source/net/buffer.h"
#include "source/net/close_reason.h"
#include "source/net/io.h"

namespace culvert::net {

class Connection;
class Splice;

// Who a connection belongs to and reports to. All calls come from the connection's loop.
class ConnectionHandler {
public:
  // The transport is open: connected, and the handshake (if it has one) done.
  virtual void onConnected() {}
  // Bytes from the peer; `end` once, with the last of them or alone. The bytes are only borrowed:
  // take them or lose them.
  virtual void onData(Buffer& data, bool end) = 0;
  // The peer takes bytes slower than they are written (true), or has caught up (false).
  virtual void onWriteBlocked(bool blocked) = 0;
  // The connection is over, for whatever reason and whoever ended it. Called exactly once.
  virtual void onClosed(const CloseReason& reason) = 0;

  // The connection to which everything read here goes unchanged and unseen, if there is one: bulk
  // flows then bypass user space. Null: onData must see every byte.
  virtual Connection* directSink() { return nullptr; }
  // Bytes that went to directSink() without passing onData. To be counted, not to be acted on.
  virtual void onSpliced(size_t bytes) { static_cast<void>(bytes); }

protected:
  ~ConnectionHandler() = default;
};

enum class CloseMode : uint8_t {
  kNow,   // What is unsent is dropped. The kernel sends FIN, or RST if input was left unread.
  kFlush, // FIN after everything written has left; input is ignored meanwhile.
  kReset, // RST.
};

// How a connection ended, seen from this side: %DOWNSTREAM_DETECTED_CLOSE_TYPE%.
enum class DetectedClose : uint8_t { kNormal, kLocalReset, kRemoteReset };

// A full-duplex stream of bytes with back-pressure and half-close, over any transport.
//
// Reading: one read of at most readLimit() bytes a turn, into the loop's scratch buffer; an idle
// connection holds no buffer. Writing: at once; only what the transport refuses is kept, and
// onWriteBlocked(true) tells to stop; writers may overrun by what they have in hand, no more.
// Threads: the loop's. Lifetime: owned by whoever made it; destroy through Loop::deferDelete when
// one of its callbacks may be on the stack.
class Connection final : public event::Deferred {
public:
  static constexpr uint32_t kReadLimitBytes = 1024 * 1024;

  // `opening`: the transport still has to connect or shake hands.
  Connection(event::Loop& loop, std::unique_ptr<Io> io, uint64_t id, bool opening);
  ~Connection() override;

  // Starts it: from here on the handler is called. Reading starts with resumeReading().
  void start(ConnectionHandler& handler);

  uint64_t id() const { return id_; }
  event::Loop& loop() const { return loop_; }
  Io& io() { return *io_; }
  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  // Closed, or only flushing: nothing that is written is sent, nothing that comes is delivered.
  bool closing() const { return state_ >= State::kFlushing; }
  bool endReceived() const { return end_received_; }
  bool endSent() const { return end_sent_; }

  // The most that one read takes, and that a filter should keep of unsent bytes. 0: no limit.
  void setReadLimit(uint32_t bytes);
  uint32_t readLimit() const { return read_limit_bytes_; }

  // Takes all of `data`; `end` half-closes after it. Ignored once closing.
  void write(Buffer& data, bool end);
  size_t unsentBytes() const;

  // Counted: reading goes on when each pause was undone. A connection begins with one pause.
  void pauseReading();
  void resumeReading();
  // While paused: also notice that the peer resets. Costs a system call, so ask only for waits.
  void watchPeer();

  // While held it does not close by itself when both directions have ended: somebody keeps the last
  // of what was read.
  void holdOpen(bool held);

  void close(CloseMode mode, const CloseReason& reason);

  DetectedClose detectedClose() const { return detected_close_; }
  uint64_t bytesReceived() const { return bytes_received_; }
  uint64_t bytesSent() const { return bytes_sent_; }

private:
  friend class Splice;
  enum class State : uint8_t { kOpening, kOpen, kFlushing, kClosed };

  void onReady(uint32_t readiness);
  void onOpening();
  void onReadable();
  void onWritable();
  void onPeerChanged();
  void readTurn();
  void onEnd();
  bool countBulk(size_t bytes);
  void trySend(Buffer& data);
  void afterWrite();
  void finishIfEnded();
  void onWriteFailed();
  void flush(const CloseReason& reason);
  void finishFlushed(const CloseReason& reason);
  void finish(const CloseReason& reason, bool reset);
  void abandon(bool reset);
  CloseReason peerReason(bool reset) const;

  event::Loop& loop_;
  std::unique_ptr<Io> io_;
  ConnectionHandler* handler_ = nullptr;
  const uint64_t id_;
  Buffer unsent_;
  std::unique_ptr<Splice> splice_;  // Where this connection's input goes while it is bulk.
  Splice* splice_source_ = nullptr; // Who splices into this connection.
  uint64_t bytes_received_ = 0;
  uint64_t bytes_sent_ = 0;
  CloseReason flush_reason_;
  uint32_t read_limit_bytes_ = kReadLimitBytes;
  uint32_t bulk_bytes_ = 0; // Read in full reads, one after the other.
  uint16_t pauses_ = 1;
  State state_;
  bool opening_; // The transport is; also while what was written meanwhile waits to be flushed.
  DetectedClose detected_close_ = DetectedClose::kNormal;
  bool end_received_ = false;
  bool end_queued_ = false;
  bool end_sent_ = false;
  bool blocked_ = false;
  bool write_failed_ = false;
  bool held_open_ = false;
  bool read_again_ = false; // Bytes wait above the descriptor.
};

// A number that no other connection of the process has, upstream and downstream alike.
// Threads: any.
uint64_t nextConnectionId();

} // namespace culvert::net
