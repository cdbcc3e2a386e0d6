// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/file_manager.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace culvert::access_log {
namespace {

constexpr base::Duration kNever = std::chrono::hours(1);

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class FileManagerTest : public ::testing::Test {
protected:
  std::string path(const std::string& name) {
    std::filesystem::create_directories(folder_);
    return folder_ + "/" + name;
  }
  ~FileManagerTest() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<LogFile> open(FileManager& files, const std::string& path) {
    auto file = files.open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    return *file;
  }

  // Whether the flush thread has it so before long.
  template <class Condition> static bool soon(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline)
        return false;
      std::this_thread::yield();
    }
    return true;
  }
  static bool holds(const std::string& path, const std::string& content) {
    return soon([&] { return contentOf(path) == content; });
  }
  uint64_t count(FileManager& files, absl::string_view name) {
    files.collectStats();
    return store_.root().counter(name).value();
  }

  stats::Store store_{1, {}};
  const std::string folder_ = ::testing::TempDir() + "/access_log_" + std::to_string(::getpid());
};

TEST_F(FileManagerTest, WritesTheFirstLineAtOnceAndOthersLater) {
  FileManager files(store_.root(), kNever);
  const auto file = open(files, path("a.log"));
  file->write("one\n");
  EXPECT_TRUE(holds(path("a.log"), "one\n"));
  file->write("two\n");
  file->write("three\n");
  EXPECT_EQ(contentOf(path("a.log")), "one\n");
  files.flushAll();
  EXPECT_EQ(contentOf(path("a.log")), "one\ntwo\nthree\n");
}

TEST_F(FileManagerTest, WritesWhenTheIntervalIsOver) {
  FileManager files(store_.root(), std::chrono::milliseconds(5));
  const auto file = open(files, path("a.log"));
  file->write("one\n");
  EXPECT_TRUE(holds(path("a.log"), "one\n"));
  file->write("two\n");
  EXPECT_TRUE(holds(path("a.log"), "one\ntwo\n"));
  EXPECT_TRUE(soon([&] { return count(files, "filesystem.flushed_by_timer") > 0; }));
}

TEST_F(FileManagerTest, WritesWhenEnoughIsPending) {
  FileManager files(store_.root(), kNever, 10);
  const auto file = open(files, path("a.log"));
  file->write("1\n");
  EXPECT_TRUE(holds(path("a.log"), "1\n"));
  file->write("2345\n");
  EXPECT_EQ(contentOf(path("a.log")), "1\n");
  file->write("6789\n");
  EXPECT_TRUE(holds(path("a.log"), "1\n2345\n6789\n"));
}

TEST_F(FileManagerTest, WritesEverythingAtExit) {
  {
    FileManager files(store_.root(), kNever);
    const auto file = open(files, path("a.log"));
    for (int i = 0; i < 1000; i++)
      file->write("line\n");
  }
  EXPECT_EQ(contentOf(path("a.log")).size(), 5000u);
}

TEST_F(FileManagerTest, AppendsToWhatIsThere) {
  std::ofstream(path("a.log")) << "old\n";
  FileManager files(store_.root(), kNever);
  open(files, path("a.log"))->write("new\n");
  EXPECT_TRUE(holds(path("a.log"), "old\nnew\n"));
}

TEST_F(FileManagerTest, SharesAFileBetweenThoseWhoNameIt) {
  FileManager files(store_.root(), kNever);
  EXPECT_EQ(open(files, path("a.log")), open(files, path("a.log")));
  EXPECT_NE(open(files, path("a.log")), open(files, path("b.log")));
}

TEST_F(FileManagerTest, SaysWhyAFileCannotBeOpened) {
  FileManager files(store_.root(), kNever);
  EXPECT_EQ(files.open("/nonexist/dir/a.log").status().message(),
            "unable to open file '/nonexist/dir/a.log': No such file or directory");
  EXPECT_EQ(files.open("/tmp").status().message(), "unable to open file '/tmp': Is a directory");
}

TEST_F(FileManagerTest, GoesOnInANewFileAfterTheOldOneWasMovedAway) {
  FileManager files(store_.root(), kNever);
  const auto file = open(files, path("a.log"));
  file->write("one\n");
  EXPECT_TRUE(holds(path("a.log"), "one\n"));
  std::filesystem::rename(path("a.log"), path("a.log.1"));
  file->write("two\n");
  files.reopenAll();
  EXPECT_TRUE(holds(path("a.log"), "two\n"));
  EXPECT_EQ(contentOf(path("a.log.1")), "one\n");
}

