// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/tracing_headers.h"

#include "gtest/gtest.h"
#include "source/mesh/table_fixture.h"

namespace culvert::mesh {
namespace {

using BaggageTest = TableFixture;

TEST_F(BaggageTest, SaysWhoAWorkloadIs) { // T-39
  const WorkloadRef made = makeWorkload("a", {}, [this](Workload& w) {
    w.cluster_id = text("c1");
    w.workload_type = text("deployment");
    w.workload_name = text("cart");
    w.canonical_name = text("cart-svc");
    w.canonical_revision = text("v2");
    w.locality = {text("r"), text("z"), text("s")};
  });
  const std::string line = baggageOf(*made);
  EXPECT_EQ(line, "k8s.cluster.name=c1,k8s.namespace.name=ns,k8s.deployment.name=cart,"
                  "service.name=cart-svc,service.version=v2,cloud.region=r,"
                  "cloud.availability_zone=z");
  EXPECT_EQ(Baggage::parse({line}), (Baggage{"c1", "ns", "cart", "cart-svc", "v2", "r", "z"}));
}

TEST_F(BaggageTest, WhatIsEmptyIsLeftOut) { // T-39
  EXPECT_EQ(baggageOf(*makeWorkload("a", {})), "k8s.namespace.name=ns");
  const auto untyped = [this](Workload& w) {
    w.workload_type = Text();
    w.workload_name = text("cart");
  };
  EXPECT_EQ(baggageOf(*makeWorkload("a", {}, untyped)), "k8s.namespace.name=ns");
  EXPECT_EQ(Baggage::parse({}), Baggage());
  EXPECT_EQ(Baggage::parse({"service.name=,k8s.pod.name,=x,,other=y"}), Baggage());
}

TEST_F(BaggageTest, LinesAreMergedInOrder) { // T-39
  const Baggage baggage = Baggage::parse({"service.name=a,k8s.job.name=j", "service.name=b=c"});
  EXPECT_EQ(baggage.service_name, "b");
  EXPECT_EQ(baggage.workload_name, "j");
  EXPECT_EQ(Baggage::parse({"service.name=a", "\xc3\xa9"}), Baggage());
}

TEST(ForwardedTest, NamesThePeerAndTheService) { // T-18
  EXPECT_EQ(forwardedValue(*net::Address::parseIpPort("1.2.3.4:80"), ""), "for=\"1.2.3.4:80\"");
  EXPECT_EQ(forwardedValue(*net::Address::parseIpPort("[::1]:80"), "s.host"),
            "for=\"[::1]:80\";host=s.host");
}

TEST(ForwardedTest, TheHostIsReadBack) { // T-38
  EXPECT_EQ(forwardedHost("for=\"[::1]:80\";host=s.host"), "s.host");
  EXPECT_EQ(forwardedHost("for=x; host=\"s.host\" ;proto=h2"), "s.host");
  for (const char* text : {"", "for=x", "host=", "host=\"\"", "for=x;host=\xc3\xa9"}) {
    EXPECT_EQ(forwardedHost(text), "") << text;
  }
}

TEST(TraceContextTest, IsFreshOrTakenOver) {
  base::Random random(1);
  const TraceContext fresh = TraceContext::fresh(random);
  EXPECT_EQ(fresh.toString().size(), 55u);
  const auto taken = TraceContext::parse(fresh.toString());
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->trace_id, fresh.trace_id);
  EXPECT_NE(TraceContext::fresh(random).trace_id, fresh.trace_id);
}

TEST(TraceContextTest, AnythingElseIsNone) {
  const std::string trace(32, 'a');
  const std::string parent(16, 'b');
  for (const std::string& text :
       {std::string(55, '0'), std::string(), "00-" + trace + "-" + parent + "-00-",
        "00-" + trace + "-" + parent + "-0g", "00-" + trace + parent + "--00",
        "00-" + trace + "-" + parent + "-000", "0-" + trace + "-" + parent + "-000"}) {
    EXPECT_FALSE(TraceContext::parse(text).has_value()) << text;
  }
}

} // namespace
} // namespace culvert::mesh
