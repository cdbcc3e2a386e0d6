// SPDX-License-Identifier: Apache-2.0
#include "source/config/mesh/crl_file.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "source/base/clock.h"
#include "source/tls/certificates_for_test.h"

namespace culvert::config::node {
namespace {

namespace fs = std::filesystem;
using culvert::tls::AuthorityForTest;
using culvert::tls::Revocations;

class CrlFileTest : public testing::Test {
protected:
  ~CrlFileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name = "crl.pem") const { return (folder_ / name).string(); }
  void write(const std::string& text, const std::string& name = "crl.pem") const {
    std::ofstream(path(name)) << text;
  }
  void replace(const std::string& text) const {
    write(text, "new");
    fs::rename(path("new"), path());
  }
  absl::Status follow() {
    auto file = followCrlFile(path(), lists_, watcher_);
    absl::Status status = file.status();
    file_ = status.ok() ? *std::move(file) : nullptr;
    return status;
  }
  // Whether other lists count, now that what has happened is known.
  bool changed() {
    const auto before = lists_->lists();
    for (int turn = 0; turn < 3; turn++) {
      loop_.runOnce(false);
    }
    return lists_->lists() != before;
  }

  base::SystemClock clock_;
  event::Loop loop_{"test", clock_};
  event::FileWatcher watcher_{loop_};
  const fs::path folder_ = [] {
    char name[] = "/tmp/culvert_crl_XXXXXX";
    return fs::path(::mkdtemp(name));
  }();
  const AuthorityForTest authority_;
  const std::string good_ = authority_.crl({});
  const std::shared_ptr<Revocations> lists_ = std::make_shared<Revocations>(loop_);
  std::unique_ptr<WatchedFile> file_;
};

TEST_F(CrlFileTest, AFileThatIsMissingIsWaitedFor) {
  EXPECT_TRUE(follow().ok());
  EXPECT_EQ(lists_->lists(), nullptr);
  replace(good_);
  EXPECT_TRUE(changed());
}

TEST_F(CrlFileTest, AFileWrittenInItsPlaceIsReadAgain) {
  write("");
  EXPECT_TRUE(follow().ok());
  EXPECT_NE(lists_->lists(), nullptr);
  write(good_);
  EXPECT_TRUE(changed());
}

TEST_F(CrlFileTest, AFileOfNoUseIsAnErrorAtFirst) {
  write("garbage");
  const absl::Status status = follow();
  EXPECT_TRUE(absl::StartsWith(status.message(), path() + ": list 1 cannot be read: ")) << status;
}

TEST_F(CrlFileTest, WhatIsOfNoUseLaterChangesNothing) {
  write(good_);
  EXPECT_TRUE(follow().ok());
  replace("garbage");
  EXPECT_FALSE(changed());
  fs::remove(path());
  EXPECT_FALSE(changed());
  replace(good_);
  EXPECT_TRUE(changed());
}

TEST_F(CrlFileTest, AVolumeThatIsSwappedIsFollowed) {
  fs::create_directory(path("1"));
  fs::create_directory(path("2"));
  write("", "1/crl.pem");
  write(good_, "2/crl.pem");
  fs::create_symlink("1", path("..data"));
  fs::create_symlink("..data/crl.pem", path());
  EXPECT_TRUE(follow().ok());
  fs::create_symlink("2", path("next"));
  fs::rename(path("next"), path("..data"));
  EXPECT_TRUE(changed());
}

TEST_F(CrlFileTest, AFolderThatIsMissingIsAnError) {
  fs::remove_all(folder_);
  EXPECT_FALSE(follow().ok());
}

} // namespace
} // namespace culvert::config::node
