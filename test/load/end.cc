// SPDX-License-Identifier: Apache-2.0
#include "test/load/end.h"

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/bench/sockets.h"

namespace culvert::load {
namespace {

constexpr size_t kScratchBytes = 64 * 1024;
constexpr int kTurns = 4; // Chunks each way in one turn: no flow may starve the others.
constexpr int64_t kMs = 1000000;

thread_local char scratch[kScratchBytes];

} // namespace

End::End(const Wiring& wiring, const EndPlan& plan, Pattern sends, Pattern gets, std::string header)
    : plan_(plan), sends_(sends), gets_(gets), epoll_(wiring.epoll), key_(wiring.key),
      fd_(wiring.fd), registered_(wiring.registered), header_(std::move(header)) {
  if (plan_.read_pause_ms > 0) {
    // Less than a segment of the loopback (64 KiB) would wait for persist timers.
    const int small = 128 * 1024;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  }
  arm();
}

End::~End() {
  if (!done())
    closeFd();
}

std::optional<int64_t> End::act(uint32_t events) {
  const int64_t now = bench::nowNs();
  // Once both ways have ended, or on an error, a pause would only make the epoll spin.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0)
    read_again_ns_ = 0;
  if ((events & EPOLLERR) != 0 && saw_end_)
    fail(ECONNRESET);
  if (!done() && now >= read_again_ns_ && !saw_end_)
    readSome();
  if (!done() && now >= write_again_ns_ && writing())
    writeSome();
  if (!done() && finished_ && saw_end_)
    closeFd();
  if (done())
    return std::nullopt;
  arm();
  int64_t next = INT64_MAX;
  for (const int64_t at : {read_again_ns_, write_again_ns_, finish_at_ns_})
    if (at > now)
      next = std::min(next, at);
  return next == INT64_MAX ? std::nullopt : std::optional<int64_t>(next);
}

void End::abort() {
  bench::reset(fd_);
  fd_ = -1;
}

void End::readSome() {
  for (int i = 0; i < kTurns; ++i) {
    if (!receive(plan_.read_chunk))
      return;
    if (plan_.read_pause_ms == 0)
      continue;
    read_again_ns_ = bench::nowNs() + plan_.read_pause_ms * kMs;
    return;
  }
}

bool End::receive(size_t limit) {
  const ssize_t got = recv(fd_, scratch, std::min(limit, kScratchBytes), 0);
  if (got < 0 && (errno == EAGAIN || errno == ENOTCONN))
    return false;
  if (got < 0) {
    fail(errno);
    return false;
  }
  saw_end_ = got == 0;
  if (saw_end_)
    return false;
  if (!wrong_at_)
    wrong_at_ = gets_.firstWrong(received_, scratch, static_cast<size_t>(got));
  received_ += static_cast<uint64_t>(got);
  return true;
}

void End::writeSome() {
  for (int i = 0; i < kTurns && !saidAll(); ++i) {
    if (!sendChunk())
      return;
    // A greeter that must wait for the other end has said what it may.
    if (header_.empty() && plan_.after_peer && !saw_end_)
      return;
    if (plan_.write_pause_ms == 0)
      continue;
    write_again_ns_ = bench::nowNs() + plan_.write_pause_ms * kMs;
    return;
  }
  if (saidAll())
    finish();
}

bool End::sendChunk() {
  const char* from = header_.data();
  size_t size = header_.size();
  if (header_.empty()) {
    size = std::min<uint64_t>({plan_.bytes - sent_, plan_.write_chunk, kScratchBytes});
    sends_.fill(sent_, scratch, size);
    from = scratch;
  }
  const ssize_t went = send(fd_, from, size, MSG_NOSIGNAL);
  if (went < 0 && (errno == EAGAIN || errno == ENOTCONN))
    return false;
  if (went < 0) {
    const int error = errno;
    readRest();
    fail(error);
    return false;
  }
  if (header_.empty())
    sent_ += static_cast<uint64_t>(went);
  else
    header_.erase(0, static_cast<size_t>(went));
  return true;
}

// What came before a reset can still be read, and must be right.
void End::readRest() {
  while (!done() && !saw_end_ && receive(kScratchBytes)) {
  }
}

void End::finish() {
  const int64_t now = bench::nowNs();
  if (plan_.hold_ms > 0 && finish_at_ns_ == 0)
    finish_at_ns_ = now + plan_.hold_ms * kMs;
  if (now < finish_at_ns_)
    return;
  finished_ = true;
  if (plan_.finish == Finish::kHalfClose)
    shutdown(fd_, SHUT_WR);
  else if (plan_.finish == Finish::kClose)
    closeFd();
  else
    abort();
}

void End::fail(int error) {
  if (done())
    return;
  error_ = error;
  closeFd();
}

void End::closeFd() {
  close(fd_);
  fd_ = -1;
}

void End::arm() {
  const int64_t now = bench::nowNs();
  const bool reads = !saw_end_ && now >= read_again_ns_;
  const bool writes = writing() && now >= write_again_ns_ && (!saidAll() || finish_at_ns_ == 0);
  const uint32_t events = (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U);
  if (registered_ && events == armed_)
    return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = key_;
  if (epoll_ctl(epoll_, registered_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd_, &event) != 0)
    bench::die("epoll_ctl");
  registered_ = true;
  armed_ = events;
}

} // namespace culvert::load
