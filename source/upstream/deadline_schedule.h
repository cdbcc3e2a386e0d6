// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace culvert::upstream {

// Earliest deadline first over hosts, or over localities: each is due 1 / weight after its last
// turn; those that are due together come in the order in which they were put back. Weights 3:2:1
// settle to the period CBAABA and 5:7:3 to BABCABBACBABCAB, as Envoy's do. Threads: one. Lifetime:
// borrows the list.
template <class Item> class DeadlineSchedule {
public:
  // `weigh` gives an item's weight, a double above 0.
  template <class Weigh> DeadlineSchedule(const std::vector<Item>& items, const Weigh& weigh) {
    for (const Item& item : items) {
      due_.push_back({1.0 / weigh(item), order_++, 0.0, 1.0, weigh(item), &item});
    }
    std::make_heap(due_.begin(), due_.end(), isLater);
  }

  // The next one, put back with the weight that it has now. There must be one.
  template <class Weigh> const Item& next(const Weigh& weigh) {
    std::pop_heap(due_.begin(), due_.end(), isLater);
    Turn& turn = due_.back();
    const Item& item = *turn.item;
    turn.putBack(weigh(item), order_++);
    std::push_heap(due_.begin(), due_.end(), isLater);
    return item;
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
    const Item* item;
  };
  static bool isLater(const Turn& a, const Turn& b) {
    return a.deadline > b.deadline || (a.deadline == b.deadline && a.order > b.order);
  }

  std::vector<Turn> due_;
  uint64_t order_ = 0;
};

} // namespace culvert::upstream
