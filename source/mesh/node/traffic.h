// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/mutex.h"
#include "source/mesh/node/connection_record.h"
#include "source/net/connection_info.h"
#include "source/stats/stat.h"

namespace culvert::mesh {

// The connections of a node, counted by who talks to whom: the families istio_tcp_* with the mesh's
// labels (mesh-control-plane 8.2). Bytes count when a connection ends. A series stays for as long
// as the process, and there are as many as pairs of ends, within a bound. Threads: any, but for
// those that say so.
class Traffic {
public:
  // `open` is how many connections one of the listeners for that direction has. It outlives this.
  // Threads: main, as render().
  void countSockets(ConnectionRecord::Direction direction, const stats::Gauge& open);

  void onOpened(const ConnectionRecord& record);
  void onClosed(const net::ConnectionInfo& info, const ConnectionRecord& record);

  // That a connection goes where only a name is known.
  void onLookup(const ConnectionRecord& record, absl::string_view hostname);

  // In Prometheus's text format.
  std::string render() const;

private:
  void appendSockets(std::string& page) const;

  struct Series {
    uint64_t opened = 0;
    uint64_t closed = 0;
    uint64_t failed = 0;
    uint64_t received_bytes = 0;
    uint64_t sent_bytes = 0;
  };

  Series& seriesOf(const std::string& labels) CULVERT_TSA(requires_capability(mutex_));

  std::vector<const stats::Gauge*> sockets_[2]; // By direction.
  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, Series> series_ CULVERT_GUARDED_BY(mutex_);    // By its labels.
  absl::flat_hash_map<std::string, uint64_t> lookups_ CULVERT_GUARDED_BY(mutex_); // The same.
};

} // namespace culvert::mesh
