// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/inbound_connections.h"

#include <utility>
#include <vector>

#include "source/mesh/table_reader.h"

namespace culvert::mesh {

InboundConnections::~InboundConnections() {
  for (auto& [key, entry] : entries_) {
    while (Holder* holder = entry.holders.popFront()) {
      holder->entry_ = nullptr;
    }
  }
}

InboundConnections::Holder::~Holder() { release(); }

void InboundConnections::Holder::release() {
  if (entry_ != nullptr) {
    all_->leave(*this);
  }
}

void InboundConnections::enter(Holder& holder, const Key& key, WorkloadRef local,
                               base::Delegate<void(const Verdict&)> denied) {
  holder.release();
  const auto [at, added] = entries_.try_emplace(key);
  Entry& entry = at->second;
  entry.key = &at->first;
  entry.local = std::move(local);
  entry.holders.pushBack(holder);
  entry.count++;
  holder.all_ = this;
  holder.entry_ = &entry;
  holder.denied_ = denied;
}

void InboundConnections::leave(Holder& holder) {
  Entry& entry = *std::exchange(holder.entry_, nullptr);
  holder.unlink();
  if (--entry.count == 0) {
    entries_.erase(entries_.find(*entry.key));
  }
}

Verdict InboundConnections::judge(const Holder& holder) { return judge(*holder.entry_); }

Verdict InboundConnections::judge(Entry& entry) {
  const Key& key = *entry.key;
  const AuthorizationRequest request{Ip::of(key.source), key.identity, Ip::of(key.destination),
                                     key.destination.port()};
  const TableReader reader(table_);
  if (const Workload* now = reader.workload(key.workload_uid); now != nullptr) {
    entry.local = WorkloadRef(now);
  }
  return authorize(reader, *entry.local, request);
}

size_t InboundConnections::recheck() {
  std::vector<std::pair<Key, Verdict>> denied; // What is called back may change the entries.
  for (auto& [key, entry] : entries_) {
    if (Verdict verdict = judge(entry); !verdict.allowed) {
      denied.emplace_back(key, std::move(verdict));
    }
  }
  size_t ended = 0;
  for (const auto& [key, verdict] : denied) {
    ended += end(key, verdict);
  }
  return ended;
}

// A callback may destroy further holders of the entry, and with the last of them the entry.
size_t InboundConnections::end(const Key& key, const Verdict& verdict) {
  size_t ended = 0;
  for (auto found = entries_.find(key); found != entries_.end(); found = entries_.find(key)) {
    Holder& holder = *found->second.holders.front();
    leave(holder);
    ended++;
    holder.denied_(verdict);
  }
  return ended;
}

size_t InboundConnections::holders(const Key& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? 0 : found->second.count;
}

} // namespace culvert::mesh
