// SPDX-License-Identifier: Apache-2.0
#include "source/event/file_watcher.h"

#include <cstdio>
#include <fstream>
#include <memory>
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
  const auto watch = watcher_.watch(path("config"), FileChange::kRenamed, [&] { calls++; });
  ASSERT_TRUE(watch.ok());
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

TEST_F(FileWatcherTest, TellsOfAFileWrittenInPlaceWhenAsked) {
  int calls = 0;
  const auto watch =
      watcher_.watch(path("edited"), FileChange::kRenamedOrWritten, [&] { calls++; });
  put("edited");
  put("beside");
  loop_.runOnce(true);
  EXPECT_EQ(calls, 1);
}

TEST_F(FileWatcherTest, TellsOfAllInAFolder) {
  int calls = 0;
  const auto watch = watcher_.watch(path(""), FileChange::kRenamedOrWritten, [&] { calls++; });
  put("one");
  put("two");
  loop_.runOnce(true);
  EXPECT_EQ(calls, 2);
}

TEST_F(FileWatcherTest, MayBeEndedInItsOwnCallback) {
  int calls = 0;
  std::unique_ptr<FileWatcher::Watch> watch;
  watch = *watcher_.watch(path(""), FileChange::kRenamedOrWritten, [&] {
    calls++;
    watch.reset();
  });
  put("one");
  put("two");
  loop_.runOnce(true);
  EXPECT_EQ(calls, 1);
}

TEST_F(FileWatcherTest, RefusesAFolderThatIsNotThere) {
  EXPECT_EQ(watcher_.watch("/nope/no", FileChange::kRenamed, [] {}).status().message(),
            "unable to add filesystem watch for file /nope/no: No such file or directory");
}

} // namespace
} // namespace culvert::event
