// SPDX-License-Identifier: Apache-2.0
#include "test/kit/filter_fixture.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "source/access_log/access_log.h"
#include "source/access_log/file_manager.h"
#include "source/event/simulated_clock.h"
#include "source/filter_api/shared_objects.h"
#include "source/runtime/loader.h"
#include "source/upstream/upstream.h"

namespace culvert {

// Written by the build: registers the filter under test.
void registerAll(registry::Registry& registry);

namespace {

const NetworkFilterFactory* findFactory(const registry::Registry& registry, absl::string_view id) {
  for (const registry::Factory* factory : registry.all(registry::Category::kNetworkFilter)) {
    if (absl::EndsWith(factory->name(), absl::StrCat(".", id))) {
      return static_cast<const NetworkFilterFactory*>(factory);
    }
  }
  return nullptr;
}

constexpr std::chrono::seconds kLogFlushInterval(10);
constexpr size_t kInternalBufferBytes = 64 * 1024;
mesh::Node* current_mesh = nullptr;

ConnectionInfo someInfo() {
  ConnectionInfo info;
  info.remote = info.direct_remote = *net::Address::parseIp("10.0.0.1", 1000);
  info.local = info.direct_local = *net::Address::parseIp("10.0.0.2", 80);
  return info;
}

runtime::Config adminLayer() {
  runtime::Config config;
  config.layers.push_back({});
  config.layers.back().name = "admin";
  config.layers.back().kind = runtime::LayerConfig::Kind::kAdmin;
  return config;
}

} // namespace

// What a filter's configuration is loaded with.
struct FilterFixture::Server {
  struct Loaded {
    std::shared_ptr<const NetworkFilterConfig> config;
    bool terminal;
  };

  absl::StatusOr<Loaded> load(absl::string_view id, absl::string_view text);

  event::SimulatedClock clock;
  event::Loop loop{"test", clock};
  stats::Store store{1, {}};
  access_log::FileManager log_files{store.root(), kLogFlushInterval};
  std::unique_ptr<runtime::Loader> runtime =
      *runtime::Loader::create(loop, store.root(), adminLayer());
  SharedObjects shared;
};

absl::StatusOr<FilterFixture::Server::Loaded> FilterFixture::Server::load(absl::string_view id,
                                                                          absl::string_view text) {
  registry::Registry registry;
  registerAll(registry);
  const NetworkFilterFactory* const factory = findFactory(registry, id);
  if (factory == nullptr) {
    return absl::NotFoundError(absl::StrCat("no filter '", id, "'"));
  }
  const std::unique_ptr<google::protobuf::Message> message = factory->newConfig();
  if (!google::protobuf::TextFormat::ParseFromString(std::string(text), message.get())) {
    return absl::InvalidArgumentError("the configuration is not a text proto of its type");
  }
  access_log::Context access_log{registry, log_files, nullptr};
  FactoryContext context{
      registry, store.root(), access_log,           clock,       *runtime, shared,
      nullptr,  nullptr,      kInternalBufferBytes, current_mesh};
  auto config = factory->create(*message, context);
  if (!config.ok()) {
    return config.status();
  }
  return Loaded{*config, factory->terminal()};
}

void FilterFixture::setMesh(mesh::Node* node) { current_mesh = node; }

event::Loop& FilterFixture::loop() { return server_->loop; }

// No cluster exists.
class FilterFixture::NoClusters final : public upstream::ThreadClusters {
public:
  upstream::ThreadCluster* find(absl::string_view name) override {
    asked_for = std::string(name);
    return nullptr;
  }

  std::string asked_for;
};

// Takes everything, for the test to look at.
class FilterFixture::Behind final : public Filter {
public:
  explicit Behind(FilterFixture& fixture) : fixture_(fixture) { fixture_.behind_filter_ = this; }
  ~Behind() override { fixture_.behind_filter_ = nullptr; }

  Next onData(Buffer& data, bool end) override {
    fixture_.behind_ += data.toString();
    fixture_.end_behind_ |= end;
    data.clear();
    return Next::kContinue;
  }

