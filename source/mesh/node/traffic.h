// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/mutex.h"
#include "source/mesh/node/connection_record.h"
#include "source/stats/stat.h"

namespace culvert::mesh {

// The connections of a node, counted by who talks to whom: the families istio_tcp_* with the mesh's
// labels (mesh-control-plane 8.2). A series stays for as long as this, and there are as many as
// pairs of ends, within a bound. Threads: any, but for those that say so.
class Traffic {
public:
  // Those of one label set. Threads: any.
  struct Series {
    std::atomic<uint64_t> opened{0};
    std::atomic<uint64_t> closed{0};
    std::atomic<uint64_t> failed{0};
    std::atomic<uint64_t> received_bytes{0};
    std::atomic<uint64_t> sent_bytes{0};
  };

  // `open` is how many connections one of the listeners for that direction has. It outlives this.
  // Threads: main, as render().
  void countSockets(ConnectionRecord::Direction direction, const stats::Gauge& open);

  // That of such connections. `flag`: how they ended; "-": well, or not yet.
  Series& seriesOf(const ConnectionRecord& record, absl::string_view flag);

  // That a connection goes where only a name is known.
  void onLookup(const ConnectionRecord& record, absl::string_view hostname);

  // In Prometheus's text format.
  std::string render() const;

private:
  void appendSockets(std::string& page) const;

  std::vector<const stats::Gauge*> sockets_[2]; // By direction.
  mutable base::Mutex mutex_;
  // By their labels.
  absl::flat_hash_map<std::string, std::unique_ptr<Series>> series_ CULVERT_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> lookups_ CULVERT_GUARDED_BY(mutex_);
};

} // namespace culvert::mesh
