// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "source/base/check.h"
#include "source/filters/tls_inspector/client_hello.h"

// Any bytes get an answer, and it does not depend on how they arrive: what was needed before is
// there when the answer comes, and an answer stays when more follows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::tls_inspector::parseClientHello;
  using Kind = culvert::tls_inspector::ParsedHello::Kind;
  const absl::string_view stream(reinterpret_cast<const char*>(data), size);
  const auto whole = parseClientHello(stream);
  CULVERT_CHECK(whole.kind == Kind::kNeedMore ? whole.bytes > size : whole.bytes <= size);
  for (size_t some = size / 2; some < size; some += size / 16 + 1) {
    const auto early = parseClientHello(stream.substr(0, some));
    if (early.kind == Kind::kNeedMore) {
      CULVERT_CHECK(whole.kind != Kind::kHello || early.bytes <= whole.bytes);
    } else {
      CULVERT_CHECK(early.kind == whole.kind && early.server_name == whole.server_name &&
                    early.application_protocols == whole.application_protocols);
    }
  }
  return 0;
}
