// SPDX-License-Identifier: Apache-2.0
// The least that a TCP relay can be: epoll, one buffer, nothing else. It is the floor that
// tools/bench measures proxies against; with --lose_every or --leak_every it is the broken proxy
// that the load test must catch.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <getopt.h>
#include <memory>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "test/bench/sockets.h"

namespace culvert::bench {
namespace {

constexpr int kPipeBytes = 1 << 20;
constexpr size_t kSparePipes = 2; // A stall of many flows at once leaves no heap of pipes behind.
using Pipe = std::array<int, 2>;

struct Options {
  uint16_t listen_port = 0;
  uint16_t backend_port = 0;
  bool splice = false;
  uint64_t lose_every = 0; // Every so many reads one byte is dropped.
  uint64_t leak_every = 0; // Every so many connections one descriptor stays open.
};

// One connection; index 0 is the client's side, 1 the backend's.
struct Pair {
  std::array<int, 2> fd{-1, -1};
  std::array<std::string, 2> pending; // Read from that side, refused by the other.
  std::array<Pipe, 2> pipe{{{-1, -1}, {-1, -1}}};
  std::array<size_t, 2> in_pipe{};
  std::array<bool, 2> ended{};
  std::array<uint32_t, 2> events{EPOLLIN, EPOLLIN};

  bool holds(int side) const { return !pending[side].empty() || in_pipe[side] > 0; }
};

class Relay {
public:
  explicit Relay(const Options& options)
      : options_(options), epoll_(epoll_create1(0)), listener_(listenOn(options.listen_port)) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 128> events;
    for (;;) {
      const int ready = epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_)
          acceptAll();
        else if (by_fd_[fd])
          serve(by_fd_[fd], by_fd_[fd]->fd[0] == fd ? 0 : 1, events[i].events);
      }
    }
  }

