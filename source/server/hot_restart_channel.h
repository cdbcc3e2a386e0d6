// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "source/base/clock.h"
#include "source/net/socket.h"

namespace google::protobuf {
class MessageLite;
}

namespace culvert::server {

// One end of the socket between two processes of a hot restart: packets that hold a message each,
// and descriptors beside it. Both ends belong to the same user, or there is no channel.
// Threads: main.
class RestartChannel {
public:
  static constexpr size_t kMessageBytesMax = 64 * 1024;
  static constexpr size_t kDescriptorsMax = 64; // In one message.

  // `name`: a path, or "@" and an abstract name. Errors: nobody is there; one of another user is.
  static absl::StatusOr<RestartChannel> connect(const std::string& name, base::Duration patience);
  // Of a socket from listen(). Invalid when nobody waits. Errors: one of another user.
  static absl::StatusOr<RestartChannel> accept(int listening_fd, base::Duration patience);

  // Waits for `patience` at most. Errors: the other end is gone, or does not read.
  absl::Status send(const google::protobuf::MessageLite& message,
                    absl::Span<const int> descriptors = {});

  enum class Got : uint8_t { kMessage, kNothing };
  // The next message. With `wait` no message within `patience` is an error, too. Errors: the other
  // end is gone, or sent what is no message.
  absl::StatusOr<Got> receive(google::protobuf::MessageLite& message,
                              std::vector<net::Fd>& descriptors, bool wait);

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }

private:
  RestartChannel() = default;
  RestartChannel(net::Fd fd, base::Duration patience);

  net::Fd fd_;
};

// A socket at which children find this process. Errors: AlreadyExists when another process is
// there, else Unavailable; with the errno.
absl::StatusOr<net::Fd> listenForChildren(const std::string& name, uint32_t mode);

} // namespace culvert::server
