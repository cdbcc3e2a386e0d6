// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/named_secret.h"

#include <utility>

#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"

namespace culvert::config::tls {

using culvert::tls::ContextSlot;

NamedSecret::NamedSecret(std::string name, MessagePtr message)
    : name_(std::move(name)), current_(std::move(message)) {}

NamedSecret::~NamedSecret() = default;

void NamedSecret::addSlot(const std::shared_ptr<ContextSlot>& slot) {
  std::erase_if(slots_, [](const auto& other) { return other.expired(); });
  slots_.push_back(slot);
}

absl::Status NamedSecret::replace(MessagePtr message) {
  std::swap(current_, message);
  std::vector<std::pair<std::shared_ptr<ContextSlot>, ContextSlot::ContextPtr>> made;
  for (const auto& weak : slots_) {
    if (const std::shared_ptr<ContextSlot> slot = weak.lock()) {
      auto context = slot->make();
      if (!context.ok()) {
        std::swap(current_, message);
        return context.status();
      }
      made.emplace_back(slot, *std::move(context));
    }
  }
  for (auto& [slot, context] : made) {
    slot->put(std::move(context));
    slot->stats().ssl_context_update_by_sds.add();
  }
  return absl::OkStatus();
}

} // namespace culvert::config::tls