TEST_F(FileManagerTest, KeepsTheOldFileWhileANewOneCannotBeOpened) {
  FileManager files(store_.root(), kNever);
  const auto file = open(files, path("a.log"));
  std::filesystem::rename(path("a.log"), path("a.log.1"));
  std::filesystem::create_directory(path("a.log"));
  files.reopenAll();
  file->write("one\n");
  files.flushAll();
  EXPECT_EQ(contentOf(path("a.log.1")), "one\n");
  EXPECT_GE(count(files, "filesystem.reopen_failed"), 1u);
  std::filesystem::remove(path("a.log"));
  file->write("two\n");
  files.flushAll();
  EXPECT_EQ(contentOf(path("a.log")), "two\n");
}

TEST_F(FileManagerTest, CountsWhatItDoes) {
  FileManager files(store_.root(), kNever);
  const auto file = open(files, path("a.log"));
  file->write("one\n");
  EXPECT_TRUE(holds(path("a.log"), "one\n"));
  file->write("three\n");
  EXPECT_EQ(count(files, "filesystem.write_buffered"), 2u);
  EXPECT_TRUE(soon([&] { return count(files, "filesystem.write_completed") == 1; }));
  EXPECT_EQ(store_.root().gauge("filesystem.write_total_buffered").value(), 6u);
  files.flushAll();
  EXPECT_EQ(count(files, "filesystem.write_completed"), 2u);
  EXPECT_EQ(store_.root().gauge("filesystem.write_total_buffered").value(), 0u);
  EXPECT_EQ(count(files, "filesystem.write_failed"), 0u);
}

TEST_F(FileManagerTest, CountsLinesThatTheDiskRefuses) {
  FileManager files(store_.root(), kNever);
  open(files, "/dev/full")->write("one\n");
  EXPECT_TRUE(soon([&] { return count(files, "filesystem.write_failed") == 1; }));
  EXPECT_EQ(store_.root().gauge("filesystem.write_total_buffered").value(), 0u);
}

// A pipe that nobody reads takes 64 KiB; the rest stays, up to a bound, and no one waits.
TEST_F(FileManagerTest, DropsLinesRatherThanGrowWithoutBound) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  {
    FileManager files(store_.root(), kNever);
    const auto file = open(files, path("pipe"));
    const auto other = open(files, path("a.log"));
    const std::string line(64 * 1024, 'x');
    for (int i = 0; i < 600; i++)
      file->write(line);
    EXPECT_GT(count(files, "filesystem.lines_dropped"), 0u);
    EXPECT_LE(store_.root().gauge("filesystem.write_total_buffered").value(),
              2 * LogFile::kPendingBytesMax);
    other->write("one\n");
    EXPECT_TRUE(holds(path("a.log"), "one\n"));
  }
  ::close(reader);
}

TEST_F(FileManagerTest, FinishesAPipeWhenItIsReadAgain) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  FileManager files(store_.root(), kNever);
  const auto file = open(files, path("pipe"));
  const std::string lines(300'000, 'x');
  file->write(lines);
  std::string got;
  EXPECT_TRUE(soon([&] {
    char bytes[4096];
    const ssize_t n = ::read(reader, bytes, sizeof(bytes));
    got.append(bytes, n > 0 ? static_cast<size_t>(n) : 0);
    return got.size() == lines.size();
  }));
  ::close(reader);
}

TEST_F(FileManagerTest, ClosesFilesThatNoOneLogsToAnyMore) {
  FileManager files(store_.root(), std::chrono::milliseconds(1));
  std::weak_ptr<LogFile> gone = open(files, path("a.log"));
  EXPECT_TRUE(soon([&] { return gone.expired(); }));
}

// For the thread sanitizer.
TEST_F(FileManagerTest, TakesLinesFromManyThreads) {
  stats::Store store(5, {});
  {
    FileManager files(store.root(), std::chrono::milliseconds(1), 1000);
    const auto file = open(files, path("a.log"));
    std::vector<std::thread> workers;
    for (uint32_t worker = 1; worker <= 4; worker++) {
      workers.emplace_back([&, worker] {
        base::thread_slot = worker;
        for (int i = 0; i < 2000; i++)
          file->write("0123456789\n");
      });
    }
    for (int i = 0; i < 20; i++) {
      files.reopenAll();
      files.collectStats();
      files.flushAll();
    }
    for (std::thread& worker : workers)
      worker.join();
  }
  const std::string content = contentOf(path("a.log"));
  EXPECT_EQ(content.size(), 4u * 2000 * 11);
  for (size_t i = 0; i < content.size(); i += 11)
    ASSERT_EQ(content.substr(i, 11), "0123456789\n");
}

} // namespace
} // namespace culvert::access_log
