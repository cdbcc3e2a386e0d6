// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/address.h"

namespace culvert::net {

// An owned file descriptor. Threads: any, one at a time.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release();

private:
  int fd_ = -1;
};

// One setsockopt, with the moment at which it is applied.
struct SocketOption {
  enum class When : uint8_t { kBeforeBind, kAfterBind, kAfterListen };

  int level = 0;
  int name = 0;
  std::string value; // The bytes handed to the kernel.
  When when = When::kBeforeBind;

  static SocketOption ofInt(int level, int name, int value, When when = When::kBeforeBind);
  friend bool operator==(const SocketOption&, const SocketOption&) = default;
};

// SO_KEEPALIVE and its three figures; unset ones are the kernel's.
struct TcpKeepalive {
  std::optional<uint32_t> probes;
  std::optional<uint32_t> time_s;
  std::optional<uint32_t> interval_s;
};

void addKeepalive(const TcpKeepalive& keepalive, std::vector<SocketOption>& options);

// Applies those of `options` whose time is `when`. Errors: names the option and the reason.
absl::Status applyOptions(int fd, const std::vector<SocketOption>& options,
                          SocketOption::When when);

struct ListenOptions {
  int backlog = 128;
  bool reuse_port = true;
  uint32_t pipe_mode = 0; // 0: as the umask has it.
  std::vector<SocketOption> options;

  friend bool operator==(const ListenOptions&, const ListenOptions&) = default;
};

// A listening, non-blocking stream socket. Errors: "cannot bind 'ADDRESS': REASON", as Envoy says.
absl::StatusOr<Fd> listenOn(const Address& address, const ListenOptions& options);
// Whether an IP address is free: no socket listens there, not even one that shares its port. Nobody
// can connect meanwhile. Errors: as listenOn's.
absl::Status checkFree(const Address& address);

struct Passed;

struct ConnectOptions {
  std::optional<Address> source; // Bound before connecting.
  bool freebind = false;
  std::vector<SocketOption> options;
  std::shared_ptr<Passed> passed; // To an internal listener. Mostly null.
  std::string preamble;           // What is sent before anything else.
};

// A non-blocking stream socket that has begun to connect. Errors, in Envoy's words:
// FailedPrecondition when the source cannot be bound, Unavailable for what connect(2) says at once.
absl::StatusOr<Fd> connectTo(const Address& address, const ConnectOptions& options);

// strerror without its locale lock.
std::string errnoText(int error);

} // namespace culvert::net
