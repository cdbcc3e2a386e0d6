// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/config/watched_file.h"
#include "source/event/file_watcher.h"
#include "source/tls/revocations.h"

namespace culvert::config::node {

// Loads lists of revoked certificates from a file, now and whenever it may have changed, as long as
// the result lives. A file that is not there is waited for; one that is of no use later changes
// nothing. The log has a line for each.
// Threads: main. Lifetime: the watcher outlives it. Errors: "PATH: what is wrong".
absl::StatusOr<std::unique_ptr<WatchedFile>>
followCrlFile(const std::string& path, std::shared_ptr<culvert::tls::Revocations> revocations,
              event::FileWatcher& watcher);

} // namespace culvert::config::node
