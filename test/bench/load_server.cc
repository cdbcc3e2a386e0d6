// SPDX-License-Identifier: Apache-2.0
// The backend of tools/bench: serves every mode of wire.h on PORT of 127.0.0.1 or another address,
// in one thread.
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
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

class Server {
public:
  Server(uint16_t port, uint32_t host)
      : epoll_(epoll_create1(0)), listener_(listenOn(port, host)), payload_(kSendBytes, 'y') {
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
        else
          serve(fd, events[i].events);
      }
    }
  }

private:
  struct Connection {
    Hello hello{};
    uint32_t hello_bytes = 0;
    uint64_t left = 0;
  };

  void acceptAll() {
    for (int fd = acceptFrom(listener_); fd >= 0; fd = acceptFrom(listener_)) {
      if (connections_.size() <= static_cast<size_t>(fd))
        connections_.resize(fd + 1);
      connections_[fd] = Connection{};
      watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  void serve(int fd, uint32_t events) {
    Connection& connection = connections_[fd];
    bool alive = true;
    if (connection.hello_bytes < sizeof(Hello))
      alive = readHello(fd, connection);
    else if (connection.hello.mode == Mode::kUpload)
      alive = drain(fd, connection);
    else if (connection.hello.mode == Mode::kDownload)
      alive = (events & EPOLLOUT) != 0 ? push(fd, connection) : drain(fd, connection);
    else
      alive = answer(fd, connection);
    if (!alive)
      close(fd);
  }

  // True while the connection is to live on.
  bool readHello(int fd, Connection& connection) {
    char* into = reinterpret_cast<char*>(&connection.hello) + connection.hello_bytes;
    const ssize_t got = recv(fd, into, sizeof(Hello) - connection.hello_bytes, 0);
    if (got <= 0)
      return got < 0 && errno == EAGAIN;
    connection.hello_bytes += static_cast<uint32_t>(got);
    if (connection.hello_bytes < sizeof(Hello))
      return true;
    const bool requests = connection.hello.mode == Mode::kRequests;
    connection.left = requests ? kRequestBytes : connection.hello.bytes;
    if (connection.hello.mode == Mode::kDownload)
      watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
    return requests ? answer(fd, connection) : true;
  }

  bool drain(int fd, Connection& connection) {
    const ssize_t got = recv(fd, sink_.data(), sink_.size(), 0);
    if (got <= 0)
      return got < 0 && errno == EAGAIN;
    if (connection.left == 0)
      return true;
    connection.left -= std::min<uint64_t>(connection.left, static_cast<uint64_t>(got));
    return connection.left > 0 || send(fd, "k", 1, MSG_NOSIGNAL) == 1;
  }

  bool push(int fd, Connection& connection) {
    const ssize_t sent = send(fd, payload_.data(),
                              std::min<uint64_t>(connection.left, payload_.size()), MSG_NOSIGNAL);
    if (sent < 0)
      return errno == EAGAIN;
    connection.left -= static_cast<uint64_t>(sent);
    if (connection.left == 0)
      watch(epoll_, EPOLL_CTL_MOD, fd, EPOLLIN);
    return true;
  }

  bool answer(int fd, Connection& connection) {
    std::array<char, kRequestBytes> request;
    const ssize_t got = recv(fd, request.data(), connection.left, 0);
    if (got <= 0)
      return got < 0 && errno == EAGAIN;
    connection.left -= static_cast<uint64_t>(got);
    if (connection.left > 0)
      return true;
    connection.left = kRequestBytes;
    return send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(request.size());
  }

  const int epoll_;
  const int listener_;
  const std::string payload_;
  std::string sink_ = std::string(kReceiveBytes, '\0');
  std::vector<Connection> connections_; // By descriptor.
};

} // namespace
} // namespace culvert::bench

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fputs("usage: load_server PORT [ADDRESS]\n", stderr);
    return 1;
  }
  const uint32_t host = argc == 3 ? ntohl(inet_addr(argv[2])) : culvert::bench::kLoopback;
  culvert::bench::raiseFileLimit();
  culvert::bench::Server(static_cast<uint16_t>(std::atoi(argv[1])), host).run();
}