  void send(absl::string_view bytes, bool end) {
    Buffer data = Buffer::borrow(bytes);
    connection().write(data, end);
  }

private:
  FilterFixture& fixture_;
};

class FilterFixture::BehindConfig final : public NetworkFilterConfig {
public:
  explicit BehindConfig(FilterFixture& fixture)
      : NetworkFilterConfig("behind", {true, false}, fixture.server_->store.root()),
        fixture_(fixture) {}
  std::unique_ptr<Filter> make(FilterContext&) const override {
    return std::make_unique<Behind>(fixture_);
  }

private:
  FilterFixture& fixture_;
};

FilterFixture::FilterFixture(absl::string_view id, absl::string_view config)
    : FilterFixture(id, config, std::make_shared<Server>()) {}

FilterFixture::FilterFixture(absl::string_view id, absl::string_view config,
                             const FilterFixture& beside)
    : FilterFixture(id, config, beside.server_) {}

FilterFixture::FilterFixture(absl::string_view id, absl::string_view config,
                             std::shared_ptr<Server> server)
    : server_(std::move(server)), id_(id), clusters_(std::make_unique<NoClusters>()),
      first_info_(someInfo()) {
  auto loaded = server_->load(id, config);
  if (!loaded.ok()) {
    ADD_FAILURE() << loaded.status();
    return;
  }
  configs_.push_back(loaded->config);
  if (!loaded->terminal) {
    configs_.push_back(std::make_shared<BehindConfig>(*this));
  }
}

FilterFixture::FilterFixture(const FilterFixture& other)
    : SessionOwner(), server_(other.server_), id_(other.id_), configs_(other.configs_),
      clusters_(std::make_unique<NoClusters>()), first_info_(someInfo()) {
  if (configs_.size() > 1) {
    configs_.back() = std::make_shared<BehindConfig>(*this);
  }
}

FilterFixture::~FilterFixture() { session_.reset(); }

absl::Status FilterFixture::load(absl::string_view id, absl::string_view config) {
  return Server().load(id, config).status();
}

void FilterFixture::open() {
  auto transport = std::make_unique<net::Connection>(
      server_->loop, std::make_unique<test::FakeIo>(peer_), net::nextConnectionId(), false);
  SessionOwner& owner = *this;
  session_ = std::make_unique<Session>(std::move(transport), std::move(first_info_), owner);
  info_ = &session_->info();
  session_->start(configs_, *clusters_, nullptr);
  turn();
}

void FilterFixture::fromPeer(absl::string_view bytes) {
  peer_.to_send.append(bytes.data(), bytes.size());
  turn();
}

void FilterFixture::endFromPeer() {
  peer_.send_end = true;
  turn();
}

void FilterFixture::resetFromPeer() {
  peer_.send_reset = true;
  turn();
}

void FilterFixture::advance(base::Duration by) {
  server_->clock.advance(by);
  turn();
}

const std::string& FilterFixture::clusterAskedFor() const { return clusters_->asked_for; }

void FilterFixture::fromBehind(absl::string_view bytes, bool end) {
  ASSERT_NE(behind_filter_, nullptr) << "the filter under test is terminal";
  behind_filter_->send(bytes, end);
  turn();
}

CloseReason FilterFixture::closed() const {
  EXPECT_TRUE(closed_.has_value()) << "the connection is still open";
  return closed_.value_or(CloseReason());
}

uint64_t FilterFixture::count(absl::string_view name) const {
  return stat(absl::StrCat(id_, ".", name));
}

uint64_t FilterFixture::stat(absl::string_view full) const {
  if (const stats::Counter* counter = server_->store.findCounter(full)) {
    return counter->value();
  }
  if (const stats::Gauge* gauge = server_->store.findGauge(full)) {
    return gauge->value();
  }
  ADD_FAILURE() << "no counter or gauge " << full;
  return 0;
}

void FilterFixture::limitPeer(size_t bytes) {
  peer_.window_bytes = bytes;
  turn();
}

void FilterFixture::setRuntime(const std::string& key, const std::string& value) {
  ASSERT_TRUE(server_->runtime->modify({{key, value}}).ok());
}

void FilterFixture::onSessionClosed(Session& session) { closed_ = session.info().close_reason; }

void FilterFixture::turn() {
  server_->loop.runOnce(false);
  if (peer_.io != nullptr) {
    peer_.io->deliver();
  }
  server_->loop.runOnce(false);
}

} // namespace culvert
