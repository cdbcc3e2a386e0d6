// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "source/base/check.h"
#include "source/mesh/identity.h"
#include "source/mesh/inbound.h"
#include "source/mesh/tracing_headers.h"

// Whatever a peer writes into a CONNECT or a certificate is a value or nothing, and what is read is
// printed back as it was.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::mesh;
  const std::string text(reinterpret_cast<const char*>(data), size);

  if (const auto identity = Identity::parse(text); identity.has_value()) {
    CULVERT_CHECK(identity->toString() == text);
    CULVERT_CHECK(isExpected({text}, {*identity}));
  }
  if (const auto authority = Authority::parse(text); authority.has_value()) {
    CULVERT_CHECK(authority->host.size() < text.size());
    CULVERT_CHECK(!authority->ip.has_value() ||
                  Authority::parse(authority->ip->withPort(authority->port).toString())->ip ==
                      authority->ip);
  }
  isMalformedAuthority(text);
  if (const auto trace = TraceContext::parse(text); trace.has_value()) {
    CULVERT_CHECK(text.size() == 55 && trace->toString().size() == 55);
  }
  CULVERT_CHECK(forwardedHost(text).size() <= text.size());

  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const Baggage baggage = Baggage::parse(lines);
  CULVERT_CHECK(baggage.ns.find_first_of(",=") == std::string::npos);
  return 0;
}
