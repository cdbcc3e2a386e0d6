// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/net/tls_info.h"
#include "source/tls/config.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {

// What is read out of a certificate. Threads: any; the certificate is not changed.
net::CertificateFacts factsOf(X509* certificate);
void forEachSan(X509* certificate, const std::function<void(SanType, const std::string&)>& visit);
// All subject alternative names, of whatever type, for messages.
std::vector<std::string> sanTexts(X509* certificate);
std::string commonName(X509* certificate);
Sha256 digestOf(X509* certificate);
Sha256 keyDigestOf(X509* certificate);
base::WallTime expiryOf(X509* certificate);

// All certificates (and what else there is) of a PEM text; empty when some of it is damaged.
InfosPtr readPem(absl::string_view text);

} // namespace culvert::tls::internal
