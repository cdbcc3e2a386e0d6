// SPDX-License-Identifier: Apache-2.0
#include "test/bench/modes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "test/bench/sockets.h"
#include "test/bench/wire.h"

namespace culvert::bench {
namespace {

// Connections that ping-pong kRequestBytes; `kKeep` says whether a connection serves one exchange
// or many.
enum class Style { kKeep, kClose, kHold };

class PingPong {
public:
  PingPong(const Work& work, Style style) : work_(work), style_(style), epoll_(epoll_create1(0)) {
    std::memcpy(greeting_.data(), &hello_, sizeof(hello_));
  }
  ~PingPong() { close(epoll_); }

  void run() {
    start_ns_ = nowNs();
    deadline_ns_ = start_ns_ + work_.seconds * 1000000000;
    // Idle connections are opened a few at a time: no listener's backlog may overflow.
    const uint32_t at_once =
        style_ == Style::kHold ? std::min(work_.connections, 64U) : work_.connections;
    for (uint32_t i = 0; i < at_once; ++i)
      open();
    while (active_ > 0)
      turn();
    print();
    if (style_ == Style::kHold)
      holdUntilStdinEnds();
    for (const int fd : held_)
      close(fd);
  }

private:
  struct Exchange {
    int64_t begun_ns = 0;
    uint32_t got = 0;
    bool greeted = false;
  };

  bool mayBegin() const { return begun_ < work_.count && nowNs() < deadline_ns_; }

  void open() {
    if (!mayBegin())
      return;
    const int64_t begun_ns = nowNs();
    const int fd = connectTo(work_.port, work_.host);
    if (fd < 0)
      die("connect");
    if (exchanges_.size() <= static_cast<size_t>(fd))
      exchanges_.resize(fd + 1);
    exchanges_[fd] = Exchange{.begun_ns = begun_ns};
    ++begun_;
    ++active_;
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLOUT);
  }

  void turn() {
    epoll_event events[64];
    const int ready = epoll_wait(epoll_, events, 64, 1000);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (exchanges_[fd].greeted)
        receive(fd);
      else
        greet(fd);
    }
  }

  void greet(int fd) {
    exchanges_[fd].greeted = true;
    if (send(fd, greeting_.data(), greeting_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(greeting_.size()))
      die("greeting");
    watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN);
  }

  void receive(int fd) {
    Exchange& exchange = exchanges_[fd];
    const ssize_t got = recv(fd, scratch_.data(), kRequestBytes - exchange.got, 0);
    if (got < 0 && errno == EAGAIN)
      return;
    if (got <= 0)
      die("the connection ended early");
    exchange.got += static_cast<uint32_t>(got);
    if (exchange.got == kRequestBytes)
      finish(fd, exchange);
  }

  void finish(int fd, Exchange& exchange) {
    latencies_ns_.push_back(nowNs() - exchange.begun_ns);
    if (style_ == Style::kKeep && mayBegin()) {
      ++begun_;
      exchange = Exchange{.begun_ns = nowNs(), .greeted = true};
      if (send(fd, scratch_.data(), kRequestBytes, MSG_NOSIGNAL) != kRequestBytes)
        die("request");
      return;
    }
    --active_;
    if (style_ == Style::kHold) {
      held_.push_back(fd);
      watch(epoll_, EPOLL_CTL_DEL, fd, 0);
      if (held_.size() + active_ < work_.connections)
        open();
      return;
    }
    close(fd);
    if (style_ == Style::kClose)
      open();
  }

  int64_t quantile(double q) {
    const auto at = latencies_ns_.begin() +
                    static_cast<int64_t>(q * static_cast<double>(latencies_ns_.size() - 1));
    std::nth_element(latencies_ns_.begin(), at, latencies_ns_.end());
    return *at;
  }

  void print() {
    const double seconds = static_cast<double>(nowNs() - start_ns_) / 1e9;
    if (latencies_ns_.empty())
      latencies_ns_.push_back(0);
    std::printf("{\"count\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
                static_cast<unsigned long long>(begun_), seconds,
                static_cast<double>(quantile(0.5)) / 1e3,
                static_cast<double>(quantile(0.99)) / 1e3);
    std::fflush(stdout);
  }

  static void holdUntilStdinEnds() {
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
  }

  const Work work_;
  const Style style_;
  const int epoll_;
  const Hello hello_{Mode::kRequests, kRequestBytes};
  std::array<char, sizeof(Hello) + kRequestBytes> greeting_{};
  std::array<char, kRequestBytes> scratch_{};
  std::vector<Exchange> exchanges_; // By descriptor.
  std::vector<int> held_;
  std::vector<int64_t> latencies_ns_;
  uint64_t begun_ = 0;
  uint32_t active_ = 0;
  int64_t start_ns_ = 0;
  int64_t deadline_ns_ = 0;
};

} // namespace

void runRequests(const Work& work) { PingPong(work, Style::kKeep).run(); }
void runConnections(const Work& work) { PingPong(work, Style::kClose).run(); }
void runIdle(const Work& work) { PingPong(work, Style::kHold).run(); }

} // namespace culvert::bench
