// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "source/base/check.h"
#include "source/filters/socks5/messages.h"

namespace {

using culvert::socks5::Message;
using Kind = Message::Kind;

// Any bytes get an answer, within the longest message, and it does not depend on how they arrive.
Message read(Message (*reader)(absl::string_view), absl::string_view stream) {
  const Message all = reader(stream);
  CULVERT_CHECK(all.kind != Kind::kWhole || (all.bytes > 0 && all.bytes <= stream.size() &&
                                             all.bytes <= culvert::socks5::kMessageBytesMax));
  CULVERT_CHECK(all.kind != Kind::kNeedMore || stream.size() < culvert::socks5::kMessageBytesMax);
  for (size_t some = 0; some < stream.size() && some < 300; some++) {
    const Message early = reader(stream.substr(0, some));
    CULVERT_CHECK(early.kind == Kind::kNeedMore ||
                  (early.kind == all.kind && early.bytes == all.bytes &&
                   early.mistake == all.mistake && early.destination == all.destination &&
                   early.name == all.name && early.port == all.port));
    CULVERT_CHECK(all.kind != Kind::kWhole || (early.kind == Kind::kWhole) == (some >= all.bytes));
  }
  return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view stream(reinterpret_cast<const char*>(data), size);
  const Message greeting = read(&culvert::socks5::readGreeting, stream);
  read(&culvert::socks5::readRequest, stream);
  if (greeting.kind == Kind::kWhole) {
    stream.remove_prefix(greeting.bytes);
    read(&culvert::socks5::readRequest, stream);
  }
  return 0;
}
