// SPDX-License-Identifier: Apache-2.0
#include "source/config/file_subscription.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "gtest/gtest.h"

namespace culvert::config {
namespace {

using envoy::service::discovery::v3::DiscoveryResponse;

std::string assignment(absl::string_view version, absl::string_view name) {
  return absl::StrCat("version_info: '", version,
                      "'\nresources:\n- '@type': type.googleapis.com/"
                      "envoy.config.endpoint.v3.ClusterLoadAssignment\n  cluster_name: ",
                      name, "\n");
}

// Follows a file in a folder of its own.
class FileSubscriptionTest : public testing::Test, private Subscriber {
protected:
  FileSubscriptionTest() {
    char name[] = "/tmp/culvert_subscription_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~FileSubscriptionTest() override {
    subscription_.reset();
    for (const char* name :
         {"eds.yaml", "next", "..data", "v1/eds.yaml", "v2/eds.yaml", "v1", "v2"}) {
      std::remove(path(name).c_str());
    }
    std::remove(folder_.c_str());
  }

  std::string path(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(path(name)) << text;
  }
  void replace(const std::string& name, const std::string& text) {
    write("next", text);
    std::rename(path("next").c_str(), path(name).c_str());
  }

  absl::Status follow(const std::string& name = "eds.yaml") {
    envoy::config::core::v3::PathConfigSource source;
    source.set_path(path(name));
    auto made = FileSubscription::create(source, context_, stats_, *this);
    if (made.ok()) {
      subscription_ = *std::move(made);
      subscription_->start([this] { answers_++; });
    }
    return made.status();
  }

  uint64_t count(const char* name) const {
    const stats::Counter* const counter = store_.findCounter(absl::StrCat("eds.", name));
    return counter == nullptr ? 0 : counter->value();
  }

  base::SystemClock clock_;
  event::Loop loop_{"main", clock_};
  event::FileWatcher watcher_{loop_};
  stats::Store store_{1, {}};
  std::unique_ptr<stats::Scope> scope_ = store_.root().scope("eds");
  SubscriptionStats stats_{*scope_};
  FileSubscriptionContext context_{watcher_, clock_, UnknownFields::kWarn,
                                   scope_->counter("dynamic_unknown_fields")};
  std::string folder_;
  std::unique_ptr<FileSubscription> subscription_;
  std::vector<std::string> names_; // Of what came.
  int answers_ = 0;

private:
  void onUpdate(const DiscoveryResponse& response, Problems& problems) override {
    for (int i = 0; i < response.resources_size(); i++) {
      envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
      if (takeResource(response, i, {}, assignment, problems)) {
        names_.push_back(assignment.cluster_name());
      }
    }
  }
};

TEST_F(FileSubscriptionTest, BringsWhatTheFileHasAtTheStart) {
  write("eds.yaml", assignment("7", "one"));
  ASSERT_TRUE(follow().ok());
  EXPECT_EQ(names_, std::vector<std::string>{"one"});
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(count("update_success"), 1u);
  EXPECT_EQ(store_.findTextReadout("eds.version_text")->value(), "7");
}

TEST_F(FileSubscriptionTest, RefusesAPathThatIsNotThere) {
  EXPECT_EQ(follow().message(),
            absl::StrCat("path: paths must refer to an existing path in the system: '",
                         path("eds.yaml"), "' does not exist"));
}

TEST_F(FileSubscriptionTest, ReadsAgainWhatIsRenamedOntoThePath) {
  write("eds.yaml", assignment("1", "one"));
  ASSERT_TRUE(follow().ok());
  replace("eds.yaml", assignment("2", "two"));
  loop_.runOnce(true);
  EXPECT_EQ(names_, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(answers_, 1) << "only of the first answer";
}

TEST_F(FileSubscriptionTest, ReadsAgainWhatIsWrittenInPlace) {
  write("eds.yaml", assignment("1", "one"));
  ASSERT_TRUE(follow().ok());
  write("eds.yaml", assignment("2", "two"));
  loop_.runOnce(true);
  EXPECT_EQ(names_.back(), "two");
}

// As Kubernetes replaces the files of a ConfigMap: all at once, through a link beside them.
TEST_F(FileSubscriptionTest, ReadsAgainWhenALinkOnItsWayIsSwapped) {
  ASSERT_EQ(mkdir(path("v1").c_str(), 0700) | mkdir(path("v2").c_str(), 0700), 0);
  write("v1/eds.yaml", assignment("1", "one"));
  write("v2/eds.yaml", assignment("2", "two"));
  ASSERT_EQ(symlink("v1", path("..data").c_str()), 0);
  ASSERT_EQ(symlink("..data/eds.yaml", path("eds.yaml").c_str()), 0);
  ASSERT_TRUE(follow().ok());
  ASSERT_EQ(symlink("v2", path("next").c_str()), 0);
  std::rename(path("next").c_str(), path("..data").c_str());
  loop_.runOnce(true);
  EXPECT_EQ(names_, (std::vector<std::string>{"one", "two"}));
}

TEST_F(FileSubscriptionTest, TakesNothingOfWhatCannotBeRead) {
  write("eds.yaml", assignment("1", "one"));
  ASSERT_TRUE(follow().ok());
  replace("eds.yaml", "resources: [{");
  loop_.runOnce(true);
  EXPECT_EQ(names_, std::vector<std::string>{"one"});
  EXPECT_EQ(count("update_failure"), 1u);
  EXPECT_EQ(store_.findTextReadout("eds.version_text")->value(), "1");
}

TEST_F(FileSubscriptionTest, TakesTheGoodOfAnUpdateButNotItsVersion) {
  write("eds.yaml", assignment("1", "one"));
  ASSERT_TRUE(follow().ok());
  replace("eds.yaml",
          assignment("2", "good") + "- {'@type': type.googleapis.com/google.protobuf.Empty}\n");
  loop_.runOnce(true);
  EXPECT_EQ(names_, (std::vector<std::string>{"one", "good"}));
  EXPECT_EQ(count("update_rejected"), 1u);
  EXPECT_EQ(store_.findTextReadout("eds.version_text")->value(), "1");
}

TEST_F(FileSubscriptionTest, OnlyWarnsOfUnknownFields) {
  write("eds.yaml", assignment("1", "one") + "  junk: 1\n");
  ASSERT_TRUE(follow().ok());
  EXPECT_EQ(names_, std::vector<std::string>{"one"});
  EXPECT_EQ(count("dynamic_unknown_fields"), 1u);
}

} // namespace
} // namespace culvert::config
