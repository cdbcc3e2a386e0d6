// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/routes.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "envoy/config/route/v3/route.pb.h"
#include "google/protobuf/text_format.h"

namespace culvert::http_connection_manager {
namespace {

using Fields = net::RequestInfo::Fields;

absl::StatusOr<Routes> load(const std::string& text) {
  envoy::config::route::v3::RouteConfiguration proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto));
  return Routes::create(proto);
}

// A virtual host of these domains whose route is named as the first one.
std::string host(const std::vector<std::string>& domains, absl::string_view match = "") {
  std::string text = "virtual_hosts { ";
  for (const std::string& domain : domains) {
    absl::StrAppend(&text, "domains: '", domain, "' ");
  }
  absl::StrAppend(&text, "routes { name: '", domains[0], "' match { connect_matcher {} ", match,
                  " } direct_response { status: 200 } } } ");
  return text;
}

std::string found(const std::string& config, absl::string_view authority,
                  const Fields& headers = {}) {
  const auto routes = load(config);
  EXPECT_TRUE(routes.ok()) << routes.status();
  const Route* const route = routes->find(authority, headers);
  return route == nullptr ? "none" : route->name;
}

TEST(Routes, ExactNamesComeBeforeWildcards) {
  const std::string all = host({"*"}) + host({"*.b.com:1"}) + host({"*.a.b.com:1"}) +
                          host({"x.b.com:1"}) + host({"c.*"}) + host({"c.d*"});
  EXPECT_EQ(found(all, "x.b.com:1"), "x.b.com:1");
  EXPECT_EQ(found(all, "X.B.com:1"), "x.b.com:1");
  EXPECT_EQ(found(all, "y.b.com:1"), "*.b.com:1");
  EXPECT_EQ(found(all, "y.a.b.com:1"), "*.a.b.com:1");
  EXPECT_EQ(found(all, "c.org:5"), "c.*");
  EXPECT_EQ(found(all, "c.de"), "c.d*");
  EXPECT_EQ(found(all, "y.b.com"), "*");
  EXPECT_EQ(found(host({"*.b.com"}), ".b.com"), "none");
}

TEST(Routes, PortsAreComparedUnlessSaidOtherwise) {
  EXPECT_EQ(found(host({"a.com"}), "a.com:80"), "none");
  EXPECT_EQ(found("ignore_port_in_host_matching: true " + host({"a.com"}), "a.com:80"), "a.com");
  EXPECT_EQ(found("ignore_port_in_host_matching: true " + host({"a.com"}), "a.com"), "a.com");
}

TEST(Routes, AllHeadersMustMatch) {
  const std::string match = "headers { name: 'X-One' string_match { exact: '1' } } "
                            "headers { name: 'two' present_match: true } ";
  EXPECT_EQ(found(host({"*"}, match), "a", {{"x-one", "1"}, {"two", ""}}), "*");
  EXPECT_EQ(found(host({"*"}, match), "a", {{"x-one", "1"}}), "none");
  EXPECT_EQ(found(host({"*"}, match), "a", {{"x-one", "2"}, {"two", ""}}), "none");
}

TEST(Routes, DomainsAreUnique) {
  EXPECT_EQ(load(host({"a"}) + host({"b", "A"})).status().message(),
            "virtual_hosts[1].domains[1]: only unique values for domains are permitted: A is there "
            "twice");
}

} // namespace
} // namespace culvert::http_connection_manager
