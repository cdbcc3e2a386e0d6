// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/tunnel_pool.h"

#include <algorithm>
#include <utility>

namespace culvert::upstream {

TunnelConnection* TunnelPool::find(const TunnelKey& key) {
  const auto it = connections_.find(key);
  TunnelConnection* found = nullptr;
  if (it != connections_.end()) {
    for (const auto& connection : it->second) {
      if (connection->hasRoom() && (found == nullptr || connection->connected())) {
        found = connection.get();
      }
      if (found != nullptr && found->connected()) {
        break;
      }
    }
  }
  return found;
}

TunnelConnection& TunnelPool::add(std::unique_ptr<TunnelConnection> connection) {
  auto& all = connections_[connection->key()];
  return *all.emplace_back(std::move(connection));
}

void TunnelPool::remove(TunnelConnection& connection) {
  const auto it = connections_.find(connection.key());
  auto& all = it->second;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& candidate) {
    return candidate.get() == &connection;
  });
  connection.loop().deferDelete(std::move(*found));
  all.erase(found);
  if (all.empty()) {
    connections_.erase(it);
  }
}

template <class Which> void TunnelPool::drain(const Which& which) {
  for (const auto& [key, all] : connections_) {
    for (const auto& connection : all) {
      if (which(*connection)) {
        connection->drain();
      }
    }
  }
}

void TunnelPool::drainAll() {
  drain([](const TunnelConnection&) { return true; });
}

void TunnelPool::drainUnfit() {
  drain([](const TunnelConnection& connection) {
    const Host& host = *connection.host();
    return host.retired() || host.health() == HostHealth::kUnhealthy;
  });
}

void TunnelPool::closeTo(const Host& host) {
  for (const auto& [key, all] : connections_) {
    for (const auto& connection : all) {
      if (key.first == &host) {
        connection->close(net::CloseReason::of(net::CloseCode::kHostUnhealthy));
      }
    }
  }
}

} // namespace culvert::upstream
