// SPDX-License-Identifier: Apache-2.0
// What a client says first to an http_connection_manager, over HTTP/1.
#include <cstddef>
#include <cstdint>

#include "source/base/check.h"
#include "source/filters/http_connection_manager/http1_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::http_connection_manager;
  constexpr size_t kFieldsMax = 5;
  const Http1Request request =
      parseHttp1({reinterpret_cast<const char*>(data), size}, 200, kFieldsMax);
  CULVERT_CHECK(request.bytes <= size);
  CULVERT_CHECK(request.fields.size() <= kFieldsMax + 2);
  if (request.state == Http1Request::State::kComplete) {
    CULVERT_CHECK(request.bytes > 0 && request.fields.front().first == ":method");
  }
  return 0;
}
