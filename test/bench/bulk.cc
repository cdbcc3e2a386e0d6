// SPDX-License-Identifier: Apache-2.0
#include "test/bench/modes.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "test/bench/sockets.h"
#include "test/bench/wire.h"

namespace culvert::bench {
namespace {

constexpr size_t kSendBytes = 256 * 1024;
constexpr size_t kReceiveBytes = 256 * 1024;

// A set of streams that all carry the same number of bytes the same way.
class Bulk {
public:
  Bulk(const Work& work, bool upload)
      : work_(work), upload_(upload), epoll_(epoll_create1(0)), payload_(kSendBytes, 'x') {}
  ~Bulk() { close(epoll_); }

  void run() {
    const int64_t start = nowNs();
    for (uint32_t i = 0; i < work_.connections; ++i)
      open();
    const int64_t deadline = start + work_.seconds * 1000000000;
    while (!left_.empty() && nowNs() < deadline)
      turn();
    const double seconds = static_cast<double>(nowNs() - start) / 1e9;
    for (const auto& [fd, left] : left_)
      reset(fd);
    std::printf("{\"bytes\": %llu, \"seconds\": %.6f, \"complete\": %s}\n",
                static_cast<unsigned long long>(moved_), seconds, left_.empty() ? "true" : "false");
  }

private:
  void open() {
    const int fd = connectTo(work_.port, work_.host);
    if (fd < 0)
      die("connect");
    left_[fd] = work_.bytes_per_stream;
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLOUT);
    greeting_.push_back(fd);
  }

  void turn() {
    epoll_event events[64];
    const int ready = epoll_wait(epoll_, events, 64, 1000);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (greet(fd))
        continue;
      if (upload_ && left_[fd] > 0)
        push(fd);
      else
        pull(fd);
    }
  }

  bool greet(int fd) {
    const auto waiting = std::find(greeting_.begin(), greeting_.end(), fd);
    if (waiting == greeting_.end())
      return false;
    greeting_.erase(waiting);
    const Hello hello{upload_ ? Mode::kUpload : Mode::kDownload, work_.bytes_per_stream};
    if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
      die("greeting");
    if (!upload_)
      watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN);
    return true;
  }

  void push(int fd) {
    uint64_t& left = left_[fd];
    const ssize_t sent =
        send(fd, payload_.data(), std::min<uint64_t>(left, payload_.size()), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
      return;
    if (sent < 0)
      die("send");
    left -= static_cast<uint64_t>(sent);
    moved_ += static_cast<uint64_t>(sent);
    if (left == 0)
      watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN); // The server's receipt is to come.
  }

  void pull(int fd) {
    uint64_t& left = left_[fd];
    const ssize_t got = recv(fd, sink_.data(), sink_.size(), 0);
    if (got < 0 && errno == EAGAIN)
      return;
    if (got <= 0)
      die("the connection ended early");
    if (!upload_) {
      left -= static_cast<uint64_t>(got);
      moved_ += static_cast<uint64_t>(got);
    }
    if (left > 0)
      return;
    close(fd);
    left_.erase(fd);
  }

  const Work work_;
  const bool upload_;
  const int epoll_;
  const std::string payload_;
  std::string sink_ = std::string(kReceiveBytes, '\0');
  std::vector<int> greeting_;
  std::map<int, uint64_t> left_;
  uint64_t moved_ = 0;
};

} // namespace

void runBulk(const Work& work, bool upload) { Bulk(work, upload).run(); }

} // namespace culvert::bench
