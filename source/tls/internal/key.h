// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {

// A new key of P-256; null if the library could not. Threads: any.
PkeyPtr makeEcKey();

} // namespace culvert::tls::internal
