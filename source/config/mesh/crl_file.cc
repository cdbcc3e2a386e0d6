// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/crl_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"

namespace culvert::config::node {
namespace {

using culvert::tls::Revocations;

absl::Status load(const std::string& path, const WatchedFile::Text& text,
                  Revocations& revocations) {
  if (!text.has_value()) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  }
  const auto lists = revocations.load(*text);
  if (!lists.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", lists.status().message()));
  }
  LOG(info, secret, "%s: %d list(s) of revoked certificates", path, *lists);
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<std::unique_ptr<WatchedFile>> followCrlFile(const std::string& path,
                                                           std::shared_ptr<Revocations> revocations,
                                                           event::FileWatcher& watcher) {
  Revocations& lists = *revocations;
  auto file = WatchedFile::watch( // Before it is read: no change falls in between.
      path, watcher, [path, revocations = std::move(revocations)](const WatchedFile::Text& text) {
        const absl::Status status = load(path, text, *revocations);
        if (!status.ok()) {
          LOG(warning, secret, "%s; what was revoked before still is", status.message());
        }
      });
  if (!file.ok()) {
    return file;
  }
  const absl::Status status = load(path, (*file)->read(), lists);
  if (absl::IsNotFound(status)) {
    LOG(warning, secret, "%s; nobody is revoked until it can", status.message());
    return file;
  }
  return status.ok() ? std::move(file) : status;
}

} // namespace culvert::config::node
