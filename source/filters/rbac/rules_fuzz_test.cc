// SPDX-License-Identifier: Apache-2.0
// Policies of any shape are refused or judge a connection; allowing and denying are opposites.

#include <cstddef>
#include <cstdint>
#include <string>

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "source/base/check.h"
#include "source/filters/rbac/rules.h"

namespace culvert::rbac {
namespace {

net::ConnectionInfo connection() {
  net::ConnectionInfo info;
  info.remote = info.direct_remote = *net::Address::parseIp("10.0.0.1", 1000);
  info.local = *net::Address::parseIp("::1", 80);
  info.requested_server_name = "a.test";
  info.mutableFilterState().set("k", std::make_shared<net::StringState>("v"));
  info.mutableDynamicMetadata().set("f", {{"k", {net::Value::List{{1.0}, {true}}}}});
  return info;
}

void judge(envoy::config::rbac::v3::RBAC config) {
  const auto allow = Rules::create(config);
  if (!allow.ok()) {
    CULVERT_CHECK(allow.status().message().front() == '.');
    return;
  }
  config.set_action(config.action() == envoy::config::rbac::v3::RBAC::DENY
                        ? envoy::config::rbac::v3::RBAC::ALLOW
                        : envoy::config::rbac::v3::RBAC::DENY);
  const auto deny = Rules::create(config);
  const net::ConnectionInfo info = connection();
  const Verdict one = (*allow)->ask(info);
  const Verdict other = (*deny)->ask(info);
  CULVERT_CHECK((one.policy == nullptr) == (other.policy == nullptr));
  CULVERT_CHECK((*allow)->action() == Action::kLog ? one.allowed : one.allowed != other.allowed);
}

} // namespace
} // namespace culvert::rbac

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  envoy::config::rbac::v3::RBAC config;
  const std::string text(reinterpret_cast<const char*>(data), size);
  google::protobuf::TextFormat::Parser parser;
  parser.SetRecursionLimit(64);
  struct Silent : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string&) override {}
  } silent;
  parser.RecordErrorsTo(&silent);
  if (parser.ParseFromString(text, &config)) {
    culvert::rbac::judge(std::move(config));
  }
  return 0;
}
