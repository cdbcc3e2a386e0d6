// SPDX-License-Identifier: Apache-2.0
#include "source/server/state.h"

namespace culvert::server {

absl::string_view name(State state) {
  switch (state) {
  case State::kLive:
    return "LIVE";
  case State::kDraining:
    return "DRAINING";
  case State::kPreInitializing:
    return "PRE_INITIALIZING";
  case State::kInitializing:
    return "INITIALIZING";
  }
  return "";
}

} // namespace culvert::server
