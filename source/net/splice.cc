// SPDX-License-Identifier: Apache-2.0
#include "source/net/splice.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "source/net/connection.h"

namespace culvert::net {
namespace {

constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

// The kernel will not or cannot; of the peer this says nothing.
bool cannotSplice(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == ENOMEM ||
         error == ENOBUFS || error == EPERM;
}

} // namespace

std::unique_ptr<Pipe> PipePool::take() {
  if (!idle_.empty()) {
    std::unique_ptr<Pipe> pipe = std::move(idle_.back());
    idle_.pop_back();
    return pipe;
  }
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
    return nullptr;
  }
  auto pipe = std::make_unique<Pipe>(Pipe{Fd(ends[0]), Fd(ends[1])});
  // An unprivileged user's pipes shrink to a page each when he has too many of them.
  if (::fcntl(ends[1], F_SETPIPE_SZ, Splice::kPipeBytes) < Splice::kPipeBytes) {
    return nullptr;
  }
  return pipe;
}

void PipePool::giveBack(std::unique_ptr<Pipe> pipe) {
  if (idle_.size() < kIdlePipesMax) {
    idle_.push_back(std::move(pipe));
  }
}

std::unique_ptr<Splice> Splice::tryStart(Connection& source, Connection* sink) {
  if (sink == nullptr || !sink->open() || !sink->unsent_.empty() || sink->end_queued_ ||
      sink->write_failed_ || sink->splice_source_ != nullptr || source.io_->plainFd() < 0 ||
      sink->io_->plainFd() < 0 || source.read_limit_bytes_ < static_cast<uint32_t>(kPipeBytes)) {
    return nullptr;
  }
  return std::unique_ptr<Splice>(new Splice(source, *sink, source.loop_.local<PipePool>()));
}

Splice::Splice(Connection& source, Connection& sink, PipePool& pool)
    : source_(source), sink_(&sink), pool_(pool) {
  sink.splice_source_ = this;
}

Splice::~Splice() {
  if (sink_ != nullptr) {
    sink_->splice_source_ = nullptr;
    handOver();
  }
  releasePipe();
}

void Splice::turn() {
  if (held_bytes_ > 0 || (pipe_ == nullptr && (pipe_ = pool_.take()) == nullptr)) {
    leave();
    return;
  }
  const ssize_t got = ::splice(source_.io_->plainFd(), nullptr, pipe_->write_end.get(), nullptr,
                               kPipeBytes, kFlags);
  if (got > 0) {
    onRead(static_cast<size_t>(got));
  } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    releasePipe();
  } else if (got == 0 || cannotSplice(errno)) {
    leave(); // An ordinary read finds the end, or whatever it is.
  } else {
    source_.finish(CloseReason::of(CloseCode::kPeerReset),
                   false); // No read would tell of it again.
  }
}

void Splice::onRead(size_t bytes) {
  held_bytes_ += bytes;
  source_.bytes_received_ += bytes;
  source_.handler_->onSpliced(bytes);
  if (!flush()) {
    return;
  }
  small_turns_ = bytes < kBulkReadBytes ? small_turns_ + 1 : 0;
  if (small_turns_ > kSmallTurnsMax) {
    leave();
  }
}

bool Splice::flush() {
  while (held_bytes_ > 0) {
    const ssize_t sent = ::splice(pipe_->read_end.get(), nullptr, sink_->io_->plainFd(), nullptr,
                                  held_bytes_, kFlags);
    if (sent > 0) {
      held_bytes_ -= static_cast<size_t>(sent);
      sink_->bytes_sent_ += static_cast<uint64_t>(sent);
      continue;
    }
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
      sink_->afterWrite(); // It is blocked.
    } else {
      sink_->onWriteFailed();
    }
    return false;
  }
  releasePipe();
  return true;
}

void Splice::leave() {
  Connection& source = source_;
  source.splice_.reset();
  source.io_->activate(event::kReadable);
}

void Splice::onSinkGone() {
  sink_ = nullptr;
  source_.splice_.reset();
}

// What the pipe holds becomes unsent bytes as others are. The sink is blocked by them already.
void Splice::handOver() {
  char bytes[16 * 1024];
  while (held_bytes_ > 0 && !sink_->write_failed_) {
    const ssize_t got = ::read(pipe_->read_end.get(), bytes, sizeof(bytes));
    if (got <= 0) {
      return;
    }
    held_bytes_ -= static_cast<size_t>(got);
    sink_->unsent_.append({bytes, static_cast<size_t>(got)});
  }
}

void Splice::releasePipe() {
  if (pipe_ != nullptr && held_bytes_ == 0) {
    pool_.giveBack(std::move(pipe_));
  }
  pipe_.reset(); // One with bytes in it is of no use to others.
}

} // namespace culvert::net
