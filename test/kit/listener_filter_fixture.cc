// SPDX-License-Identifier: Apache-2.0
#include "test/kit/listener_filter_fixture.h"

#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "source/access_log/access_log.h"
#include "source/access_log/file_manager.h"
#include "source/filter_api/shared_objects.h"
#include "source/net/socket_io.h"
#include "source/runtime/loader.h"

namespace culvert {

// Written by the build: registers the filter under test.
void registerAll(registry::Registry& registry);

namespace {

constexpr std::chrono::seconds kLogFlushInterval(10);

absl::StatusOr<std::shared_ptr<const ListenerFilterConfig>>
loadFilter(absl::string_view id, absl::string_view text, stats::Store& store,
           access_log::FileManager& files, event::Loop& loop) {
  registry::Registry registry;
  registerAll(registry);
  for (const registry::Factory* any : registry.all(registry::Category::kListenerFilter)) {
    if (!absl::EndsWith(any->name(), absl::StrCat(".", id))) {
      continue;
    }
    const std::unique_ptr<google::protobuf::Message> message = any->newConfig();
    if (!google::protobuf::TextFormat::ParseFromString(std::string(text), message.get())) {
      return absl::InvalidArgumentError("the configuration is not a text proto of its type");
    }
    access_log::Context access_log{registry, files, nullptr};
    const std::unique_ptr<runtime::Loader> runtime =
        *runtime::Loader::create(loop, store.root(), {});
    SharedObjects shared;
    FactoryContext context{registry, store.root(), access_log, loop.clock(), *runtime, shared};
    return static_cast<const ListenerFilterFactory*>(any)->create(*message, context);
  }
  return absl::NotFoundError(absl::StrCat("no listener filter '", id, "'"));
}

} // namespace

ListenerFilterFixture::ListenerFilterFixture(absl::string_view id, absl::string_view config,
                                             const std::function<void(ConnectionInfo&)>& prepare)
    : loop_("test", clock_), store_(1, {}),
      log_files_(std::make_unique<access_log::FileManager>(store_.root(), kLogFlushInterval)) {
  auto loaded = loadFilter(id, config, store_, *log_files_, loop_);
  if (loaded.ok()) {
    filters_.push_back({*loaded, nullptr});
  } else {
    ADD_FAILURE() << loaded.status();
  }
  test::Sockets sockets = test::tcpPair();
  peer_ = test::Peer(std::move(sockets.theirs));
  ConnectionInfo info;
  info.remote = info.direct_remote = net::Address::peerOf(sockets.ours.get());
  info.local = info.direct_local = net::Address::localOf(sockets.ours.get());
  if (prepare) {
    prepare(info);
  }
  StageOwner& owner = *this;
  stage_ = std::make_unique<ListenerStage>(
      loop_, std::make_unique<net::SocketIo>(loop_, std::move(sockets.ours), false),
      std::move(info), filters_, owner);
  end_ = stage_->run();
  if (!end_.has_value()) {
    stage_->wait(std::nullopt);
  }
}

ListenerFilterFixture::~ListenerFilterFixture() = default;

absl::Status ListenerFilterFixture::load(absl::string_view id, absl::string_view config) {
  event::SimulatedClock clock;
  stats::Store store(1, {});
  access_log::FileManager files(store.root(), kLogFlushInterval);
  event::Loop loop("test", clock);
  return loadFilter(id, config, store, files, loop).status();
}

// Loopback delivers at once.
void ListenerFilterFixture::fromPeer(absl::string_view bytes) {
  ASSERT_EQ(peer_.send(bytes), bytes.size());
  test::settle(loop_);
}

void ListenerFilterFixture::endFromPeer() {
  peer_.end();
  test::settle(loop_);
}

void ListenerFilterFixture::resetFromPeer() {
  peer_.reset();
  test::settle(loop_);
}

bool ListenerFilterFixture::waits() {
  test::settle(loop_);
  return !end_.has_value();
}

StageEnd ListenerFilterFixture::end() {
  EXPECT_TRUE(test::runUntil(loop_, [this] { return end_.has_value(); })) << "it still waits";
  return end_.value_or(StageEnd::kTimedOut);
}

std::string ListenerFilterFixture::left() {
  char bytes[4096];
  const auto io = stage_->takeIo();
  return std::string(bytes, io->read(absl::MakeSpan(bytes)).bytes);
}

uint64_t ListenerFilterFixture::stat(absl::string_view name) const {
  const stats::Counter* const counter = store_.findCounter(name);
  if (counter == nullptr) {
    ADD_FAILURE() << "no counter " << name;
    return 0;
  }
  return counter->value();
}

} // namespace culvert
