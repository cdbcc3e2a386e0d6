// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "source/hbone/http2_options.h"

namespace envoy::config::core::v3 {
class Http2ProtocolOptions;
}

namespace culvert::upstream {

// How HTTP/2 is spoken, to hosts and to clients alike. Numbers that `proto` does not name stay.
// Threads: main. An error begins with the path of the field in `proto`.
absl::Status readHttp2Options(const envoy::config::core::v3::Http2ProtocolOptions& proto,
                              hbone::Http2Options& options);

} // namespace culvert::upstream
