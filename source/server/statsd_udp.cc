// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "source/base/log.h"
#include "source/net/socket.h"
#include "source/server/stats_sink.h"

namespace culvert::server {
namespace {

// Datagrams that leave with one system call.
constexpr size_t kBatch = 64;

class UdpStatsd final : public StatsdTransport {
public:
  UdpStatsd(const net::Address& address, std::optional<size_t> bytes_max)
      : bytes_max_(bytes_max.value_or(0)),
        fd_(::socket(address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage;
    const socklen_t length = address.toSockaddr(storage);
    // So that each send need not look the way up.
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
      LOG(warning, stats, "no way to the statsd sink at %s: %s", address.toString(),
          net::errnoText(errno));
    }
    waiting_.reserve(kBatch);
  }

  void line(absl::string_view line) override {
    const bool joins = !datagram_.empty() && datagram_.size() + 1 + line.size() <= bytes_max_;
    if (!joins) {
      endDatagram();
    } else {
      datagram_ += '\n';
    }
    datagram_.append(line.data(), line.size());
  }

  void finish() override {
    endDatagram();
    send();
  }

private:
  void endDatagram() {
    if (datagram_.empty()) {
      return;
    }
    waiting_.push_back(std::exchange(datagram_, ""));
    if (waiting_.size() == kBatch) {
      send();
    }
  }

  // A datagram that nobody takes (the error of an earlier one, a full buffer) does not stop others.
  void send() {
    std::array<mmsghdr, kBatch> headers{};
    std::array<iovec, kBatch> parts;
    for (size_t i = 0; i < waiting_.size(); i++) {
      parts[i] = {waiting_[i].data(), waiting_[i].size()};
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    for (size_t done = 0; done < waiting_.size();) {
      const int sent =
          ::sendmmsg(fd_.get(), &headers[done], static_cast<unsigned>(waiting_.size() - done), 0);
      done += sent > 0 ? static_cast<size_t>(sent) : 1;
    }
    waiting_.clear();
  }

  const size_t bytes_max_; // 0: a line each.
  const net::Fd fd_;
  std::string datagram_;
  std::vector<std::string> waiting_;
};

} // namespace

std::unique_ptr<StatsdTransport> udpStatsd(const net::Address& address,
                                           std::optional<size_t> bytes_max) {
  return std::make_unique<UdpStatsd>(address, bytes_max);
}

} // namespace culvert::server
