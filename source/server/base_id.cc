// SPDX-License-Identifier: Apache-2.0
#include "source/server/base_id.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "source/base/random.h"
#include "source/server/hot_restart_channel.h"

namespace culvert::server {
namespace {

constexpr uint32_t kDynamicTries = 100;
constexpr uint32_t kDynamicMax = 1u << 28;

absl::StatusOr<net::Fd> claim(const Options& options) {
  return listenForChildren(restartSocket(options, options.restart_epoch), options.socket_mode);
}

absl::StatusOr<net::Fd> claimAny(Options& options) {
  base::Random random;
  for (uint32_t i = 1;; i++) {
    options.base_id = 1 + static_cast<uint32_t>(random.below(kDynamicMax));
    absl::StatusOr<net::Fd> socket = claim(options);
    if (socket.ok() || i == kDynamicTries || !absl::IsAlreadyExists(socket.status())) {
      return socket;
    }
  }
}

absl::Status writeBaseId(const Options& options) {
  if (options.base_id_path.empty()) {
    return absl::OkStatus();
  }
  std::ofstream file(options.base_id_path);
  file << options.base_id;
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat("cannot write the base id to '",
                                                    options.base_id_path, "' (--base-id-path)"));
}

} // namespace

std::string restartSocket(const Options& options, uint32_t epoch) {
  return absl::StrCat(options.socket_path, "_culvert_", options.base_id, "_", epoch);
}

absl::StatusOr<net::Fd> claimBaseId(Options& options) {
  if (options.disable_hot_restart) {
    return net::Fd();
  }
  absl::StatusOr<net::Fd> socket = options.use_dynamic_base_id ? claimAny(options) : claim(options);
  if (!socket.ok()) {
    const std::string text = absl::StrCat(
        "unable to bind domain socket with base_id=", options.base_id,
        ", id=", options.restart_epoch, ", ", socket.status().message(), " (see --base-id option)");
    const bool asked = options.base_id_set || options.restart_epoch > 0;
    if (asked || !absl::IsAlreadyExists(socket.status())) {
      return absl::UnavailableError(text);
    }
    options.disable_hot_restart = true;
    options.warnings.push_back(absl::StrCat(text, ": another process has the default base id, so "
                                                  "that this one cannot be hot restarted"));
    return net::Fd();
  }
  if (absl::Status status = writeBaseId(options); !status.ok()) {
    return status;
  }
  return socket;
}

} // namespace culvert::server
