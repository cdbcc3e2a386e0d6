// SPDX-License-Identifier: Apache-2.0
#include "source/tls/contexts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/tls/internal/not_ready_io.h"

namespace culvert::tls {
namespace {

template <class Slots> void dropDead(Slots& slots) {
  slots.erase(
      std::remove_if(slots.begin(), slots.end(), [](const auto& slot) { return slot.expired(); }),
      slots.end());
}

} // namespace

void ContextSlot::put(ContextPtr context) {
  base::MutexLock lock(mutex_);
  current_.swap(context); // The old one is destroyed outside the lock.
}

std::unique_ptr<net::Io> withoutSecrets(std::unique_ptr<net::Io> transport, bool connecting) {
  return std::make_unique<internal::NotReadyIo>(std::move(transport), connecting);
}

absl::StatusOr<std::shared_ptr<ContextSlot>> Contexts::add(ContextSlot::Maker maker,
                                                           std::shared_ptr<Stats> stats,
                                                           const std::vector<WatchedFile>& files) {
  auto slot = std::make_shared<ContextSlot>(std::move(maker), std::move(stats));
  auto first = slot->make();
  if (!first.ok()) {
    return first.status();
  }
  slot->put(*std::move(first));
  forgetUnused();
  for (const WatchedFile& watched : files) {
    if (absl::Status status = watch(watched.file, slot); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(watched.path, ": ", status.message()));
    }
  }
  dropDead(slots_);
  slots_.push_back(slot);
  return slot;
}

// Files of contexts that are gone.
void Contexts::forgetUnused() {
  if (watched_.size() < watched_max_) {
    return;
  }
  std::erase_if(watched_, [](const auto& entry) {
    const Slots& slots = entry.second.slots;
    return std::all_of(slots.begin(), slots.end(), [](const auto& slot) { return slot.expired(); });
  });
  watched_max_ = std::max<size_t>(64, 2 * watched_.size());
}

absl::Status Contexts::watch(const std::string& file, const std::shared_ptr<ContextSlot>& slot) {
  if (watcher_ == nullptr) {
    watcher_ = std::make_unique<event::FileWatcher>(main_);
  }
  const auto [place, is_new] = watched_.try_emplace(file);
  dropDead(place->second.slots);
  place->second.slots.push_back(slot);
  if (!is_new) {
    return absl::OkStatus();
  }
  auto watch = watcher_->watch(file, event::FileChange::kRenamedOrWritten,
                               [this, file] { onChanged(file); });
  if (!watch.ok()) {
    watched_.erase(place);
    return watch.status();
  }
  place->second.watch = *std::move(watch);
  return absl::OkStatus();
}

void Contexts::onChanged(const std::string& file) {
  for (const auto& weak : watched_[file].slots) {
    const std::shared_ptr<ContextSlot> slot = weak.lock();
    if (slot == nullptr) {
      continue;
    }
    auto context = slot->make();
    if (context.ok()) {
      slot->put(*std::move(context));
    } else { // The content stays as it was.
      LOG(warning, secret, "%s changed, but is of no use: %s", file, context.status().message());
    }
  }
}

std::vector<std::shared_ptr<const Context>> Contexts::contexts() {
  std::vector<std::shared_ptr<const Context>> contexts;
  for (const auto& weak : slots_) {
    const auto slot = weak.lock();
    if (slot != nullptr && slot->get() != nullptr) {
      contexts.push_back(slot->get());
    }
  }
  return contexts;
}

} // namespace culvert::tls
