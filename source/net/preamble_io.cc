// SPDX-License-Identifier: Apache-2.0
#include "source/net/preamble_io.h"

namespace culvert::net {

// Whoever opens asks for writable readiness until it is done, so a full socket calls again.
IoResult PreambleIo::open() {
  if (!below_open_) {
    const IoResult result = below_->open();
    if (result.status != IoStatus::kOk) {
      return result;
    }
    below_open_ = true;
  }
  while (!preamble_.empty()) {
    const iovec piece = {preamble_.data(), preamble_.size()};
    const IoResult result = below_->write({&piece, 1});
    if (result.status == IoStatus::kReset) {
      return result;
    }
    if (result.bytes == 0) {
      return {IoStatus::kMore};
    }
    preamble_.erase(0, result.bytes);
  }
  preamble_.shrink_to_fit();
  return {IoStatus::kOk};
}

} // namespace culvert::net
