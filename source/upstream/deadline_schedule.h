// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "source/upstream/host.h"

namespace culvert::upstream {

// Earliest deadline first over the hosts of a list: each is due 1 / weight after its last turn;
// those that are due together come in the order in which they were put back. Weights 3:2:1 settle
// to the period CBAABA and 5:7:3 to BABCABBACBABCAB, as Envoy's do.
// Threads: one. Lifetime: borrows the list.
class DeadlineSchedule {
public:
  // `weigh` gives a host's weight, a double above 0.
  template <class Weigh> DeadlineSchedule(const std::vector<HostPtr>& hosts, const Weigh& weigh) {
    for (const HostPtr& host : hosts) {
      due_.push_back({1.0 / weigh(*host), order_++, 0.0, 1.0, weigh(*host), &host});
    }
    std::make_heap(due_.begin(), due_.end(), isLater);
  }

  // The next host, put back with the weight that it has now. There must be one.
  template <class Weigh> const HostPtr& next(const Weigh& weigh) {
    std::pop_heap(due_.begin(), due_.end(), isLater);
    Turn& turn = due_.back();
    const HostPtr& host = *turn.host;
    turn.putBack(weigh(*host), order_++);
    std::push_heap(due_.begin(), due_.end(), isLater);
    return host;
  }

private:
  struct Turn {
    // While the weight stays, the deadline is divided out anew each time: a sum of fractions would
    // drift, and hosts that are due together would no longer be.
    void putBack(double weight_now, uint64_t order_now) {
      if (weight_now != weight) {
        since = deadline;
        turns = 0;
        weight = weight_now;
      }
      turns += 1.0;
      deadline = since + turns / weight;
      order = order_now;
    }

    double deadline;
    uint64_t order;
    double since; // When it got the weight that it has,
    double turns; // and how many it had with it, the next one included.
    double weight;
    const HostPtr* host;
  };
  static bool isLater(const Turn& a, const Turn& b) {
    return a.deadline > b.deadline || (a.deadline == b.deadline && a.order > b.order);
  }

  std::vector<Turn> due_;
  uint64_t order_ = 0;
};

} // namespace culvert::upstream
