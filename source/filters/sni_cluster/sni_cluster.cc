// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.pb.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/well_known_state.h"

namespace culvert {
namespace {

using Config = envoy::extensions::filters::network::sni_cluster::v3::SniCluster;

// The name that a TLS client asks for is the name of the cluster that it gets.
class SniCluster final : public Filter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.network.sni_cluster"};

  SniCluster(const Config&, FilterContext&) {}

  Next onOpen() override {
    ConnectionInfo& info = connection().info();
    if (!info.requested_server_name.empty()) {
      info.mutableFilterState().set(kTcpProxyCluster,
                                    std::make_shared<ClusterName>(info.requested_server_name));
    }
    return Next::kContinue;
  }
};

absl::Status validate(const Config&) { return absl::OkStatus(); }

} // namespace

CULVERT_NETWORK_FILTER(sni_cluster, Config, SniCluster, validate)

} // namespace culvert
