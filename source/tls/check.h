// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "source/tls/config.h"

namespace culvert::tls {

// Whether a part of a configuration can be used, whatever it will stand beside: the certificate
// with its key; the roots and lists of revoked certificates.
// Threads: any. Errors: begin with the config's path, and end in Envoy's sentence.
absl::Status check(const CertificateConfig& config);
absl::Status check(const ValidationConfig& config);

} // namespace culvert::tls
