// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/event/simulated_clock.h"
#include "source/net/internal_listeners.h"
#include "source/upstream/internal_transport.h"
#include "source/upstream/proxy_header_transport.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

using net::ProxyHeader;

// What is below the transport under test: notes what it is told, and connects nobody.
class Below final : public TransportSocketFactory {
public:
  absl::StatusOr<std::unique_ptr<net::Io>> connect(event::Loop& loop, const net::HostDescription&,
                                                   const net::ConnectOptions& options,
                                                   const LoadBalancerContext&) const override {
    told = options;
    return makeBrokenTransport(loop, "nobody");
  }

  mutable net::ConnectOptions told;
};

// A client that connects, or nobody that is known.
class TransportsTest : public testing::Test, protected LoadBalancerContext {
protected:
  TransportsTest() {
    client_.remote = *net::Address::parseIpPort("10.0.0.1:1");
    client_.local = *net::Address::parseIpPort("10.0.0.2:2");
  }
  const net::ConnectionInfo* downstream() const override { return known_ ? &client_ : nullptr; }

  net::ConnectOptions tell(const TransportSocketFactory& transport) {
    const LoadBalancerContext& context = *this;
    EXPECT_TRUE(transport.connect(loop_, host_, {}, context).ok());
    return below_->told;
  }
  std::string header(ProxyHeaderTransportConfig config) {
    config.transport = below_;
    config.scope = store_.root().scope("cluster.c");
    return tell(*makeProxyHeaderTransport(std::move(config))).preamble;
  }
  std::string written(int version, std::vector<ProxyHeader::Tlv> tlvs) {
    return net::encodeProxyHeader(version, client_.remote, client_.local, tlvs);
  }
  uint64_t count(absl::string_view name) {
    return store_.findCounter(absl::StrCat("cluster.c.", name))->value();
  }

  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  stats::Store store_{1, {}};
  std::unique_ptr<stats::Scope> counted_ = store_.root().scope("cluster.c"); // For count().
  std::shared_ptr<Below> below_ = std::make_shared<Below>();
  net::HostDescription host_;
  net::ConnectionInfo client_;
  bool known_ = true;
};

TEST_F(TransportsTest, HeadersNameTheClient) {
  EXPECT_EQ(header({}), "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
  known_ = false;
  EXPECT_EQ(header({}), "PROXY UNKNOWN\r\n");
}

TEST_F(TransportsTest, HeaderThatWasReadGoesFirst) {
  client_.mutableFilterState().set(
      ProxyHeader::kKey, std::make_shared<ProxyHeader>(*net::Address::parseIpPort("[1::2]:3"),
                                                       *net::Address::parseIpPort("[4::5]:6"),
                                                       std::vector<ProxyHeader::Tlv>()));
  EXPECT_EQ(header({}), "PROXY TCP6 1::2 4::5 3 6\r\n");
}

TEST_F(TransportsTest, TlvsThatDoNotFitAreLeftOut) {
  counted_->counter("upstream.proxyprotocol.v2_tlvs_exceed_max_length");
  const ProxyHeader::Tlv large = {1, std::string(40000, 'x')};
  const ProxyHeader::Tlv small = {2, "y"};
  EXPECT_EQ(header({2, {large, large, small}, {}, nullptr, nullptr}), written(2, {large, small}));
  EXPECT_EQ(count("upstream.proxyprotocol.v2_tlvs_exceed_max_length"), 1u);
}

TEST_F(TransportsTest, MetadataAndSharedStateGoAlong) {
  counted_->counter("internal_upstream.no_metadata");
  auto metadata = std::make_shared<net::Metadata>();
  metadata->set("of.host", {{"k", net::Value{std::string("v")}}});
  host_.metadata = metadata;
  client_.mutableFilterState().set("mine", std::make_shared<net::StringState>("m"));
  client_.mutableFilterState().set("ours", std::make_shared<net::StringState>("o"),
                                   net::FilterState::Sharing::kOnce);
  const auto transport = makeInternalTransport(
      {{{true, "of.host"}, {false, "of.host"}}, nullptr, below_, store_.root().scope("cluster.c")});
  const std::shared_ptr<net::Passed> passed = tell(*transport).passed;
  ASSERT_NE(passed, nullptr);
  EXPECT_NE(passed->metadata->find("of.host"), nullptr);
  EXPECT_NE(passed->filter_state->find("ours"), nullptr);
  EXPECT_EQ(passed->filter_state->find("mine"), nullptr);
  EXPECT_EQ(count("internal_upstream.no_metadata"), 1u) << "the cluster has none";
}

} // namespace
} // namespace culvert::upstream
