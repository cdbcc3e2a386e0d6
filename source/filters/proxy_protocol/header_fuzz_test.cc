// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "source/base/check.h"
#include "source/filters/proxy_protocol/config.h"
#include "source/filters/proxy_protocol/header.h"

// Any bytes get an answer, and it does not depend on how they arrive.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::proxy_protocol::ParsedHeader;
  using culvert::proxy_protocol::parseHeader;
  using Kind = ParsedHeader::Kind;
  const absl::string_view stream(reinterpret_cast<const char*>(data), size);
  const ParsedHeader whole = parseHeader(stream);
  CULVERT_CHECK(whole.kind != Kind::kHeader || whole.bytes <= size);
  CULVERT_CHECK(whole.kind != Kind::kNeedMore || whole.bytes > size);
  for (size_t some = 0; some < size; some += size / 32 + 1) {
    const ParsedHeader early = parseHeader(stream.substr(0, some));
    if (early.kind == Kind::kNeedMore) {
      CULVERT_CHECK(whole.kind != Kind::kHeader || early.bytes <= whole.bytes);
    } else {
      CULVERT_CHECK(early.kind == whole.kind && early.source == whole.source &&
                    early.destination == whole.destination);
    }
  }
  size_t tlv_bytes = 0;
  culvert::proxy_protocol::forEachTlv(whole.tlvs, [&](uint8_t, absl::string_view value) {
    tlv_bytes += 3 + value.size();
    const std::string clean = culvert::proxy_protocol::sanitizeUtf8(value);
    CULVERT_CHECK(clean.size() == value.size());
    CULVERT_CHECK(culvert::proxy_protocol::sanitizeUtf8(clean) == clean);
  });
  CULVERT_CHECK(tlv_bytes == whole.tlvs.size());
  return 0;
}
