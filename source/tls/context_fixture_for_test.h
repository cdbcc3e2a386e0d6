// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "source/stats/store.h"
#include "source/tls/certificates_for_test.h"
#include "source/tls/context.h"
#include "source/tls/pair_for_test.h"

namespace culvert::tls {

inline constexpr char kClientSan[] = "spiffe://lab.test/ns/default/sa/client";

inline CertificateConfig certificateOf(const AuthorityForTest::Made& made) {
  CertificateConfig config;
  config.chain = Source{made.pem(), "<inline>"};
  config.key = Source{made.keyPem(), "<inline>"};
  config.path = "tls_certificates[0]";
  return config;
}

inline SanMatcher uri(absl::string_view text) {
  return {SanType::kUri,
          *match::StringMatch::create(match::StringMatch::Kind::kExact, std::string(text))};
}

using Names = std::vector<std::string>;

inline bool has(absl::string_view text, absl::string_view part) {
  return absl::StrContains(text, part);
}

// Two contexts, one connection between them. Threads: the test's.
class ContextTest : public testing::Test {
protected:
  ContextTest() { server_config_.certificates.push_back(certificateOf(server_certificate_)); }

  ValidationConfig trusting(const AuthorityForTest& authority) {
    ValidationConfig validation;
    validation.trusted_ca = Source{authority.pem(), "<inline>"};
    validation.path = "validation_context";
    return validation;
  }
  // Asks the client for a certificate.
  void wantMutual() {
    server_config_.validation = trusting(authority_);
    server_.require_client_certificate = true;
    client_config_.certificates = {certificateOf(client_certificate_)};
  }

  void makeContexts() {
    auto server = Context::createServer(server_config_, server_, server_stats_);
    auto client = Context::createClient(client_config_, client_, client_stats_);
    ASSERT_TRUE(server.ok()) << server.status();
    ASSERT_TRUE(client.ok()) << client.status();
    server_context_ = *server;
    client_context_ = *client;
  }
  void begin(const std::string& name = "") {
    if (server_context_ == nullptr) {
      makeContexts();
    }
    pair_.renew();
    down_ = std::make_unique<EndForTest>();
    up_ = std::make_unique<EndForTest>();
    down_->start(pair_.loop(), server_context_->accept(pair_.loop(), pair_.io(0)));
    up_->start(pair_.loop(), client_context_->connect(pair_.loop(), pair_.io(1), name, wanted_));
  }
  void expectConnected() {
    EXPECT_TRUE(pair_.until([&] { return down_->connected && up_->connected; }))
        << down_->failure() << up_->failure();
  }
  // The server refuses; what it says of that.
  std::string serverRefuses() {
    begin();
    EXPECT_TRUE(pair_.until([&] { return down_->closed && up_->closed; }));
    EXPECT_FALSE(down_->connected);
    EXPECT_EQ(down_->reason.code, net::CloseCode::kTransportFailure);
    return down_->failure();
  }
  std::string clientRefuses() {
    begin();
    EXPECT_TRUE(pair_.until([&] { return down_->closed && up_->closed; }));
    EXPECT_FALSE(up_->connected);
    return up_->failure();
  }
  uint64_t serverStat(const std::string& name) {
    const stats::Counter* const counter = store_.findCounter("listener.ssl." + name);
    return counter == nullptr ? 0 : counter->value();
  }
  std::string serverError() {
    const auto context = Context::createServer(server_config_, server_, server_stats_);
    return context.ok() ? "" : std::string(context.status().message());
  }

  stats::Store store_{1, {}};
  PairForTest pair_;
  AuthorityForTest authority_;
  AuthorityForTest other_authority_{"other root"};
  AuthorityForTest::Made server_certificate_ =
      authority_.issue({.common_name = "server", .sans = "DNS:lab.test,URI:spiffe://lab.test/s"});
  AuthorityForTest::Made client_certificate_ = authority_.issue(
      {.common_name = "client", .sans = std::string("IP:127.0.0.1,email:a@b.c,URI:") + kClientSan});
  ContextConfig server_config_;
  ServerConfig server_;
  ContextConfig client_config_;
  ClientConfig client_;
  std::unique_ptr<stats::Scope> server_scope_ = store_.root().scope("listener");
  std::unique_ptr<stats::Scope> client_scope_ = store_.root().scope("cluster");
  std::shared_ptr<Stats> server_stats_ = Stats::create(pair_.loop(), *server_scope_, "server");
  std::shared_ptr<Stats> client_stats_ = Stats::create(pair_.loop(), *client_scope_, "client");
  WantedUris wanted_; // Of the server, by the client.
  std::shared_ptr<const Context> server_context_;
  std::shared_ptr<const Context> client_context_;
  std::unique_ptr<EndForTest> down_;
  std::unique_ptr<EndForTest> up_;
};

} // namespace culvert::tls
