// SPDX-License-Identifier: Apache-2.0
#include "source/server/hot_restart_channel.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message_lite.h"
#include "source/net/address.h"

namespace culvert::server {
namespace {

constexpr int kBacklog = 4;
// Before each message: an empty packet would be the end.
constexpr char kMark = 'c';

struct alignas(cmsghdr) Control {
  char bytes[CMSG_SPACE(RestartChannel::kDescriptorsMax * sizeof(int))];
};

absl::Status lastError(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", net::errnoText(errno)));
}

net::Fd packetSocket(int flags) {
  return net::Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
}

absl::StatusOr<socklen_t> addressOf(const std::string& name, sockaddr_storage& storage) {
  const auto address = net::Address::pipe(name);
  return address.ok() ? absl::StatusOr<socklen_t>(address->toSockaddr(storage)) : address.status();
}

// Abstract names know no permissions: whoever runs on this machine could take one, or connect.
absl::Status checkSameUser(int fd) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return lastError("cannot tell who the other process is");
  }
  if (peer.uid != ::geteuid()) {
    return absl::PermissionDeniedError(
        absl::StrCat("process ", peer.pid, " belongs to another user (uid ", peer.uid, ")"));
  }
  return absl::OkStatus();
}

// Whether the socket file is one that a process left behind.
bool removeStale(const std::string& name, const sockaddr_storage& storage, socklen_t length) {
  struct stat info;
  if (name[0] == '@' || ::stat(name.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) {
    return false;
  }
  const net::Fd probe = packetSocket(SOCK_NONBLOCK);
  const bool stale =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno == ECONNREFUSED;
  return stale && ::unlink(name.c_str()) == 0;
}

// Those that came with a message.
std::vector<net::Fd> take(msghdr& header) {
  std::vector<net::Fd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

} // namespace

RestartChannel::RestartChannel(net::Fd fd, base::Duration patience) : fd_(std::move(fd)) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  timeval wait{};
  wait.tv_sec = us / 1'000'000;
  wait.tv_usec = us % 1'000'000;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}

absl::StatusOr<RestartChannel> RestartChannel::connect(const std::string& name,
                                                       base::Duration patience) {
  sockaddr_storage storage;
  const auto length = addressOf(name, storage);
  if (!length.ok()) {
    return length.status();
  }
  net::Fd fd = packetSocket(0);
  if (!fd.valid() ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), *length) != 0) {
    return lastError(absl::StrCat("nobody answers at '", name, "'"));
  }
  if (absl::Status status = checkSameUser(fd.get()); !status.ok()) {
    return status;
  }
  return RestartChannel(std::move(fd), patience);
}

absl::StatusOr<RestartChannel> RestartChannel::accept(int listening_fd, base::Duration patience) {
  net::Fd fd(::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) {
    return RestartChannel();
  }
  if (absl::Status status = checkSameUser(fd.get()); !status.ok()) {
    return status;
  }
  return RestartChannel(std::move(fd), patience);
}

absl::Status RestartChannel::send(const google::protobuf::MessageLite& message,
                                  absl::Span<const int> descriptors) {
  const std::string text = absl::StrCat(std::string(1, kMark), message.SerializeAsString());
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  Control control{};
  if (!descriptors.empty()) {
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
  }
  return ::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) >= 0 ? absl::OkStatus()
                                                          : lastError("cannot send");
}

absl::StatusOr<RestartChannel::Got> RestartChannel::receive(google::protobuf::MessageLite& message,
                                                            std::vector<net::Fd>& descriptors,
                                                            bool wait) {
  std::string text(kMessageBytesMax, '\0');
  iovec part{text.data(), text.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof(control.bytes);
  const ssize_t length =
      ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  if (length < 0) {
    const bool none = !wait && (errno == EAGAIN || errno == EINTR);
    return none ? absl::StatusOr<Got>(Got::kNothing) : lastError("the other process is silent");
  }
  descriptors = take(header);
  if (length == 0) {
    return absl::UnavailableError("the other process is gone");
  }
  const bool whole = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  if (!whole || text[0] != kMark ||
      !message.ParseFromArray(text.data() + 1, static_cast<int>(length - 1))) {
    return absl::InvalidArgumentError("the other process sent what is no message");
  }
  return Got::kMessage;
}

absl::StatusOr<net::Fd> listenForChildren(const std::string& name, uint32_t mode) {
  sockaddr_storage storage;
  const auto length = addressOf(name, storage);
  if (!length.ok()) {
    return length.status();
  }
  net::Fd fd = packetSocket(SOCK_NONBLOCK);
  const auto* const address = reinterpret_cast<const sockaddr*>(&storage);
  int error = ::bind(fd.get(), address, *length) == 0 ? 0 : errno;
  if (error == EADDRINUSE && removeStale(name, storage, *length)) {
    error = ::bind(fd.get(), address, *length) == 0 ? 0 : errno;
  }
  if (error != 0) {
    const std::string text = absl::StrCat("errno=", error);
    return error == EADDRINUSE ? absl::AlreadyExistsError(text) : absl::UnavailableError(text);
  }
  const bool has_file = name[0] != '@';
  if (has_file && mode != 0 && ::chmod(name.c_str(), mode) != 0) {
    return absl::UnavailableError(absl::StrCat("errno=", errno));
  }
  if (::listen(fd.get(), kBacklog) != 0) {
    return absl::UnavailableError(absl::StrCat("errno=", errno));
  }
  return fd;
}

} // namespace culvert::server
