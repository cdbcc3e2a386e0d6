// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "source/net/socket.h"
#include "source/server/options.h"

namespace culvert::server {

// Where the process of `epoch` is found by its child, as a unix socket's path or abstract name.
std::string restartSocket(const Options& options, uint32_t epoch);

// Claims this process's base id and epoch: with --use-dynamic-base-id finds a base id that nobody
// has, and writes --base-id-path. The socket is where a child is served; none when there is no hot
// restart, be it that the default base id belongs to another process, which is warned of.
// Errors: another process has what the command line asks for, or the file cannot be written.
// Threads: main, before any other.
absl::StatusOr<net::Fd> claimBaseId(Options& options);

} // namespace culvert::server
