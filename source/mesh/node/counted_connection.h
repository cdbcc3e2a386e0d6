// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "source/base/clock.h"
#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/traffic.h"
#include "source/net/connection_info.h"

namespace culvert::mesh {

// A connection in a node's Traffic: from when it is known who talks to whom until it ends. Its
// bytes count meanwhile, every kReportInterval. Threads: the loop's. Lifetime: borrows what it is
// made with, until end().
class CountedConnection : public base::ListNode<CountedConnection> {
public:
  static constexpr base::Duration kReportInterval = std::chrono::seconds(5);

  CountedConnection(Traffic& traffic, event::Loop& loop, const net::ConnectionInfo& info,
                    const ConnectionRecord& record);
  CountedConnection(const CountedConnection&) = delete;

  // Once.
  void end();

private:
  struct OfLoop;

  void report();

  Traffic& traffic_;
  const net::ConnectionInfo& info_;
  const ConnectionRecord& record_;
  Traffic::Series& series_; // Of those that have not failed.
  uint64_t reported_received_ = 0;
  uint64_t reported_sent_ = 0;
};

} // namespace culvert::mesh
