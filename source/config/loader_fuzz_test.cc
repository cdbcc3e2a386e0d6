// SPDX-License-Identifier: Apache-2.0
// Any bytes as configuration in each format: no crash, no endless loop, and nothing that is
// taken may then fail to be written out again.
#include <cstdint>

#include "absl/strings/string_view.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"

#include "source/base/check.h"
#include "source/config/loader.h"
#include "source/config/support.h"
#include "source/registry/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::config;
  constexpr size_t kInputMax = 4096; // The limits have tests of their own; here speed counts.
  if (size == 0 || size > kInputMax) {
    return 0;
  }
  // Texts as they are, most of them YAML; a byte that no text begins with chooses the rest.
  const bool chosen = data[0] < 4;
  const Format format = chosen ? static_cast<Format>(data[0]) : Format::kYaml;
  const absl::string_view text(reinterpret_cast<const char*>(data) + chosen, size - chosen);
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  Problems problems;
  loadText(text, format, "fuzz", bootstrap, problems);
  check(bootstrap, "", builtIn(culvert::registry::Registry()), problems);
  for (const std::string& line : problems.errorLines()) {
    CULVERT_CHECK(line.find('\n') == std::string::npos);
  }
  if (format != Format::kText && format != Format::kBinary) {
    CULVERT_CHECK(bootstrap.ParseFromString(bootstrap.SerializeAsString()));
  }
  return 0;
}
