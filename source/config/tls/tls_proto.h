// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/config/tls/secrets.h"
#include "source/tls/config.h"
#include "source/tls/contexts.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class CommonTlsContext;
class DownstreamTlsContext;
class UpstreamTlsContext;
} // namespace envoy::extensions::transport_sockets::tls::v3

namespace culvert::config::tls {

// TLS messages as plain values. Files are read, each time anew.
// Threads: main. Errors: InvalidArgument that begins with the path of the field inside the message,
// and ends in Envoy's sentence.
// `secrets` are those that the message names, and ready.
absl::StatusOr<culvert::tls::ContextConfig>
readCommon(const envoy::extensions::transport_sockets::tls::v3::CommonTlsContext& proto,
           const NamedSecrets& secrets);
// Whether the secret can be used, whatever it will stand beside.
absl::Status checkSecret(const NamedSecret::Message& secret);
culvert::tls::ServerConfig
readServer(const envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext& proto);
culvert::tls::ClientConfig
readClient(const envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext& proto);

// What to watch for changes: the directories that the message names for that, with a slash behind
// them.
std::vector<culvert::tls::WatchedFile>
watchedFiles(const envoy::extensions::transport_sockets::tls::v3::CommonTlsContext& proto);

} // namespace culvert::config::tls
