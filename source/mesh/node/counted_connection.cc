// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/counted_connection.h"

#include <utility>

#include "source/mesh/node/outcome.h"

namespace culvert::mesh {
namespace {

void add(std::atomic<uint64_t>& counter, uint64_t amount) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

} // namespace

// A loop's own instance. Threads: the loop's.
struct CountedConnection::OfLoop {
  explicit OfLoop(event::Loop& loop)
      : timer(loop, event::Timer::Callback::to<&OfLoop::report>(this)) {}

  void report() {
    base::IntrusiveList<CountedConnection> reporting;
    reporting.splice(open);
    while (CountedConnection* const connection = reporting.popFront()) {
      connection->report();
      open.pushBack(*connection);
    }
    if (!open.empty()) {
      timer.arm(kReportInterval);
    }
  }

  base::IntrusiveList<CountedConnection> open;
  event::Timer timer;
};

CountedConnection::CountedConnection(Traffic& traffic, event::Loop& loop,
                                     const net::ConnectionInfo& info,
                                     const ConnectionRecord& record)
    : traffic_(traffic), info_(info), record_(record), series_(traffic.seriesOf(record, "-")) {
  add(series_.opened, 1);
  OfLoop& of_loop = loop.local<OfLoop>();
  of_loop.open.pushBack(*this);
  if (!of_loop.timer.armed()) {
    of_loop.timer.arm(kReportInterval);
  }
}

void CountedConnection::end() {
  unlink();
  report();
  const absl::string_view flag = Outcome::of(info_, record_).flag;
  Traffic::Series& end = flag == "-" ? series_ : traffic_.seriesOf(record_, flag);
  add(end.closed, 1);
  add(end.failed, flag == "-" ? 0 : 1);
}

void CountedConnection::report() {
  const uint64_t received = info_.bytes_received;
  const uint64_t sent = info_.bytes_sent;
  add(series_.received_bytes, received - std::exchange(reported_received_, received));
  add(series_.sent_bytes, sent - std::exchange(reported_sent_, sent));
}

} // namespace culvert::mesh
