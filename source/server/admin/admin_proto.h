// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "source/config/problems.h"
#include "source/server/admin/admin.h"

namespace envoy::config::bootstrap::v3 {
class Admin;
}
namespace culvert::access_log {
class FileManager;
}

namespace culvert::server {

struct AdminParts {
  AdminConfig config;
  Admin::AccessLog access_log; // Empty: none.
};

// Nothing when the message gives no address, for then there is no admin page.
// Threads: main. Errors: in `problems`; log files are opened. Lifetime: `files` outlives the log.
std::optional<AdminParts> readAdmin(const envoy::config::bootstrap::v3::Admin& proto,
                                    access_log::FileManager& files, config::Problems& problems);

} // namespace culvert::server
