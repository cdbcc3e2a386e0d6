// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/node_hash_map.h"
#include "source/base/delegate.h"
#include "source/base/intrusive_list.h"
#include "source/mesh/authorization.h"
#include "source/mesh/table.h"
#include "source/net/address.h"

namespace culvert::mesh {

// The connections that a worker lets in, so that a change of policies ends those that it denies.
//
// A connection is entered before it is first judged, so that no change falls in between. Several
// with the same key (streams of one tunnel to one target) share an entry and a verdict.
//
// Threads: one worker's. Lifetime: outlives its holders.
class InboundConnections {
public:
  struct Key {
    net::Address source; // Of the tunnel, or of the plain connection.
    net::Address destination;
    std::optional<Identity> identity;
    Text workload_uid;        // The local workload.
    std::string service_hint; // The forwarded host; "": none.

    friend bool operator==(const Key&, const Key&) = default;
    template <typename H> friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.source, key.destination,
                        key.identity.value_or(Identity()), key.workload_uid, key.service_hint);
    }
  };

private:
  struct Entry;

public:
  // One connection's place; the end of it leaves.
  class Holder : public base::ListNode<Holder> {
  public:
    Holder() = default;
    ~Holder();
    Holder(const Holder&) = delete;
    bool held() const { return entry_ != nullptr; }
    void release();

  private:
    friend class InboundConnections;
    InboundConnections* all_ = nullptr;
    Entry* entry_ = nullptr;
    base::Delegate<void(const Verdict&)> denied_;
  };

  explicit InboundConnections(const WorkloadTable& table) : table_(table) {}
  ~InboundConnections();
  InboundConnections(const InboundConnections&) = delete;

  // `local` is key.workload_uid's record. `denied` is called once at most, from recheck() or
  // close(), with the holder released; it may destroy the holder, and others.
  void enter(Holder& holder, const Key& key, WorkloadRef local,
             base::Delegate<void(const Verdict&)> denied);

  // The verdict of now on what the holder is entered for, with the workload's record of now, or its
  // last one if the table has it no more.
  Verdict judge(const Holder& holder);

  // After a change of policies or of the local workload: ends what is now denied. Returns how many
  // holders that were.
  size_t recheck();

  // Ends all holders of the entry.
  void close(Key key, const Verdict& verdict) { end(key, verdict); }

  size_t entries() const { return entries_.size(); }
  size_t holders(const Key& key) const;
  template <class F> void forEach(F visit) const {
    for (const auto& [key, entry] : entries_) {
      visit(key);
    }
  }

private:
  struct Entry {
    const Key* key = nullptr; // The map's.
    WorkloadRef local;
    base::IntrusiveList<Holder> holders;
    size_t count = 0;
  };

  Verdict judge(Entry& entry);
  size_t end(const Key& key, const Verdict& verdict);
  void leave(Holder& holder);

  const WorkloadTable& table_;
  absl::node_hash_map<Key, Entry> entries_;
};

} // namespace culvert::mesh
