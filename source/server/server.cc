// SPDX-License-Identifier: Apache-2.0
#include "source/server/server.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/access_log/access_log.h"
#include "source/access_log/file_manager.h"
#include "source/base/log.h"
#include "source/base/proto.h"
#include "source/base/random.h"
#include "source/config/bootstrap_parts.h"
#include "source/config/loader.h"
#include "source/config/mesh/mesh_proto.h"
#include "source/config/support.h"
#include "source/config/tls/secrets.h"
#include "source/mesh/node/node.h"
#include "source/net/dns_resolver.h"
#include "source/server/admin/admin.h"
#include "source/server/admin/admin_proto.h"
#include "source/server/bootstrap_extensions.h"
#include "source/server/cluster_discovery.h"
#include "source/server/listener_discovery.h"
#include "source/server/listener_proto.h"
#include "source/server/memory.h"
#include "source/server/mesh_pages.h"
#include "source/server/overload_proto.h"
#include "source/server/stats_sink_proto.h"
#include "source/stats/render.h"
#include "source/tls/contexts.h"
#include "source/upstream/cluster_manager.h"
#include "source/upstream/cluster_proto.h"

namespace culvert::server {
namespace {

using config::Problems;

constexpr uint64_t kNoLimit = static_cast<uint64_t>(-1);
constexpr char kConnectionLimitKey[] = "overload.global_downstream_max_connections";
constexpr std::chrono::seconds kStatsFlushDefault(5);
constexpr std::chrono::milliseconds kDrainTick(20);
// How long SIGTERM lets open connections go on, unless --drain-time-s says: what an orchestrator
// waits before it kills.
constexpr std::chrono::seconds kTerminationDrainDefault(5);

config::UnknownFields unknownDynamicFields(const Options& options) {
  return options.reject_unknown_dynamic_fields   ? config::UnknownFields::kReject
         : options.ignore_unknown_dynamic_fields ? config::UnknownFields::kIgnore
                                                 : config::UnknownFields::kWarn;
}

} // namespace

Server::Server(const Options& options, const registry::Registry& registry, const base::Clock& clock,
               net::Fd restart_socket)
    : options_(options), registry_(registry), clock_(clock), main_("main", clock),
      bootstrap_(std::make_unique<envoy::config::bootstrap::v3::Bootstrap>()),
      restart_socket_(std::move(restart_socket)), started_(clock.now()),
      drain_timer_(main_, event::Timer::Callback::to<&Server::onDrainTick>(this)),
      graceful_timer_(main_, event::Timer::Callback::to<&Server::onGracefulStop>(this)) {}

Server::~Server() {
  restart_.reset();
  flusher_.reset();
  stats_sinks_.reset();
  main_.runOnce(false); // Connections of sinks go before what they belong to.
  main_clusters_.reset();
  admin_.reset();
  mesh_pages_.reset();
  listener_discovery_.reset();
  cluster_discovery_.reset();
  listeners_.reset();
  if (mesh_ != nullptr) {
    mesh_->node.removeLoops();
  }
  main_.runOnce(false); // The listeners' statistics are released here.
}

void Server::configure(bool bind, Problems& problems) {
  load(problems);
  if (!problems.ok()) {
    return;
  }
  buildCore(problems);
  if (!problems.ok()) {
    return;
  }
  joinParent(problems);
  if (!problems.ok()) {
    return;
  }
  buildSecrets(problems);
  buildListeners(bind, problems); // First: a cluster must not lead back to one of them.
  buildClusters(problems);
  buildStatsSinks(problems);
  buildDiscovery(problems);
  buildAdmin(bind, problems);
  if (bind && mesh_ != nullptr && problems.ok()) {
    buildMeshPages(problems);
  }
}

// The file, then --config-yaml over it, then the flags that fill what neither says.
void Server::load(Problems& problems) {
  if (options_.allow_unknown_static_fields) {
    problems.allowUnknownFields();
  }
  if (options_.skip_deprecated_logs) {
    problems.skipDeprecated();
  }
  if (options_.config_path.empty() && options_.config_yaml.empty()) {
    problems.error("", "there is nothing to start from",
                   "At least one of --config-path or --config-yaml or Options::configProto() "
                   "should be non-empty");
  }
  if (!options_.config_path.empty()) {
    config::loadFile(options_.config_path, *bootstrap_, problems);
  }
  if (!options_.config_yaml.empty()) {
    config::loadText(options_.config_yaml, config::Format::kYaml, "--config-yaml", *bootstrap_,
                     problems);
  }
  config::check(*bootstrap_, "", config::builtIn(registry_), problems);
  describeNode();
  loaded_ = clock_.wallNow();
}

// What the command line says where the file says nothing, and what this program is.
void Server::describeNode() {
  auto& node = *bootstrap_->mutable_node();
  if (node.id().empty()) {
    node.set_id(options_.service_node);
  }
  if (node.cluster().empty()) {
    node.set_cluster(options_.service_cluster);
  }
  if (node.locality().zone().empty() && !options_.service_zone.empty()) {
    node.mutable_locality()->set_zone(options_.service_zone);
  }
  node.set_user_agent_name("culvert");
  auto& version = *node.mutable_user_agent_build_version()->mutable_version();
  version.set_major_number(kVersionParts[0]);
  version.set_minor_number(kVersionParts[1]);
  version.set_patch(kVersionParts[2]);
}

void Server::buildCore(Problems& problems) {
  const std::string log_format =
      config::readLogFormat(*bootstrap_, options_.log_format_set, problems);
  stats::StoreConfig stats_config = config::readStatsConfig(*bootstrap_, problems);
  runtime::Config runtime_config = config::readRuntime(*bootstrap_, problems);
  overload_config_ = readOverload(bootstrap_->overload_manager(), problems);
  if (!problems.ok()) {
    return;
  }
  if (!log_format.empty()) {
    base::log::setFormat(log_format);
  }
  for (const auto& [name, value] : options_.stats_tags) {
    stats_config.tags.insert(stats_config.tags.begin(), {name, value, std::nullopt});
  }
  store_ = std::make_unique<stats::Store>(options_.concurrency + 1, stats_config);

  auto runtime = runtime::Loader::create(main_, store_->root(), std::move(runtime_config));
  if (!runtime.ok()) {
    problems.errorFrom(runtime.status(), "layered_runtime");
    return;
  }
  runtime_ = *std::move(runtime);
  log_files_ = std::make_unique<access_log::FileManager>(
      store_->root(), std::chrono::milliseconds(options_.file_flush_interval_ms),
      size_t{options_.file_flush_min_size_kb} * 1024);
  access_log_ = std::make_unique<access_log::Context>(access_log::Context{
      registry_, *log_files_, [this](const std::string& key, uint64_t fallback) {
        return [value = runtime_->watch<uint64_t>(key, fallback)] { return value.get(); };
      }});
  tls_ = std::make_unique<tls::Contexts>(main_);
  server_stats_ = std::make_unique<ServerStats>(store_->root(), options_);
  server_stats_->static_unknown_fields.add(problems.unknownFields());
  subscriptions_ = std::make_unique<Subscriptions>(main_, unknownDynamicFields(options_),
                                                   server_stats_->dynamic_unknown_fields,
                                                   config::builtIn(registry_));
  secrets_ = std::make_unique<config::tls::Secrets>(subscriptions_->files(), store_->root(),
                                                    subscriptions_->extensions());
  factories_ = std::make_unique<FactoryContext>(
      FactoryContext{registry_, store_->root(), *access_log_, clock_, *runtime_, shared_,
                     tls_.get(), secrets_.get()});
  mesh_ = config::node::readMesh(*bootstrap_, *tls_, store_->root(), problems);
  factories_->mesh = mesh_ == nullptr ? nullptr : &mesh_->node;

  cap_ = std::make_unique<ConnectionCap>(runtime_->watch<uint64_t>(kConnectionLimitKey, kNoLimit),
                                         overload_config_.max_connections);
  for (uint32_t i = 0; i < options_.concurrency; i++) {
    workers_.push_back(std::make_unique<Worker>(i, clock_, *cap_));
  }
  for (auto& worker : workers_) {
    worker->setPeers(workers_);
  }
  flusher_ = std::make_unique<StatsFlusher>(
      main_, *store_, workers_, [this] { refreshStats(); },
      [this] {
        if (stats_sinks_ != nullptr) {
          stats_sinks_->flush(*store_);
        }
      });
}

void Server::joinParent(Problems& problems) {
  restart_ = std::make_unique<HotRestart>(HotRestart::Process{options_, main_, started_,
                                                              [this] { return cap_->open(); },
                                                              [this] { shutDown(); }},
                                          *store_, std::move(restart_socket_));
  if (absl::Status status = restart_->join(); !status.ok()) {
    problems.error("", "the running process cannot be followed", status.message());
    return;
  }
  server_stats_->setGeneration(restart_->generation());
}

// Whether a listener relays to a cluster whose host is that very listener. Chains from one listener
// to another are legitimate.
bool Server::dialsItself(const std::string& cluster, const net::Address& host) const {
  envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy relay;
  for (size_t i = 0; i < static_listeners_.size(); i++) {
    const auto& listener = bootstrap_->static_resources().listeners(static_cast<int>(i));
    for (const auto& chain : listener.filter_chains()) {
      for (const auto& filter : chain.filters()) {
        if (filter.typed_config().UnpackTo(&relay) && relay.cluster() == cluster &&
            listeners_->serves(static_listeners_[i], host)) {
          return true;
        }
      }
    }
  }
  return false;
}

void Server::buildSecrets(Problems& problems) {
  const auto& secrets = bootstrap_->static_resources().secrets();
  for (int i = 0; i < secrets.size(); i++) {
    secrets_->addStatic(secrets[i], absl::StrCat("static_resources.secrets[", i, "]"), problems);
  }
}

void Server::buildClusters(Problems& problems) {
  upstream::ClusterManagerOptions options;
  options.seed = base::Random().next();
  options.make_resolver = [this] {
    return std::make_unique<net::CaresResolver>(main_, store_->root(), std::vector<net::Address>());
  };
  options.runtime = [this](absl::string_view key, uint64_t fallback) {
    const runtime::Entry* const entry = runtime_->snapshot()->find(key);
    return entry == nullptr ? fallback : entry->integer.value_or(fallback);
  };
  options.log_files = log_files_.get();
  const std::string& outlier_log =
      bootstrap_->cluster_manager().outlier_detection().event_log_path();
  if (!outlier_log.empty()) {
    auto file = log_files_->open(outlier_log);
    if (file.ok()) {
      options.outlier_log = *std::move(file);
    } else {
      problems.errorFrom(file.status(), "cluster_manager.outlier_detection.event_log_path");
    }
  }
  options.discover_endpoints = subscriptions_->endpointDiscovery();
  options.check_host = [this](const std::string& cluster, const net::Address& host) {
    return dialsItself(cluster, host)
               ? absl::InvalidArgumentError("this is one of this proxy's own listeners: every "
                                            "connection would come back for ever")
               : absl::OkStatus();
  };
  clusters_ = std::make_unique<upstream::ClusterManager>(main_, store_->root(), options);
  const auto& clusters = bootstrap_->static_resources().clusters();
  LOG(info, config, "loading %d cluster(s)", clusters.size());
  const upstream::ClusterProtoContext context = clusterContext();
  for (int i = 0; i < clusters.size(); i++) {
    const std::string path = absl::StrCat("static_resources.clusters[", i, "]");
    auto config = upstream::parseCluster(clusters[i], context);
    const absl::Status status = config.ok() ? clusters_->add(*std::move(config)) : config.status();
    if (!status.ok()) {
      problems.errorFrom(status, path);
    }
  }
  for (auto& worker : workers_) {
    worker->setClusters(clusters_->makeThread(worker->loop()));
    if (mesh_ != nullptr) {
      mesh_->node.addLoop(worker->loop());
    }
  }
}

void Server::buildStatsSinks(Problems& problems) {
  const std::vector<StatsSinkConfig> sinks = readStatsSinks(*bootstrap_, problems);
  if (sinks.empty() || !problems.ok()) {
    return;
  }
  if (std::any_of(sinks.begin(), sinks.end(), [](const auto& sink) { return !sink.udp; })) {
    main_clusters_ = clusters_->makeThread(main_);
  }
  stats_sinks_ = std::make_unique<StatsSinks>(main_, sinks, main_clusters_.get());
}

void Server::buildListeners(bool bind, Problems& problems) {
  const ListenerManager::DrainOptions drain = {std::chrono::seconds(options_.drain_time_s),
                                               options_.drain_strategy == DrainStrategy::kGradual};
  listeners_ = std::make_unique<ListenerManager>(main_, store_->root(), *runtime_, workers_, drain);
  restart_->attach(*listeners_);
  const auto& listeners = bootstrap_->static_resources().listeners();
  LOG(info, config, "loading %d listener(s)", listeners.size());
  factories_->internal_buffer_bytes = readInternalBuffer(*bootstrap_, problems);
  for (int i = 0; i < listeners.size(); i++) {
    const std::string path = absl::StrCat("static_resources.listeners[", i, "]");
    auto config = readListener(listeners[i], path, *factories_, problems);
    static_listeners_.push_back(config.has_value() ? config->name : "");
    if (!config.has_value()) {
      continue;
    }
    if (absl::Status status = listeners_->add(*std::move(config), bind); !status.ok()) {
      problems.errorFrom(status, path);
    }
  }
}

upstream::ClusterProtoContext Server::clusterContext() const {
  const auto& manager = bootstrap_->cluster_manager();
  return {registry_,
          manager.has_upstream_bind_config() ? &manager.upstream_bind_config() : nullptr,
          &store_->root(),
          tls_.get(),
          secrets_.get(),
          factories_->mesh};
}

// Only finds the sources; what they have is read when the server runs.
void Server::buildDiscovery(Problems& problems) {
  const auto& dynamic = bootstrap_->dynamic_resources();
  const auto open = [&](auto& discovery, const auto& source, absl::string_view field) {
    if (absl::Status status = discovery->open(source); !status.ok()) {
      problems.errorFrom(status, absl::StrCat("dynamic_resources.", field));
    }
  };
  if (dynamic.has_cds_config()) {
    cluster_discovery_ = std::make_unique<ClusterDiscovery>(*clusters_, clusterContext(),
                                                            *subscriptions_, store_->root());
    open(cluster_discovery_, dynamic.cds_config(), "cds_config");
  }
  if (dynamic.has_lds_config()) {
    listener_discovery_ = std::make_unique<ListenerDiscovery>(*listeners_, *factories_,
                                                              *subscriptions_, store_->root());
    open(listener_discovery_, dynamic.lds_config(), "lds_config");
  }
}

void Server::buildAdmin(bool bind, Problems& problems) {
  std::optional<AdminParts> parts = readAdmin(bootstrap_->admin(), *log_files_, problems);
  if (!parts || !bind || !problems.ok()) {
    return;
  }
  admin_ = std::make_unique<Admin>(main_,
                                   AdminContext{options_, clock_, registry_, *store_, *runtime_,
                                                *this, [this] { beforeStats(); },
                                                [this] { return certificates(); },
                                                [this] { return unready(); }},
                                   std::move(parts->config), std::move(parts->access_log));
  if (absl::Status status = restart_->start(*admin_); !status.ok()) {
    problems.error("admin.address", "the admin page cannot be served", status.message());
  }
}

void Server::run() {
  restart_->onConfigured();
  startWorkers();
  watchOverload();
  watchSignals();
  warnOfNoLimit();
  clusters_->initialize([this] { discoverClusters(); });
  LOG(info, main, "starting main dispatch loop");
  main_.run();
  LOG(info, main, "main dispatch loop exited");
  for (auto& worker : workers_) {
    worker->stop();
  }
  main_.runOnce(false); // What the workers' last words were.
  if (stats_sinks_ != nullptr) {
    stats_sinks_->flush(*store_);
  }
  restart_->onStopped();
  log_files_->flushAll();
  LOG(info, main, "exiting");
}

void Server::buildMeshPages(Problems& problems) {
  const mesh::NodeSettings& settings = mesh_->node.settings();
  mesh_pages_ = std::make_unique<MeshPages>(
      main_, MeshPages::Sources{
                 [this] {
                   return std::string(mesh_->node.localWorkload() == nullptr ? "state manager"
                                      : state_ != State::kLive               ? "proxy"
                                                                             : "");
                 },
                 [this] {
                   refreshStats();
                   stats::Query query;
                   query.format = stats::Format::kPrometheus;
                   return absl::StrCat(mesh_->node.metrics(), stats::render(*store_, query));
                 }});
  absl::Status status;
  if (settings.readiness_address.isIp()) {
    status = mesh_pages_->serveReadiness(settings.readiness_address);
  }
  if (status.ok() && settings.stats_address.isIp()) {
    status = mesh_pages_->serveMetrics(settings.stats_address);
  }
  if (!status.ok()) {
    problems.errorFrom(status, "bootstrap_extensions");
  }
}

void Server::startWorkers() {
  for (auto& worker : workers_) {
    worker->start();
  }
  if (!bootstrap_->stats_flush_on_admin()) {
    flusher_->startTimer(bootstrap_->has_stats_flush_interval()
                             ? base::toDuration(bootstrap_->stats_flush_interval())
                             : base::Duration(kStatsFlushDefault));
  }
}

void Server::watchOverload() {
  if (!bootstrap_->has_overload_manager()) {
    return;
  }
  overload_ = std::make_unique<Overload>(
      main_, store_->root(), overload_config_,
      Overload::Actions{[this](bool stop) {
                          for (auto& worker : workers_) {
                            worker->setAccepting(!stop);
                          }
                        },
                        [this](double share) { cap_->setRejected(share); }},
      [] {
        const MemoryUse use = memoryUse(); // Of some allocators only the whole is known.
        return use.allocated > 0 ? use.allocated : use.total_physical_bytes;
      });
}

void Server::warnOfNoLimit() {
  if (!overload_config_.max_connections.has_value() &&
      runtime_->snapshot()->find(kConnectionLimitKey) == nullptr) {
    LOG(warning, main,
        "There is no configured limit to the number of allowed active downstream connections. "
        "The runtime key %s sets one.",
        kConnectionLimitKey);
  }
}

// The bootstrap's clusters are ready: others may need them to be found.
void Server::discoverClusters() {
  const auto then = [this] { clusters_->whenNoneWarms([this] { discoverListeners(); }); };
  cluster_discovery_ == nullptr ? then() : cluster_discovery_->start(then);
}

// Listeners wait for nothing but the clusters.
void Server::discoverListeners() {
  LOG(info, main, "all clusters initialized. initializing init manager");
  state_ = State::kInitializing;
  const auto then = [this] { goLive(); };
  listener_discovery_ == nullptr ? then() : listener_discovery_->start(then);
}

void Server::goLive() {
  LOG(info, config, "all dependencies initialized. starting workers");
  listeners_->start();
  restart_->onLive();
  state_ = State::kLive;
  server_stats_->setInitializationTime(uptime());
  releaseStartMemory();
}

void Server::stop() {
  main_.post([this] { shutDown(); });
}

void Server::watchSignals() {
  const auto on = [this](int number, std::function<void()> action) {
    signals_.push_back(std::make_unique<event::Signal>(main_, number, std::move(action)));
  };
  on(SIGTERM, [this] { onTerminate("ENVOY_SIGTERM"); });
  on(SIGINT, [this] { onTerminate("SIGINT"); });
  on(SIGUSR1, [this] {
    LOG(info, main, "caught SIGUSR1. Reopening access logs.");
    reopenLogs();
  });
  on(SIGHUP, [] {
    LOG(warning, main, "caught and eating SIGHUP. See documentation for how to hot restart.");
  });
}

// The first time: no new connections, the open ones may end. The second time, or when the drain
// time is over: the end.
void Server::onTerminate(const char* signal) {
  LOG(warning, main, "caught %s", signal);
  if (terminating_) {
    shutDown();
    return;
  }
  terminating_ = true;
  restart_->onStopping();
  setHealthy(false); // Whoever asks /ready sends his clients elsewhere.
  if (mesh_pages_ != nullptr) {
    mesh_pages_->stop();
  }
  listeners_->stopListening([](const ListenerConfig&) { return true; });
  LOG(info, main, "%d open connection(s) may end; another signal ends them", cap_->open());
  drain_deadline_ =
      clock_.now() + (options_.drain_time_set ? std::chrono::seconds(options_.drain_time_s)
                                              : kTerminationDrainDefault);
  onDrainTick();
}

void Server::onDrainTick() {
  if (cap_->open() == 0 || clock_.now() >= drain_deadline_) {
    shutDown();
    return;
  }
  drain_timer_.arm(kDrainTick);
}

void Server::shutDown() {
  LOG(info, main, "shutting down server instance");
  main_.exit();
}

} // namespace culvert::server
