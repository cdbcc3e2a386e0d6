// SPDX-License-Identifier: Apache-2.0
#include "source/net/close_reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace culvert::net {
namespace {

TEST(CloseReason, SaysWhoseFaultItWas) {
  EXPECT_EQ(CloseReason::of(CloseCode::kPeerReset).side, Side::kDownstream);
  EXPECT_EQ(CloseReason::of(CloseCode::kUpstreamReset).side, Side::kUpstream);
  EXPECT_EQ(CloseReason::of(CloseCode::kIdleTimeout).side, Side::kLocal);
  EXPECT_TRUE(CloseReason::of(CloseCode::kPeerClosed).remote());
  EXPECT_FALSE(CloseReason::of(CloseCode::kDrained).remote());
}

TEST(CloseReason, CarriesWhatTheLogPrints) {
  const CloseReason reason = CloseReason::of(CloseCode::kNoCluster);
  EXPECT_EQ(reason.responseFlags(), uint32_t{kNoClusterFound});
  EXPECT_EQ(reason.localCloseReason(), "tcp_initializion_failure:3");
  EXPECT_EQ(reason.sentence(), "the cluster is not known");
}

TEST(CloseReason, IsAFiltersOwnWord) {
  const CloseReason reason = CloseReason::local("rbac_deny_close");
  EXPECT_EQ(reason.code, CloseCode::kFilter);
  EXPECT_EQ(reason.localCloseReason(), "rbac_deny_close");
  EXPECT_FALSE(reason == CloseReason::local("other"));
}

TEST(CloseReason, HasANameAndASentenceOfItsOwnForEachCode) {
  std::set<std::string> names;
  std::set<std::string> sentences;
  for (const CloseCode code : {
#define CULVERT_CLOSE_CODE(code, side, flags, envoy, sentence) CloseCode::code,
           CULVERT_CLOSE_CODES(CULVERT_CLOSE_CODE)
#undef CULVERT_CLOSE_CODE
       }) {
    EXPECT_TRUE(names.insert(std::string(name(code))).second) << name(code);
    EXPECT_TRUE(sentences.insert(std::string(CloseReason::of(code).sentence())).second);
  }
  EXPECT_EQ(name(CloseCode::kPeerClosed), "PeerClosed");
}

} // namespace
} // namespace culvert::net
