// SPDX-License-Identifier: Apache-2.0
#include "source/net/preamble_io.h"

namespace culvert::net {

IoResult writeText(Io& io, std::string& text) {
  while (!text.empty()) {
    const iovec piece = {text.data(), text.size()};
    const IoResult result = io.write({&piece, 1});
    if (result.status == IoStatus::kReset) {
      return result;
    }
    if (result.bytes == 0) {
      return {IoStatus::kMore};
    }
    text.erase(0, result.bytes);
  }
  return {IoStatus::kOk};
}

// Whoever opens asks for writable readiness until it is done, so a full socket calls again.
IoResult PreambleIo::open() {
  if (!below_open_) {
    const IoResult result = below_->open();
    if (result.status != IoStatus::kOk) {
      return result;
    }
    below_open_ = true;
  }
  const IoResult result = writeText(*below_, preamble_);
  if (result.status == IoStatus::kOk) {
    preamble_.shrink_to_fit();
  }
  return result;
}

} // namespace culvert::net
