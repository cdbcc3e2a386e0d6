// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace culvert::tls::internal {

// What went wrong in the TLS library, whose words and numbers are those of Envoy's (envoy-compat
// E.3). Takes everything out of the thread's queue of errors.
struct Failure {
  std::string
      text; // "TLS_error:|268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
  bool verification = false;   // The peer's certificate was not accepted.
  bool no_certificate = false; // It showed none.
};

// `detail` is why the certificate was not accepted.
Failure takeFailure(absl::string_view detail);

// The failure of the transport below: a reset, mostly.
std::string transportFailure(absl::string_view reason);

// As above for one error of loading a configuration: "error:0b000074:X.509 certificate
// routines:OPENSSL_internal:KEY_VALUES_MISMATCH".
std::string takeLoadError();

} // namespace culvert::tls::internal
