// SPDX-License-Identifier: Apache-2.0
#include "source/filters/socks5/messages.h"

namespace culvert::socks5 {
namespace {

using Kind = Message::Kind;

constexpr uint8_t kVersion = 5;
constexpr char kMethodNone = 0;
constexpr uint8_t kConnect = 1;
constexpr uint8_t kIpv4 = 1;
constexpr uint8_t kName = 3;
constexpr uint8_t kIpv6 = 4;
constexpr size_t kHeadBytes = 4; // Version, command, nothing, kind of address.
constexpr size_t kPortBytes = 2;

uint8_t byteAt(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint16_t portAt(absl::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byteAt(bytes, at) << 8 | byteAt(bytes, at + 1));
}

Message wrong(Mistake mistake) {
  Message message;
  message.kind = Kind::kWrong;
  message.mistake = mistake;
  return message;
}

Message whole(size_t bytes) {
  Message message;
  message.kind = Kind::kWhole;
  message.bytes = bytes;
  return message;
}

// One of a request, whose kind of address is a known one, once it is all there.
Message readDestination(absl::string_view stream) {
  const uint8_t kind = byteAt(stream, kHeadBytes - 1);
  const bool named = kind == kName;
  if (named && stream.size() == kHeadBytes) {
    return {};
  }
  const size_t begin = kHeadBytes + (named ? 1 : 0);
  const size_t size = named ? byteAt(stream, kHeadBytes) : kind == kIpv4 ? 4 : 16;
  if (stream.size() < begin + size + kPortBytes) {
    return {};
  }
  Message message = whole(begin + size + kPortBytes);
  message.port = portAt(stream, begin + size);
  const absl::string_view host = stream.substr(begin, size);
  if (named) {
    message.name = host;
  } else {
    message.destination = net::Address::fromIpBytes(host, message.port);
  }
  return message;
}

} // namespace

Message readGreeting(absl::string_view stream) {
  if (!stream.empty() && byteAt(stream, 0) != kVersion) {
    return wrong(Mistake::kVersion);
  }
  if (stream.size() < 2) {
    return {};
  }
  const size_t count = byteAt(stream, 1);
  const absl::string_view methods = stream.substr(2, count);
  if (methods.size() < count) {
    return {};
  }
  return methods.find(kMethodNone) == absl::string_view::npos ? wrong(Mistake::kMethod)
                                                              : whole(2 + count);
}

Message readRequest(absl::string_view stream) {
  if (!stream.empty() && byteAt(stream, 0) != kVersion) {
    return wrong(Mistake::kVersion);
  }
  if (stream.size() > 1 && byteAt(stream, 1) != kConnect) {
    return wrong(Mistake::kCommand);
  }
  if (stream.size() < kHeadBytes) {
    return {};
  }
  const uint8_t kind = byteAt(stream, kHeadBytes - 1);
  return kind == kIpv4 || kind == kIpv6 || kind == kName ? readDestination(stream)
                                                         : wrong(Mistake::kAddressType);
}

std::string reply(ReplyCode code) {
  const char first = static_cast<char>(kVersion), second = static_cast<char>(code);
  return {first, second, '\0', static_cast<char>(kIpv4), '\0', '\0', '\0', '\0', '\0', '\0'};
}

} // namespace culvert::socks5
