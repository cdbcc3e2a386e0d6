// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "source/config/problems.h"
#include "source/event/loop.h"
#include "source/event/signal.h"
#include "source/filter_api/factory.h"
#include "source/filter_api/shared_objects.h"
#include "source/registry/registry.h"
#include "source/runtime/loader.h"
#include "source/server/admin/admin_context.h"
#include "source/server/hot_restart.h"
#include "source/server/listener_manager.h"
#include "source/server/options.h"
#include "source/server/overload.h"
#include "source/server/server_stats.h"
#include "source/server/state.h"
#include "source/server/stats_flusher.h"
#include "source/server/stats_sink.h"
#include "source/server/subscriptions.h"
#include "source/server/worker.h"
#include "source/stats/store.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}
namespace culvert::access_log {
class FileManager;
struct Context;
} // namespace culvert::access_log
namespace culvert::config::tls {
class Secrets;
}
namespace culvert::config::node {
struct LoadedNode;
}
namespace culvert::tls {
class Contexts;
}
namespace culvert::upstream {
class ClusterManager;
struct ClusterProtoContext;
class ThreadClusters;
} // namespace culvert::upstream

namespace culvert::server {

class Admin;
class MeshPages;
struct DynamicResources;
class ClusterDiscovery;
class ListenerDiscovery;

// The whole proxy: what a bootstrap describes, from its file to the end of the process.
// Threads: main. Lifetime: of the process, or of a test.
class Server final : private AdminServer {
public:
  // `restart_socket`: of claimBaseId().
  Server(const Options& options, const registry::Registry& registry, const base::Clock& clock,
         net::Fd restart_socket = {});
  ~Server();

  // Reads the configuration and builds all of it. `bind` false, to validate: nothing is bound,
  // resolved or connected. Errors: in `problems`.
  void configure(bool bind, config::Problems& problems);

  // Serves until it is told to stop. What configure() built must be without errors.
  void run();

  // Stops from any thread.
  void stop();

private:
  // AdminServer: what the admin page shows and does (server_admin.cc).
  State state() const override { return state_; }
  base::Duration uptime() const override { return clock_.now() - started_; }
  base::Duration uptimeOfAllEpochs() const override {
    return clock_.now() - restart_->firstStart();
  }
  NodeView node() const override;
  std::vector<ListenerView> listeners() const override;
  std::optional<base::Duration> drainRemaining() const override;
  std::vector<ClusterView> clusters() const override;
  std::vector<CertificatesView> certificates() const;
  std::vector<UnreadyView> unready() const;
  DynamicResources dynamicResources() const;
  absl::StatusOr<std::string> configDump(const ConfigDumpQuery& query) const override;
  void setHealthy(bool healthy) override;
  void refreshStats();
  void beforeStats();
  void drainListeners(const DrainQuery& query) override;
  void reopenLogs() override;
  void shutdown() override { stop(); }

  void load(config::Problems& problems);
  void describeNode();
  void buildCore(config::Problems& problems);
  void joinParent(config::Problems& problems);
  void buildSecrets(config::Problems& problems);
  void buildClusters(config::Problems& problems);
  void buildStatsSinks(config::Problems& problems);
  upstream::ClusterProtoContext clusterContext() const;
  bool dialsItself(const std::string& cluster, const net::Address& host) const;
  void buildListeners(bool bind, config::Problems& problems);
  void buildDiscovery(config::Problems& problems);
  void buildAdmin(bool bind, config::Problems& problems);
  void buildMeshPages(config::Problems& problems);
  void startWorkers();
  void watchOverload();
  void warnOfNoLimit();
  void watchSignals();
  void discoverClusters();
  void discoverListeners();
  void goLive();
  void onTerminate(const char* signal);
  void onDrainTick();
  void onGracefulStop();
  void shutDown();

  const Options& options_;
  const registry::Registry& registry_;
  const base::Clock& clock_;
  event::Loop main_;
  const std::unique_ptr<envoy::config::bootstrap::v3::Bootstrap> bootstrap_;
  OverloadConfig overload_config_;

  std::unique_ptr<stats::Store> store_;
  std::unique_ptr<runtime::Loader> runtime_;
  std::unique_ptr<access_log::FileManager> log_files_;
  std::unique_ptr<access_log::Context> access_log_;
  SharedObjects shared_;
  std::unique_ptr<tls::Contexts> tls_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<config::tls::Secrets> secrets_;
  std::unique_ptr<config::node::LoadedNode> mesh_; // Null: this process is no node of a mesh.
  std::unique_ptr<FactoryContext> factories_;
  std::unique_ptr<ConnectionCap> cap_;
  std::unique_ptr<upstream::ClusterManager> clusters_;
  Workers workers_;
  std::unique_ptr<ListenerManager> listeners_;
  std::vector<std::string> static_listeners_; // The bootstrap's, by the names that they have.
  std::unique_ptr<ClusterDiscovery> cluster_discovery_;   // Null: there is no CDS.
  std::unique_ptr<ListenerDiscovery> listener_discovery_; // Null: there is no LDS.
  std::unique_ptr<Overload> overload_;                    // Null: there is no overload manager.
  std::unique_ptr<ServerStats> server_stats_;
  std::unique_ptr<StatsFlusher> flusher_;
  std::unique_ptr<upstream::ThreadClusters> main_clusters_; // Null: main connects to nobody.
  std::unique_ptr<StatsSinks> stats_sinks_;                 // Null: there are none.
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<MeshPages> mesh_pages_; // Null: nobody wants them.
  net::Fd restart_socket_;
  std::unique_ptr<HotRestart> restart_;

  State state_ = State::kPreInitializing;
  const base::Instant started_;
  base::WallTime loaded_;
  std::vector<std::unique_ptr<event::Signal>> signals_;
  event::Timer drain_timer_;
  base::Instant drain_deadline_;
  bool terminating_ = false;
  event::Timer graceful_timer_; // /drain_listeners?graceful
  std::vector<std::function<void()>> graceful_stops_;
};

} // namespace culvert::server
