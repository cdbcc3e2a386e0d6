// SPDX-License-Identifier: Apache-2.0
// What a peer answers to a request over HTTP/2.
#include <cstddef>
#include <cstdint>

#include "source/base/check.h"
#include "source/hbone/http2_client.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::hbone::Http2Client;
  Http2Client client;
  client.request({{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}},
                 "body");
  client.output();
  client.take({reinterpret_cast<const char*>(data), size});
  client.output();
  CULVERT_CHECK(client.response().body.size() <= Http2Client::kBodyBytesMax);
  if (client.reusable()) {
    client.request({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}},
                   "");
    client.output();
  }
  return 0;
}
