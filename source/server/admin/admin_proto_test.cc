// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/admin_proto.h"

#include <fstream>
#include <string>

#include "absl/strings/str_join.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "gtest/gtest.h"
#include "source/access_log/file_manager.h"
#include "source/config/loader.h"

namespace culvert::server {
namespace {

class AdminProtoTest : public testing::Test {
protected:
  std::optional<AdminParts> read(const std::string& yaml) {
    config::loadText(yaml, config::Format::kYaml, "lab.yaml", bootstrap_, problems_);
    EXPECT_TRUE(problems_.ok()) << errors();
    return readAdmin(bootstrap_.admin(), files_, problems_);
  }
  std::string errors() const { return absl::StrJoin(problems_.errorLines(), "\n"); }

  envoy::config::bootstrap::v3::Bootstrap bootstrap_;
  config::Problems problems_;
  stats::Store store_{1, stats::StoreConfig()};
  access_log::FileManager files_{store_.root(), std::chrono::seconds(10)};
};

TEST_F(AdminProtoTest, ThereIsNoAdminPageWithoutAnAddress) {
  EXPECT_FALSE(read("admin: {}").has_value());
  EXPECT_TRUE(problems_.ok());
}

TEST_F(AdminProtoTest, ReadsAddressAndPaths) {
  const auto parts = read("admin: {address: {pipe: {path: /run/x, mode: 384}}, "
                          "allow_paths: [{exact: /ready}]}");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->config.address.toString(), "/run/x");
  EXPECT_EQ(parts->config.pipe_mode, 0600u);
  ASSERT_EQ(parts->config.allow_paths.size(), 1u);
  EXPECT_EQ(parts->config.allow_paths[0].value, "/ready");
  EXPECT_FALSE(parts->access_log);
}

TEST_F(AdminProtoTest, RefusesAModeWhereThereIsNoFile) {
  EXPECT_FALSE(read("admin: {address: {pipe: {path: \"@x\", mode: 384}}}").has_value());
  EXPECT_NE(errors().find("admin.address.pipe.mode"), std::string::npos) << errors();
  EXPECT_NE(errors().find("Cannot set mode for Abstract AF_UNIX sockets"), std::string::npos);
}

TEST_F(AdminProtoTest, LogsToTheFilesThatAreNamed) {
  const std::string path = testing::TempDir() + "/admin.log";
  const auto parts =
      read("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}, access_log: ["
           "{name: f, typed_config: {\"@type\": type.googleapis.com/"
           "envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
           path + "}}]}");
  ASSERT_TRUE(parts.has_value()) << errors();
  parts->access_log("a line\n");
  files_.flushAll();
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "a line");
}

TEST_F(AdminProtoTest, SaysWhichLogCannotBeWritten) {
  read("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}, access_log: ["
       "{name: f, typed_config: {\"@type\": type.googleapis.com/"
       "envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /nope/x}}]}");
  EXPECT_NE(errors().find("admin.access_log[0].typed_config.path"), std::string::npos);
  EXPECT_NE(errors().find("unable to open file '/nope/x': No such file or directory"),
            std::string::npos)
      << errors();
}

} // namespace
} // namespace culvert::server
