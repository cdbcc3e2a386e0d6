// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "source/base/clock.h"
#include "source/filter_api/session.h"
#include "test/fakes/fake_io.h"

namespace culvert::mesh {
class Node;
}

namespace culvert {

// One connection from 10.0.0.1:1000 to 10.0.0.2:80 whose chain is the filter under test and, unless
// it is terminal, a filter behind it that takes everything. The test plays the peer and what lies
// behind.
//
//   FilterFixture filter("greeter", R"pb(banner: "hi" max_bytes: 4)pb");
//   filter.open();
//   filter.fromPeer("12345");
//   EXPECT_EQ(filter.toPeer(), "hi");
//
// Above the transport and the clock everything is the real code.
class FilterFixture final : private SessionOwner {
public:
  // `config`: the filter's message in text format. A configuration that is refused fails the test.
  FilterFixture(absl::string_view id, absl::string_view config);
  // In the same server as another.
  FilterFixture(absl::string_view id, absl::string_view config, const FilterFixture& beside);
  // Another connection of the same filter's configuration.
  explicit FilterFixture(const FilterFixture& other);
  FilterFixture& operator=(const FilterFixture&) = delete;
  ~FilterFixture();

  // The answer of the filter's validation, for tests of refused configurations.
  static absl::Status load(absl::string_view id, absl::string_view config);

  void open(); // A connection comes in.
  void fromPeer(absl::string_view bytes);
  void endFromPeer(); // The peer half-closes.
  void resetFromPeer();
  void advance(base::Duration by); // Time goes by.

  // From the filter behind the one under test to the peer.
  void fromBehind(absl::string_view bytes, bool end = false);

  // The node that filters made from now on are of; null: none.
  static void setMesh(mesh::Node* node);
  event::Loop& loop();

  // Everything that the peer, or the filter behind, has got so far.
  const std::string& toPeer() const { return peer_.received; }
  const std::string& toBehind() const { return behind_; }
  bool endToPeer() const { return peer_.got_end; }
  bool endToBehind() const { return end_behind_; }

  // The cluster that the filter last looked for; there is none of any name.
  const std::string& clusterAskedFor() const;

  bool isClosed() const { return closed_.has_value(); }
  // Why it closed; fails the test when it has not.
  CloseReason closed() const;

  // The value of a counter or gauge that the filter named; stat() takes the whole name.
  uint64_t count(absl::string_view name) const;
  uint64_t stat(absl::string_view full_name) const;

  // To prepare what the filter looks at, before open(), and to see what it left.
  ConnectionInfo& info() { return info_ == nullptr ? first_info_ : *info_; }
  // How much the peer takes from now on, to test slow peers.
  void limitPeer(size_t bytes);

  // Sets a runtime key, as the admin layer does; before the first open() or later.
  void setRuntime(const std::string& key, const std::string& value);

private:
  class Behind;
  struct Server;

  FilterFixture(absl::string_view id, absl::string_view config, std::shared_ptr<Server> server);
  class BehindConfig;
  class NoClusters;

  void onSessionClosed(Session& session) override;
  void turn();

  std::shared_ptr<Server> server_;
  std::string id_;
  FilterConfigs configs_;
  std::unique_ptr<NoClusters> clusters_;
  test::FakeIo::Peer peer_;
  ConnectionInfo first_info_;
  ConnectionInfo* info_ = nullptr;
  std::unique_ptr<Session> session_;
  Behind* behind_filter_ = nullptr;
  std::string behind_;
  bool end_behind_ = false;
  std::optional<CloseReason> closed_;
};

} // namespace culvert
