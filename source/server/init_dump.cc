// SPDX-License-Identifier: Apache-2.0
#include "source/server/init_dump.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/base/hash.h"
#include "source/upstream/cluster_manager.h"

namespace culvert::server {
namespace {

namespace tls = envoy::extensions::transport_sockets::tls::v3;
using envoy::config::listener::v3::FilterChain;

void addSecret(const tls::SdsSecretConfig& secret, UnreadyView& view) {
  if (secret.has_sds_config()) { // Otherwise it is a static one.
    view.targets.push_back(absl::StrCat("shared target SdsApi ", secret.name()));
  }
}

void addSecrets(const FilterChain& chain, UnreadyView& view) {
  tls::DownstreamTlsContext context;
  if (!chain.transport_socket().typed_config().UnpackTo(&context)) {
    return;
  }
  const tls::CommonTlsContext& common = context.common_tls_context();
  for (const auto& secret : common.tls_certificate_sds_secret_configs()) {
    addSecret(secret, view);
  }
  addSecret(common.validation_context_sds_secret_config(), view);
  addSecret(common.combined_validation_context().validation_context_sds_secret_config(), view);
}

} // namespace

std::vector<UnreadyView> unreadyClusters(const upstream::ClusterManager& clusters) {
  UnreadyView view{"init manager cluster_manager", {}, false};
  const auto add = [&](const std::vector<const upstream::Cluster*>& some) {
    for (const upstream::Cluster* cluster : some) {
      if (!cluster->initialized()) {
        view.targets.push_back(absl::StrCat("cluster ", cluster->name()));
      }
    }
  };
  add(clusters.clusters());
  add(clusters.warmingClusters());
  return view.targets.empty() ? std::vector<UnreadyView>() : std::vector<UnreadyView>{view};
}

std::vector<UnreadyView>
unreadyListeners(const envoy::config::bootstrap::v3::Bootstrap& bootstrap) {
  std::vector<UnreadyView> views;
  for (const auto& listener : bootstrap.static_resources().listeners()) {
    UnreadyView view{absl::StrCat("init manager Listener-local-init-manager ", listener.name(), " ",
                                  base::xxHash64(listener.SerializeAsString())),
                     {},
                     true};
    for (const FilterChain& chain : listener.filter_chains()) {
      addSecrets(chain, view);
    }
    addSecrets(listener.default_filter_chain(), view);
    if (!view.targets.empty()) {
      views.push_back(std::move(view));
    }
  }
  return views;
}

} // namespace culvert::server
