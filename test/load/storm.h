// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "test/load/end.h"
#include "test/load/plan.h"

namespace culvert::load {

// What a storm did and what it found. `failures` holds the first ones in words.
struct Tally {
  std::array<uint64_t, kKinds> flows{};
  uint64_t bytes = 0;
  uint64_t peak = 0;     // Most flows at one time.
  uint64_t restarts = 0; // Of the backend.
  uint64_t forgiven = 0; // Flows that a restart cut.
  // How the other end of a flow saw a RST: [0] the client's, [1] the backend's.
  std::array<uint64_t, 2> reset_as_reset{};
  std::array<uint64_t, 2> reset_as_end{};
  uint64_t failed = 0;
  std::vector<std::string> failures;

  void fail(const std::string& text);
};

// Clients and backend of many flows through one proxy, in one thread, so that for each flow both
// ends are known and each byte is checked at both.
//
// A flow must arrive whole, both ways, with the ends in order, unless its own plan aborts it or a
// backend restart met it; what does arrive must always be right.
//
// Threads: one. Errors: found faults go to the tally; the machine's own (no descriptors) end the
// program.
class Storm {
public:
  struct Options {
    uint32_t connections = 200;
    int seconds = 3;
    int restarts = 1;
    int hold_max_ms = 300;
    int drain_seconds = 30;
    // Flows begun so soon after a restart are forgiven too. A pool that fails every waiting flow
    // with the one whose connect was refused (Envoy's does) needs some.
    int grace_ms = 0;
    uint64_t seed = 1;
    uint16_t proxy_port = 0;
    uint16_t backend_port = 0;
  };

  explicit Storm(const Options& options);
  ~Storm();
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  // Blocks until every flow has ended or the drain's time is over.
  Tally run();

private:
  struct Flow {
    uint64_t id;
    Plan plan;
    std::unique_ptr<End> client;
    std::unique_ptr<End> backend;
    bool forgiven = false;
    bool tolerant() const { return forgiven || plan.aborts(); }
  };
  // A backend connection that has not yet said which flow it is.
  struct Stranger {
    std::string header;
  };
  using Wakeup = std::pair<int64_t, uint64_t>; // When, and the key of an end.

  void openFlows();
  void openFlow();
  void turn();
  void dispatch(uint64_t key, uint32_t events);
  void wakeDue();
  void acceptAll();
  void meet(int fd);
  void adopt(int fd, const std::string& header);
  void restartBackendWhenDue();
  // The listener goes; every connection is reset too if `abort`.
  void stopBackend(bool abort);
  void startBackend();
  void settle(uint64_t id);
  void judge(const Flow& flow);
  void judgeEnd(const Flow& flow, const End* end, const EndPlan& own, const EndPlan& other);
  void countReset(int from, const End* end);
  void reportStuck();
  std::string header(uint64_t id) const;
  Pattern pattern(uint64_t id, int side) const;

  const Options options_;
  const int epoll_;
  int listener_ = -1;
  int64_t start_ns_ = 0;
  int64_t back_up_ns_ = 0; // When the backend is to return, and when flows are whole again.
  int64_t forgiven_until_ns_ = 0;
  uint64_t next_id_ = 1;
  uint64_t unmet_ = 0; // Flows whose backend end is still to come.
  std::unordered_map<uint64_t, Flow> flows_;
  std::map<int, Stranger> strangers_;
  std::priority_queue<Wakeup, std::vector<Wakeup>, std::greater<>> wakeups_;
  Tally tally_;
};

} // namespace culvert::load
