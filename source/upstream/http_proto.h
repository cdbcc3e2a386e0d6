// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "source/upstream/config.h"

namespace envoy::config::cluster::v3 {
class Cluster;
}

namespace culvert::upstream {

// What a cluster says about HTTP: HttpProtocolOptions among its extension options, else the fields
// that those replace. Threads: main. Errors: begin with the path inside the cluster.
absl::StatusOr<HttpConfig> parseHttp(const envoy::config::cluster::v3::Cluster& proto);

// TcpProtocolOptions among them: how long an unused connection of TCP is kept. Threads and errors
// as above.
absl::StatusOr<base::Duration>
parseSpareIdleTimeout(const envoy::config::cluster::v3::Cluster& proto);

} // namespace culvert::upstream
