// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "source/base/clock.h"

namespace culvert::base {

// Protobuf's well-known types as ours, and back. Threads: any.

// Validation saw to it that it fits.
inline Duration toDuration(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

// In whole milliseconds, as the admin page shows times.
inline google::protobuf::Timestamp toTimestamp(WallTime time) {
  const uint64_t ms = toMilliseconds(time.time_since_epoch());
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(static_cast<int64_t>(ms / 1000));
  timestamp.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
  return timestamp;
}

// The full name of the type that an Any holds: its URL without the host. "" if it is empty.
inline std::string typeOf(const google::protobuf::Any& any) {
  return any.type_url().substr(any.type_url().rfind('/') + 1);
}

} // namespace culvert::base
