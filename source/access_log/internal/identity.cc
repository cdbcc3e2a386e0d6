// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/identity.h"

#include <unistd.h>

#include "absl/strings/str_format.h"
#include "source/base/random.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {

Id streamId(const net::ConnectionInfo& info) {
  const uint64_t wall = static_cast<uint64_t>(info.start_wall.time_since_epoch().count());
  const uint64_t steady = static_cast<uint64_t>(info.start.time_since_epoch().count());
  const uint64_t process = static_cast<uint64_t>(::getpid());
  base::Random first(wall ^ (info.id << 32) ^ (info.id >> 32));
  base::Random second(steady ^ (process << 40) ^ first.next());
  return {first.next() ^ info.id, second.next()};
}

Id randomId() { return {base::Random().next(), base::Random().next()}; }

void appendUuid(Id id, std::string& out) {
  const auto [high, low] = id;
  absl::StrAppendFormat(&out, "%08x-%04x-4%03x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                        high & 0xfff, 0x8000 | ((low >> 48) & 0x3fff), low & 0xffffffffffff);
}

} // namespace culvert::access_log::internal
