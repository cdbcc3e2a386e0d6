// SPDX-License-Identifier: Apache-2.0
#include "source/tls/contexts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"

namespace culvert::tls {
namespace {

template <class Slots> void dropDead(Slots& slots) {
  slots.erase(
      std::remove_if(slots.begin(), slots.end(), [](const auto& slot) { return slot.expired(); }),
      slots.end());
}

} // namespace

absl::Status ContextSlot::reload() {
  absl::StatusOr<std::shared_ptr<const Context>> context = maker_();
  if (!context.ok()) {
    return context.status();
  }
  std::shared_ptr<const Context> old; // Destroyed outside the lock.
  base::MutexLock lock(mutex_);
  old = std::exchange(current_, *std::move(context));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ContextSlot>>
Contexts::add(ContextSlot::Maker maker, const std::vector<WatchedFile>& files) {
  auto slot = std::make_shared<ContextSlot>(std::move(maker));
  if (absl::Status status = slot->reload(); !status.ok()) {
    return status;
  }
  for (const WatchedFile& watched : files) {
    if (absl::Status status = watch(watched.file, slot); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(watched.path, ": ", status.message()));
    }
  }
  dropDead(slots_);
  slots_.push_back(slot);
  return std::shared_ptr<const ContextSlot>(std::move(slot));
}

absl::Status Contexts::watch(const std::string& file, const std::shared_ptr<ContextSlot>& slot) {
  if (watcher_ == nullptr) {
    watcher_ = std::make_unique<event::FileWatcher>(main_);
  }
  const auto [place, is_new] = watched_.try_emplace(file);
  dropDead(place->second);
  place->second.push_back(slot);
  if (!is_new) {
    return absl::OkStatus();
  }
  auto watch = watcher_->watch(file, event::FileChange::kRenamedOrWritten,
                               [this, file] { onChanged(file); });
  if (!watch.ok()) {
    watched_.erase(place);
    return watch.status();
  }
  watches_.push_back(*std::move(watch));
  return absl::OkStatus();
}

void Contexts::onChanged(const std::string& file) {
  for (const auto& weak : watched_[file]) {
    const std::shared_ptr<ContextSlot> slot = weak.lock();
    const absl::Status status = slot == nullptr ? absl::OkStatus() : slot->reload();
    if (!status.ok()) {
      LOG(warning, secret, "%s changed, but is of no use: %s", file, status.message());
    }
  }
}

std::vector<std::shared_ptr<const Context>> Contexts::contexts() {
  std::vector<std::shared_ptr<const Context>> contexts;
  for (const auto& weak : slots_) {
    if (const auto slot = weak.lock()) {
      contexts.push_back(slot->get());
    }
  }
  return contexts;
}

} // namespace culvert::tls
