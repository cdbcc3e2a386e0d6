// SPDX-License-Identifier: Apache-2.0
#include "source/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace culvert::net {
namespace {

absl::Status cannotBind(const Address& address, int error) {
  return absl::UnavailableError(
      absl::StrCat("cannot bind '", address.toString(), "': ", errnoText(error)));
}

absl::StatusOr<Fd> streamSocket(const Address& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.valid()) {
    return fd;
  }
  return absl::UnavailableError(
      absl::StrCat("cannot open a socket for '", address.toString(), "': ", errnoText(errno)));
}

// Small messages leave at once: a proxy that waits for more adds a delay to every exchange.
void setNoDelay(int fd, const Address& address) {
  const int on = 1;
  if (address.isIp()) {
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
}

// 0, or what bind(2) says.
int bindTo(int fd, const Address& address) {
  sockaddr_storage storage;
  const socklen_t length = address.toSockaddr(storage);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0 ? 0 : errno;
}

absl::Status bindSource(int fd, const Address& address) {
  const int error = bindTo(fd, address);
  if (error == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("failed to bind to ", address.toString(), ": ", errnoText(error)));
}

// A socket file left by a process that is gone would make bind fail; one that still answers is
// somebody else's.
void removeStalePipe(const Address& address) {
  if (address.kind() != Address::Kind::kPipe || address.path()[0] == '@') {
    return;
  }
  struct stat info;
  if (::stat(address.path().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return;
  }
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = address.toSockaddr(storage);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.path().c_str());
  }
}

absl::Status prepareIp(int fd, const Address& address, bool reuse_port) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.kind() == Address::Kind::kIpv6) {
    const int only = address.takesIpv4() ? 0 : 1;
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
  }
  if (reuse_port && ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return cannotBind(address, errno);
  }
  return absl::OkStatus();
}

} // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int Fd::release() { return std::exchange(fd_, -1); }

SocketOption SocketOption::ofInt(int level, int name, int value, When when) {
  return {level, name, std::string(reinterpret_cast<const char*>(&value), sizeof(value)), when};
}

void addKeepalive(const TcpKeepalive& keepalive, std::vector<SocketOption>& options) {
  options.push_back(SocketOption::ofInt(SOL_SOCKET, SO_KEEPALIVE, 1));
  const auto add = [&](int name, const std::optional<uint32_t>& value) {
    if (value.has_value()) {
      options.push_back(SocketOption::ofInt(IPPROTO_TCP, name, static_cast<int>(*value)));
    }
  };
  add(TCP_KEEPCNT, keepalive.probes);
  add(TCP_KEEPIDLE, keepalive.time_s);
  add(TCP_KEEPINTVL, keepalive.interval_s);
}

absl::Status applyOptions(int fd, const std::vector<SocketOption>& options,
                          SocketOption::When when) {
  for (const SocketOption& option : options) {
    if (option.when == when && ::setsockopt(fd, option.level, option.name, option.value.data(),
                                            static_cast<socklen_t>(option.value.size())) != 0) {
      return absl::UnavailableError(absl::StrCat("cannot set socket option ", option.level, "/",
                                                 option.name, ": ", errnoText(errno)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Fd> listenOn(const Address& address, const ListenOptions& options) {
  absl::StatusOr<Fd> fd = streamSocket(address);
  if (!fd.ok()) {
    return fd;
  }
  absl::Status status =
      address.isIp() ? prepareIp(fd->get(), address, options.reuse_port) : absl::OkStatus();
  setNoDelay(fd->get(), address); // Accepted sockets inherit it.
  status.Update(applyOptions(fd->get(), options.options, SocketOption::When::kBeforeBind));
  removeStalePipe(address);
  if (!status.ok()) {
    return status;
  }
  const int bind_error = bindTo(fd->get(), address);
  if (bind_error != 0) {
    return cannotBind(address, bind_error);
  }
  const bool has_file = address.kind() == Address::Kind::kPipe && address.path()[0] != '@';
  if (has_file && options.pipe_mode != 0 &&
      ::chmod(address.path().c_str(), options.pipe_mode) != 0) {
    return cannotBind(address, errno);
  }
  status.Update(applyOptions(fd->get(), options.options, SocketOption::When::kAfterBind));
  if (status.ok() && ::listen(fd->get(), options.backlog) != 0) {
    status = cannotBind(address, errno);
  }
  status.Update(applyOptions(fd->get(), options.options, SocketOption::When::kAfterListen));
  if (!status.ok()) {
    return status;
  }
  return fd;
}

absl::Status checkFree(const Address& address) {
  const absl::StatusOr<Fd> fd = streamSocket(address);
  if (!fd.ok()) {
    return fd.status();
  }
  absl::Status status = prepareIp(fd->get(), address, /*reuse_port=*/false);
  const int bind_error = status.ok() ? bindTo(fd->get(), address) : 0;
  return bind_error == 0 ? status : cannotBind(address, bind_error);
}

absl::StatusOr<Fd> connectTo(const Address& address, const ConnectOptions& options) {
  absl::StatusOr<Fd> fd = streamSocket(address);
  if (!fd.ok()) {
    return fd;
  }
  setNoDelay(fd->get(), address);
  if (address.isMapped() && !address.takesIpv4()) { // To fail, then, as such a listener does.
    const int on = 1;
    ::setsockopt(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  absl::Status status = applyOptions(fd->get(), options.options, SocketOption::When::kBeforeBind);
  if (options.source.has_value()) {
    const int on = 1;
    if (options.freebind) {
      ::setsockopt(fd->get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
    }
    // The port is chosen at connect, when the whole tuple is known: no port is used up early.
    ::setsockopt(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    status.Update(bindSource(fd->get(), *options.source));
  }
  if (!status.ok()) {
    return status;
  }
  sockaddr_storage storage;
  const socklen_t length = address.toSockaddr(storage);
  if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno != EINPROGRESS) {
    return absl::UnavailableError(absl::StrCat("immediate connect error: ", errnoText(errno),
                                               "|remote address:", address.toString()));
  }
  return fd;
}

std::string errnoText(int error) {
  char text[128];
  return strerror_r(error, text, sizeof(text));
}

} // namespace culvert::net
