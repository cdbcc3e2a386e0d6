// SPDX-License-Identifier: Apache-2.0
#include "source/config/tls/secrets.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "source/config/support.h"
#include "source/config/tls/tls_proto.h"
#include "source/registry/registry.h"
#include "source/tls/certificates_for_test.h"

namespace culvert::config::tls {
namespace {

using culvert::tls::AuthorityForTest;
using culvert::tls::Context;
using culvert::tls::ContextSlot;
using envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;

class SecretsTest : public testing::Test {
protected:
  SecretsTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~SecretsTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  // A file that appears at once.
  void put(const std::string& name, const std::string& text) {
    std::ofstream(path("new")) << text;
    std::rename(path("new").c_str(), path(name).c_str());
  }
  void putCertificate(const AuthorityForTest::Made& made) {
    put("chain.pem", made.pem());
    put("key.pem", made.keyPem());
  }
  void putSecret(const std::string& name = "own") {
    put("own.yaml",
        absl::StrCat("resources:\n- \"@type\": type.googleapis.com/envoy.extensions."
                     "transport_sockets.tls.v3.Secret\n  name: ",
                     name, "\n  tls_certificate: {certificate_chain: {filename: ",
                     path("chain.pem"), "}, private_key: {filename: ", path("key.pem"), "}}\n"));
  }

  static CommonTlsContext context(const std::string& text) {
    CommonTlsContext proto;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto));
    return proto;
  }
  CommonTlsContext fromFile() const {
    return context(absl::StrCat("tls_certificate_sds_secret_configs { name: 'own' sds_config { "
                                "path_config_source { path: '",
                                path("own.yaml"), "' } } }"));
  }
  // A server's slot with the secrets that `proto` names.
  std::shared_ptr<ContextSlot> serve(const CommonTlsContext& proto) {
    auto named = secrets_.find(proto);
    EXPECT_TRUE(named.ok()) << named.status();
    const auto stats = culvert::tls::Stats::create(loop_, store_.root(), "server");
    const auto make = [=, named = *named]() -> absl::StatusOr<ContextSlot::ContextPtr> {
      if (!named.ready()) {
        return ContextSlot::ContextPtr();
      }
      auto config = readCommon(proto, named);
      return config.ok() ? Context::createServer(*config, {}, stats) : config.status();
    };
    auto slot = contexts_.add(make, stats, {});
    EXPECT_TRUE(slot.ok()) << slot.status();
    named->serve(*slot);
    return *slot;
  }
  std::string shown(const std::shared_ptr<ContextSlot>& slot) {
    const auto now = slot->get();
    return now == nullptr ? "nothing" : now->certificates().front().facts.subject;
  }
  uint64_t stat(const std::string& name) { return store_.findCounter("sds.own." + name)->value(); }
  bool until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      loop_.runOnce(false);
    }
    return condition();
  }
  std::string findError(const std::string& text) {
    return std::string(secrets_.find(context(text)).status().message());
  }

  const std::string folder_ = testing::TempDir() + "/secrets";
  AuthorityForTest authority_;
  AuthorityForTest::Made first_ = authority_.issue({.common_name = "first"});
  AuthorityForTest::Made second_ = authority_.issue({.common_name = "second"});
  base::SystemClock clock_;
  event::Loop loop_{"main", clock_};
  stats::Store store_{1, {}};
  registry::Registry registry_;
  culvert::tls::Contexts contexts_{loop_};
  event::FileWatcher watcher_{loop_};
  const FileSubscriptionContext files_{watcher_, clock_, UnknownFields::kWarn,
                                       store_.root().counter("dynamic_unknown_fields")};
  const std::vector<Extension> extensions_ = builtIn(registry_);
  Secrets secrets_{files_, store_.root(), extensions_};
};

TEST_F(SecretsTest, FileIsReadForItsFirstUser) {
  putCertificate(first_);
  putSecret();
  const auto slot = serve(fromFile());
  EXPECT_EQ(shown(slot), "CN=first");
  const auto other = serve(fromFile());
  EXPECT_EQ(shown(other), "CN=first");
  EXPECT_EQ(stat("update_attempt"), 1u);
  EXPECT_EQ(stat("update_success"), 1u);
  EXPECT_EQ(slot->stats().ssl_context_update_by_sds.value(), 2u); // They share a scope here.
}

TEST_F(SecretsTest, GoesWithItsLastUser) {
  putCertificate(first_);
  putSecret();
  auto slot = serve(fromFile());
  auto other = serve(fromFile());
  slot.reset();
  EXPECT_EQ(stat("update_success"), 1u);
  other.reset();
  EXPECT_EQ(store_.findCounter("sds.own.update_success"), nullptr);
  envoy::admin::v3::SecretsConfigDump dump;
  secrets_.dump({}, dump);
  EXPECT_EQ(dump.dynamic_active_secrets_size(), 0);
  putCertificate(second_);
  EXPECT_EQ(shown(serve(fromFile())), "CN=second");
}

