// SPDX-License-Identifier: Apache-2.0
#include "source/net/close_reason.h"

namespace culvert::net {
namespace {

struct Row {
  absl::string_view name;
  Side side;
  uint32_t flags;
  absl::string_view local_close_reason;
  absl::string_view sentence;
};

constexpr Row kRows[] = {
#define CULVERT_CLOSE_ROW(code, side, flags, envoy, sentence)                                      \
  {absl::string_view(#code).substr(1), Side::side, flags, envoy, sentence},
    CULVERT_CLOSE_CODES(CULVERT_CLOSE_ROW)
#undef CULVERT_CLOSE_ROW
};

const Row& row(CloseCode code) { return kRows[static_cast<size_t>(code)]; }

} // namespace

CloseReason CloseReason::of(CloseCode code, absl::string_view detail) {
  return {row(code).side, code, detail};
}

uint32_t CloseReason::responseFlags() const { return row(code).flags; }

absl::string_view CloseReason::localCloseReason() const {
  return code == CloseCode::kFilter ? detail : row(code).local_close_reason;
}

absl::string_view CloseReason::sentence() const { return row(code).sentence; }

absl::string_view name(CloseCode code) { return row(code).name; }

} // namespace culvert::net
