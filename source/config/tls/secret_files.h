// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class Secret;
}

namespace culvert::config::tls {

// The same secret with the contents of the files that it names in place of their names.
// Threads: main. Errors: "Invalid path: FILE".
absl::StatusOr<std::unique_ptr<const envoy::extensions::transport_sockets::tls::v3::Secret>>
withContents(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);

// The folders to watch for new files, with a slash behind them: the one that the secret names for
// that, or else those that its files are in.
std::set<std::string>
foldersOf(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);

} // namespace culvert::config::tls