TEST_F(SecretsTest, CertificateAndKeyAreTakenUpTogether) {
  putCertificate(first_);
  putSecret();
  const auto slot = serve(fromFile());
  put("key.pem", second_.keyPem());
  EXPECT_TRUE(until([&] { return stat("key_rotation_failed") == 1; }));
  EXPECT_EQ(shown(slot), "CN=first");
  put("chain.pem", second_.pem());
  EXPECT_TRUE(until([&] { return shown(slot) == "CN=second"; }));
}

TEST_F(SecretsTest, SlotIsEmptyUntilThereIsSomethingOfUse) {
  putCertificate(first_);
  putSecret("another");
  const auto slot = serve(fromFile());
  EXPECT_EQ(shown(slot), "nothing");
  EXPECT_EQ(stat("update_rejected"), 1u);
  put("own.yaml", "resources: [");
  EXPECT_TRUE(until([&] { return stat("update_failure") == 1; }));
  putSecret();
  EXPECT_TRUE(until([&] { return shown(slot) == "CN=first"; }));
}

TEST_F(SecretsTest, SecretIsJudgedByItselfWhileAnotherIsMissing) {
  put("chain.pem", first_.pem());
  put("key.pem", second_.keyPem());
  putSecret();
  CommonTlsContext proto = fromFile();
  proto.mutable_validation_context_sds_secret_config()->set_name("roots");
  proto.mutable_validation_context_sds_secret_config()->mutable_sds_config()->set_path(
      path("own.yaml"));
  const auto slot = serve(proto);
  EXPECT_EQ(shown(slot), "nothing");
  EXPECT_EQ(stat("update_rejected"), 1u);
}

TEST_F(SecretsTest, SecretOfAnotherKindIsRefused) {
  putCertificate(first_);
  put("own.yaml", "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets."
                  "tls.v3.Secret\n  name: own\n  validation_context: {}\n");
  const auto slot = serve(fromFile());
  EXPECT_EQ(shown(slot), "nothing");
  EXPECT_EQ(stat("update_rejected"), 1u);
}

TEST_F(SecretsTest, FieldThatIsNotHonouredIsRefused) {
  putCertificate(first_);
  put("own.yaml", "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets."
                  "tls.v3.Secret\n  name: own\n  tls_certificate: {private_key_provider: "
                  "{provider_name: x}}\n");
  const auto slot = serve(fromFile());
  EXPECT_EQ(shown(slot), "nothing");
  EXPECT_EQ(stat("update_rejected"), 1u);
}

TEST_F(SecretsTest, DumpTellsWhatIsThereFromWhatIsMissing) {
  putCertificate(first_);
  putSecret("another");
  const auto slot = serve(fromFile());
  envoy::admin::v3::SecretsConfigDump before, after;
  secrets_.dump({}, before);
  EXPECT_EQ(before.dynamic_warming_secrets_size(), 1);
  putSecret();
  EXPECT_TRUE(until([&] { return slot->get() != nullptr; }));
  secrets_.dump({}, after);
  EXPECT_EQ(after.dynamic_active_secrets_size(), 1);
  EXPECT_EQ(after.dynamic_warming_secrets_size(), 0);
}

TEST_F(SecretsTest, WhatIsNotThereIsSaidInEnvoysWords) {
  EXPECT_EQ(findError("tls_certificate_sds_secret_configs { name: 'x' }"),
            "tls_certificate_sds_secret_configs[0]: Unknown static secret: x");
  EXPECT_EQ(findError("validation_context_sds_secret_config { name: 'x' }"),
            "validation_context_sds_secret_config: Unknown static certificate validation context: "
            "x");
  EXPECT_EQ(
      findError("tls_certificate_sds_secret_configs { name: 'x' sds_config { path: '/no' } }"),
      "tls_certificate_sds_secret_configs[0]: paths must refer to an existing path in the "
      "system: '/no' does not exist");
}

TEST_F(SecretsTest, StaticSecretsHaveNamesOfTheirOwn) {
  NamedSecret::Message secret;
  secret.set_name("s");
  secret.mutable_tls_certificate();
  Problems problems;
  secrets_.addStatic(secret, "static_resources.secrets[0]", problems);
  EXPECT_TRUE(problems.ok());
  secret.mutable_validation_context(); // Another kind.
  secrets_.addStatic(secret, "static_resources.secrets[1]", problems);
  EXPECT_TRUE(problems.ok());
  secrets_.addStatic(secret, "static_resources.secrets[2]", problems);
  EXPECT_FALSE(problems.ok());
  EXPECT_EQ(problems.all().front().path, "static_resources.secrets[2].name");
}

} // namespace
} // namespace culvert::config::tls
