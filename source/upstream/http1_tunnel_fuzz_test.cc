// SPDX-License-Identifier: Apache-2.0
// Whatever a host answers to CONNECT over HTTP/1.1, in pieces of any size.
#include <algorithm>
#include <cstdint>

#include "source/upstream/http1_tunnel_io.h"
#include "test/fakes/fake_io.h"

namespace culvert::upstream {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  test::FakeIo::Peer peer;
  Http1TunnelIo tunnel(std::make_unique<test::FakeIo>(peer), {"h:1", "", {}});
  const size_t piece = size == 0 ? 1 : 1 + data[0];
  net::IoStatus status = net::IoStatus::kMore;
  for (size_t at = 0; at < size && status == net::IoStatus::kMore; at += piece) {
    peer.to_send.append(reinterpret_cast<const char*>(data) + at, std::min(piece, size - at));
    status = tunnel.open().status;
  }
  char some[100];
  while (status == net::IoStatus::kOk && tunnel.read(absl::MakeSpan(some)).bytes > 0) {
  }
  tunnel.failureReason();
  return 0;
}

} // namespace culvert::upstream
