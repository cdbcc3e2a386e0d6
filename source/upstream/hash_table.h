// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/random.h"
#include "source/upstream/balancing.h"

namespace culvert::upstream {

// What ring_hash and maglev have in common.

// A host's share of all keys; the shares of a list are 1 in sum.
struct HashShare {
  const HostPtr* host;
  double part;
};

// By the weights of hosts within those of their localities, if these have any.
// Lifetime: borrows the list's hosts.
std::vector<HashShare> hashSharesOf(const HostList& list);

// From a key to a host, for one list. Threads: any; immutable. Lifetime: keeps the list.
class HashTable {
public:
  explicit HashTable(HostListPtr list) : list_(std::move(list)) {}
  virtual ~HashTable() = default;
  // Null when there are no hosts.
  virtual const HostPtr* at(uint64_t hash) const = 0;

protected:
  const HostList& list() const { return *list_; }

private:
  const HostListPtr list_;
};

// Makes one table for all workers. Threads: main.
class HashPolicy : public BalancingPolicy {
public:
  explicit HashPolicy(uint64_t seed) : random_(seed) {}

  std::unique_ptr<HostPicker> makePicker(const HostListPtr& list) final;
  bool byHash() const final { return true; }

private:
  virtual std::shared_ptr<const HashTable> makeTable(const HostListPtr& list) = 0;
  std::shared_ptr<const HashTable> tableOf(const HostListPtr& list);

  base::Random random_;
  absl::flat_hash_map<const HostList*, std::weak_ptr<const HashTable>> tables_;
};

} // namespace culvert::upstream
