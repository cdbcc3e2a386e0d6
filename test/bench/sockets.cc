// SPDX-License-Identifier: Apache-2.0
#include "test/bench/sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <random>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace culvert::bench {
namespace {

constexpr int kBacklog = 4096;

sockaddr_in addressOf(uint32_t host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

void setOption(int fd, int level, int name) {
  const int on = 1;
  setsockopt(fd, level, name, &on, sizeof(on));
}

int newSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    die("socket");
  return fd;
}

int tryListen(uint32_t host, uint16_t port) {
  const int fd = newSocket();
  setOption(fd, SOL_SOCKET, SO_REUSEADDR);
  const sockaddr_in address = addressOf(host, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
      listen(fd, kBacklog) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

} // namespace

void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

void raiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int listenOn(uint16_t port, uint32_t host) {
  const int fd = tryListen(host, port);
  if (fd < 0)
    die("listen on port " + std::to_string(port));
  return fd;
}

uint16_t localPort(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    die("getsockname");
  return ntohs(address.sin_port);
}

uint16_t freePort() {
  std::random_device random;
  std::uniform_int_distribution<int> below_ephemeral(10000, 32000);
  for (;;) {
    const auto port = static_cast<uint16_t>(below_ephemeral(random));
    const int fd = tryListen(kLoopback, port);
    if (fd < 0)
      continue;
    close(fd);
    return port;
  }
}

int connectTo(uint16_t port, uint32_t host) {
  const int fd = newSocket();
  setOption(fd, IPPROTO_TCP, TCP_NODELAY);
  const sockaddr_in address = addressOf(host, port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno == EINPROGRESS)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int connectBlocking(uint16_t port, uint32_t host) {
  const int fd = connectTo(port, host);
  pollfd connected{.fd = fd, .events = POLLOUT, .revents = 0};
  int error = 0;
  socklen_t size = sizeof(error);
  if (fd < 0 || poll(&connected, 1, -1) != 1 ||
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
    die("connect to port " + std::to_string(port));
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

int acceptFrom(int listener) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0)
    setOption(fd, IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

void reset(int fd) {
  const linger abort{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  close(fd);
}

void watch(int epoll, int op, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, op, fd, &event) != 0)
    die("epoll_ctl");
}

int64_t nowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

void pauseMs(int ms) { poll(nullptr, 0, ms); }

} // namespace culvert::bench
