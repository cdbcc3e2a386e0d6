// SPDX-License-Identifier: Apache-2.0
#include "source/event/file_watcher.h"

#include <cstdio>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace culvert::event {
namespace {

class FileWatcherTest : public testing::Test {
protected:
  std::string path(const std::string& name) { return testing::TempDir() + "/" + name; }
  void put(const std::string& name) { std::ofstream(path(name)) << "x"; }

  base::SystemClock clock_;
  Loop loop_{"main", clock_};
  FileWatcher watcher_{loop_};
};

TEST_F(FileWatcherTest, TellsOfARenameOntoThePath) {
  int calls = 0;
  ASSERT_TRUE(watcher_.watch(path("config"), [&] { calls++; }).ok());
  put("config");
  put("other");
  loop_.runOnce(false);
  EXPECT_EQ(calls, 0) << "written in place";

  put("next");
  std::rename(path("next").c_str(), path("elsewhere").c_str());
  loop_.runOnce(false);
  EXPECT_EQ(calls, 0) << "renamed onto another path";

  std::rename(path("other").c_str(), path("config").c_str());
  loop_.runOnce(true);
  EXPECT_EQ(calls, 1);
}

TEST_F(FileWatcherTest, RefusesAFolderThatIsNotThere) {
  EXPECT_EQ(watcher_.watch("/nope/no", [] {}).message(),
            "unable to add filesystem watch for file /nope/no: No such file or directory");
}

} // namespace
} // namespace culvert::event
