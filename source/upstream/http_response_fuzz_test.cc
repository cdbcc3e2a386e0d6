// SPDX-License-Identifier: Apache-2.0
// What a host answers to a health check, cut where it likes.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "source/base/check.h"
#include "source/upstream/http_response.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::upstream::HttpResponse;
  if (size == 0) {
    return 0;
  }
  const absl::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  HttpResponse whole(false);
  const HttpResponse::State at_once = whole.take(bytes, true);
  const size_t cut = bytes.empty() ? 0 : data[0] % bytes.size();
  HttpResponse pieces(false);
  HttpResponse::State state = pieces.take(bytes.substr(0, cut), false);
  if (state == HttpResponse::State::kIncomplete) {
    state = pieces.take(bytes.substr(cut), true);
    CULVERT_CHECK(state == at_once && pieces.status() == whole.status());
  }
  return 0;
}