private:
  void acceptAll() {
    for (int fd = acceptFrom(listener_); fd >= 0; fd = acceptFrom(listener_)) {
      const int upstream = connectTo(options_.backend_port);
      if (upstream < 0) {
        reset(fd);
        continue;
      }
      auto pair = std::make_shared<Pair>();
      pair->fd = {fd, upstream};
      for (const int each : pair->fd) {
        if (by_fd_.size() <= static_cast<size_t>(each))
          by_fd_.resize(each + 1);
        by_fd_[each] = pair;
        watch(epoll_, EPOLL_CTL_ADD, each, EPOLLIN);
      }
    }
  }

  // Copies the pointer: the pair must outlive its own closing.
  void serve(std::shared_ptr<Pair> pair, int side, uint32_t ready) {
    bool alive = true;
    if ((ready & EPOLLOUT) != 0)
      alive = move(*pair, 1 - side);
    if (alive && (ready & ~EPOLLOUT) != 0)
      alive = move(*pair, side);
    if (!alive || (pair->ended[0] && pair->ended[1] && !pair->holds(0) && !pair->holds(1)))
      return finish(*pair, !alive);
    for (const int each : {0, 1}) {
      const bool reads = !pair->ended[each] && !pair->holds(each);
      const uint32_t events = (reads ? EPOLLIN : 0U) | (pair->holds(1 - each) ? EPOLLOUT : 0U);
      if (events != pair->events[each])
        watch(epoll_, EPOLL_CTL_MOD, pair->fd[each], events);
      pair->events[each] = events;
    }
  }

  void finish(const Pair& pair, bool abort) {
    for (const Pipe& pipe : pair.pipe)
      if (pipe[0] >= 0)
        close(pipe[0]), close(pipe[1]);
    const bool leak = options_.leak_every > 0 && ++finished_ % options_.leak_every == 0;
    for (const int fd : pair.fd) {
      by_fd_[fd] = nullptr;
      if (leak)
        shutdown(fd, SHUT_RDWR);
      else
        abort ? reset(fd) : static_cast<void>(close(fd));
    }
  }

  // Carries what `side` has to say to the other one. False when the pair is broken.
  bool move(Pair& pair, int side) {
    return options_.splice ? moveBySplice(pair, side) : moveByCopy(pair, side);
  }

  // True for a byte count, for "later", and for the end of a side, which is passed on.
  static bool readResult(ssize_t got, Pair& pair, int side) {
    if (got == 0) {
      pair.ended[side] = true;
      shutdown(pair.fd[1 - side], SHUT_WR);
    }
    return got >= 0 || errno == EAGAIN;
  }

  bool moveByCopy(Pair& pair, int side) {
    std::string& pending = pair.pending[side];
    if (!pending.empty()) {
      const ssize_t sent = send(pair.fd[1 - side], pending.data(), pending.size(), MSG_NOSIGNAL);
      if (sent > 0)
        pending.erase(0, static_cast<size_t>(sent));
      return sent >= 0 || errno == EAGAIN;
    }
    if (pair.ended[side])
      return true;
    ssize_t got = recv(pair.fd[side], buffer_.data(), buffer_.size(), 0);
    if (got <= 0)
      return readResult(got, pair, side);
    if (options_.lose_every > 0 && ++reads_ % options_.lose_every == 0)
      --got;
    ssize_t sent = send(pair.fd[1 - side], buffer_.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN)
      return false;
    if (sent < 0)
      sent = 0;
    if (sent < got)
      pending.assign(buffer_.data() + sent, static_cast<size_t>(got - sent));
    return true;
  }

  bool moveBySplice(Pair& pair, int side) {
    constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    Pipe& pipe = pair.pipe[side];
    if (pair.in_pipe[side] == 0) {
      if (pair.ended[side])
        return true;
      if (pipe[0] < 0)
        pipe = takePipe();
      const ssize_t got = splice(pair.fd[side], nullptr, pipe[1], nullptr, kPipeBytes, kFlags);
      if (got > 0)
        pair.in_pipe[side] = static_cast<size_t>(got);
      if (got <= 0)
        pool(pipe);
      if (got <= 0)
        return readResult(got, pair, side);
    }
    const ssize_t sent =
        splice(pipe[0], nullptr, pair.fd[1 - side], nullptr, pair.in_pipe[side], kFlags);
    if (sent > 0)
      pair.in_pipe[side] -= static_cast<size_t>(sent);
    if (pair.in_pipe[side] == 0)
      pool(pipe);
    return sent >= 0 || errno == EAGAIN || errno == ENOTCONN;
  }

  Pipe takePipe() {
    Pipe pipe;
    if (!pipes_.empty()) {
      pipe = pipes_.back();
      pipes_.pop_back();
      return pipe;
    }
    if (pipe2(pipe.data(), O_NONBLOCK | O_CLOEXEC) != 0)
      die("pipe");
    fcntl(pipe[1], F_SETPIPE_SZ, kPipeBytes);
    return pipe;
  }

  void pool(Pipe& pipe) {
    if (pipes_.size() < kSparePipes)
      pipes_.push_back(pipe);
    else
      close(pipe[0]), close(pipe[1]);
    pipe = {-1, -1};
  }

  const Options options_;
  const int epoll_;
  const int listener_;
  std::array<char, 256 * 1024> buffer_;
  std::vector<Pipe> pipes_;
  std::vector<std::shared_ptr<Pair>> by_fd_;
  uint64_t reads_ = 0;
  uint64_t finished_ = 0;
};

bool readOptions(int argc, char** argv, Options& options) {
  static const option kOptions[] = {{"splice", no_argument, nullptr, 's'},
                                    {"lose_every", required_argument, nullptr, 'b'},
                                    {"leak_every", required_argument, nullptr, 'd'},
                                    {nullptr, 0, nullptr, 0}};
  int option = 0;
  while ((option = getopt_long(argc, argv, "", kOptions, nullptr)) != -1) {
    if (option == '?')
      return false;
    if (option == 's')
      options.splice = true;
    if (option == 'b')
      options.lose_every = std::strtoull(optarg, nullptr, 10);
    if (option == 'd')
      options.leak_every = std::strtoull(optarg, nullptr, 10);
  }
  if (optind + 2 != argc)
    return false;
  options.listen_port = static_cast<uint16_t>(std::atoi(argv[optind]));
  options.backend_port = static_cast<uint16_t>(std::atoi(argv[optind + 1]));
  return true;
}

} // namespace
} // namespace culvert::bench

int main(int argc, char** argv) {
  culvert::bench::Options options;
  if (!culvert::bench::readOptions(argc, argv, options)) {
    std::fputs("usage: floor_relay [--splice] [--lose_every=READS] [--leak_every=CONNECTIONS] "
               "LISTEN_PORT BACKEND_PORT\n",
               stderr);
    return 1;
  }
  culvert::bench::raiseFileLimit();
  std::signal(SIGPIPE, SIG_IGN); // splice has no MSG_NOSIGNAL.
  std::signal(SIGTERM, [](int) { _exit(0); });
  std::make_unique<culvert::bench::Relay>(options)->run();
}
