// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "test/kit/listener_filter_fixture.h"

namespace culvert {
namespace {

// Redirected connections are in test/corpus/redirect_test.py, which brings its own network.
TEST(OriginalDst, LeavesWhatWasNotRedirected) {
  ListenerFilterFixture filter("original_dst", "");
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().local, filter.info().direct_local);
  EXPECT_FALSE(filter.info().local_restored);
}

// A connection to the internal listener "inner".
ConnectionInfo& internal(ConnectionInfo& info) {
  info.local = info.direct_local = net::Address::internal("inner", "x");
  info.remote = info.direct_remote = net::Address::internal("internal_client_address", "");
  return info;
}

void leaveState(ConnectionInfo& info, absl::string_view name, absl::string_view address) {
  info.mutableFilterState().set(
      absl::StrCat("envoy.filters.listener.original_dst.", name),
      std::make_shared<net::AddressState>(*net::Address::parseIpPort(address)));
}

void leaveMetadata(ConnectionInfo& info, absl::string_view local) {
  info.mutableDynamicMetadata().set("envoy.filters.listener.original_dst",
                                    {{"local", net::Value{std::string(local)}}});
}

TEST(OriginalDst, InternalConnectionsBringTheirAddresses) {
  ListenerFilterFixture filter("original_dst", "", [](ConnectionInfo& info) {
    leaveState(internal(info), "local_ip", "10.0.0.1:80");
    leaveState(info, "remote_ip", "10.0.0.2:90");
  });
  EXPECT_EQ(filter.end(), StageEnd::kReady);
  EXPECT_EQ(filter.info().local.toString(), "10.0.0.1:80");
  EXPECT_EQ(filter.info().remote.toString(), "10.0.0.2:90");
  EXPECT_TRUE(filter.info().local_restored);
}

TEST(OriginalDst, MetadataOfTheHostGoesFirst) {
  ListenerFilterFixture filter("original_dst", "", [](ConnectionInfo& info) {
    leaveState(internal(info), "local_ip", "10.0.0.1:80");
    leaveMetadata(info, "10.0.0.9:99");
  });
  EXPECT_EQ(filter.info().local.toString(), "10.0.0.9:99");
}

TEST(OriginalDst, MetadataThatIsNoAddressRestoresNone) {
  ListenerFilterFixture filter("original_dst", "", [](ConnectionInfo& info) {
    leaveState(internal(info), "local_ip", "10.0.0.1:80");
    leaveMetadata(info, "nonsense");
  });
  EXPECT_EQ(filter.info().local.toString(), "envoy://inner/x");
  EXPECT_FALSE(filter.info().local_restored);
}

} // namespace
} // namespace culvert
