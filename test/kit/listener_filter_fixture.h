// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "source/event/loop.h"
#include "source/event/simulated_clock.h"
#include "source/filter_api/listener_stage.h"
#include "source/stats/store.h"
#include "test/kit/peer.h"

namespace culvert::access_log {
class FileManager;
}

namespace culvert {

// One accepted connection, over real loopback sockets, whose only listener filter is the one under
// test. The test plays the peer.
//
//   ListenerFilterFixture filter("tls_inspector", "");
//   filter.fromPeer(hello);
//   EXPECT_EQ(filter.end(), StageEnd::kReady);
//   EXPECT_EQ(filter.info().requested_server_name, "a.test");
class ListenerFilterFixture final : private StageOwner {
public:
  // `config`: the filter's message in text format. A configuration that is refused fails the test.
  // `prepare` may change what is known of the connection before the filter is asked.
  ListenerFilterFixture(absl::string_view id, absl::string_view config,
                        const std::function<void(ConnectionInfo&)>& prepare = nullptr);
  ~ListenerFilterFixture();

  // The answer of the filter's validation, for tests of refused configurations.
  static absl::Status load(absl::string_view id, absl::string_view config);

  void fromPeer(absl::string_view bytes);
  void endFromPeer();
  void resetFromPeer();

  bool waits(); // The filter has not answered.
  // Its answer; fails the test when it does not come.
  StageEnd end();

  ConnectionInfo& info() { return stage_->info(); }
  const Detected& detected() { return stage_->detected(); }
  // What is left on the connection for whoever comes behind.
  std::string left();
  // A counter's value, by its whole name.
  uint64_t stat(absl::string_view name) const;

private:
  void onStageEnd(ListenerStage&, StageEnd end) override { end_ = end; }

  event::SimulatedClock clock_;
  event::Loop loop_;
  stats::Store store_;
  std::unique_ptr<access_log::FileManager> log_files_;
  ListenerFilterUses filters_;
  test::Peer peer_;
  std::unique_ptr<ListenerStage> stage_;
  std::optional<StageEnd> end_;
};

} // namespace culvert
