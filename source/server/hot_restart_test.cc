// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "source/server/base_id.h"
#include "source/server/hot_restart.pb.h"
#include "source/server/hot_restart_child.h"
#include "source/server/hot_restart_parent.h"

namespace culvert::server {
namespace {

using std::chrono::seconds;

net::Fd listeningSocket() {
  return *net::listenOn(*net::Address::parseIp("127.0.0.1", 0), net::ListenOptions());
}

// The process of before, on a thread of its own, and what the next one did to it.
class Parent final : private RestartedServer {
public:
  explicit Parent(const Options& options, size_t sockets = 1) {
    for (size_t i = 0; i < sockets; i++) {
      sockets_.push_back(listeningSocket());
    }
    claimed_ = options;
    net::Fd socket = *claimBaseId(claimed_);
    thread_ = std::thread([this, socket = socket.release(), epoch = options.restart_epoch] {
      ChildProcess child(loop_, net::Fd(socket), *this, store_, epoch,
                         {4, base::Instant(seconds(9))});
      loop_.run();
    });
  }
  ~Parent() {
    loop_.exit();
    thread_.join();
  }

  // Until the process has been asked for `what`.
  bool wasTold(const std::string& what) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    bool told = false;
    while (!told && std::chrono::steady_clock::now() < deadline) {
      told = ask([&] { return told_.find(what) != std::string::npos; });
    }
    return told;
  }
  template <class F> auto ask(F question) -> decltype(question()) {
    std::packaged_task<decltype(question())()> task(std::move(question));
    auto answer = task.get_future();
    loop_.post([&task] { task(); });
    return answer.get();
  }
  void setFollowable(bool followable) {
    ask([&] { return followable_ = followable; });
  }
  stats::Store& store() { return store_; }

private:
  std::vector<int> listeningSockets(const std::string& address) const override {
    std::vector<int> found;
    for (const net::Fd& socket : sockets_) {
      if (address == "1.2.3.4:5") {
        found.push_back(socket.get());
      }
    }
    return found;
  }
  std::vector<int> adminSocket(const std::string&) const override { return {}; }
  void pauseAdmin(bool paused) override { absl::StrAppend(&told_, paused ? "pause," : "go on,"); }
  void drainForChild(base::Duration time) override {
    absl::StrAppend(&told_, "drain ", std::chrono::duration_cast<seconds>(time).count(), ",");
  }
  void endForChild() override { absl::StrAppend(&told_, "end,"); }
  bool mayBeFollowed() const override { return followable_; }
  uint64_t connections() const override { return 7; }

  base::SystemClock clock_;
  event::Loop loop_{"parent", clock_};
  stats::Store store_{1, {}};
  Options claimed_;
  std::vector<net::Fd> sockets_;
  std::string told_;
  bool followable_ = true;
  std::thread thread_;
};

class HotRestartTest : public testing::Test {
protected:
  Options of(uint32_t epoch, uint32_t base_id = 0) {
    Options options;
    options.socket_path = absl::StrFormat("@culvert_test_%d_%d", ::getpid(), base_id);
    options.base_id_set = true;
    options.restart_epoch = epoch;
    options.parent_shutdown_time_s = 30;
    return options;
  }
  absl::StatusOr<std::unique_ptr<ParentProcess>> connect(uint32_t epoch = 1) {
    return ParentProcess::connect(loop_, store_, options_ = of(epoch));
  }

  base::SystemClock clock_;
  event::Loop loop_{"main", clock_};
  stats::Store store_{1, {}};
  Options options_;
};

TEST_F(HotRestartTest, ChildLearnsOfTheEpochsBefore) {
  Parent parent(of(0));
  auto process = connect();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->generation(), 4u);
  EXPECT_EQ((*process)->firstStart(), base::Instant(seconds(9)));
}

TEST_F(HotRestartTest, EverySocketOfAnAddressIsGiven) {
  Parent parent(of(0), 150); // More than one message takes.
  auto process = connect();
  ASSERT_TRUE(process.ok());
  const auto sockets = (*process)->sockets(*net::Address::parseIp("1.2.3.4", 5));
  ASSERT_EQ(sockets.size(), 150u);
  int listens = 0;
  socklen_t length = sizeof(listens);
  ASSERT_EQ(::getsockopt(sockets.back().get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &length), 0);
  EXPECT_EQ(listens, 1);
  EXPECT_TRUE((*process)->sockets(*net::Address::parseIp("1.2.3.4", 6)).empty());
}

TEST_F(HotRestartTest, ChildThatEndsEarlyLeavesTheParentAsItWas) {
  Parent parent(of(0));
  {
    auto process = connect();
    ASSERT_TRUE(process.ok());
    (*process)->takeAdmin();
    ASSERT_TRUE(parent.wasTold("pause,"));
  }
  EXPECT_TRUE(parent.wasTold("pause,go on,"));
  EXPECT_TRUE(connect().ok()); // The next one may try.
}

TEST_F(HotRestartTest, ParentDrainsTellsAndEnds) {
  Parent parent(of(0));
  parent.ask([&] {
    parent.store().root().counter("a").add(5);
    return 0;
  });
  auto process = connect();
  ASSERT_TRUE(process.ok());
  store_.root().counter("a").add(1);
  (*process)->drain();
  for (int i = 0; i < 100 && (*process)->connections() == 0; i++) {
    loop_.runOnce(true);
  }
  EXPECT_EQ((*process)->connections(), 7u);
  EXPECT_EQ(store_.findCounter("a")->value(), 6u);
  (*process)->terminate();
  EXPECT_TRUE(parent.wasTold("drain 30,end,"));
}

TEST_F(HotRestartTest, WhatDoesNotFitIsRefused) {
  EXPECT_TRUE(absl::IsUnavailable(connect().status())); // Nobody is there.
  Parent parent(of(2));
  parent.setFollowable(false);
  EXPECT_EQ(connect(3).status().message(),
            "the running process has not started yet, or is stopping");
}

TEST_F(HotRestartTest, OtherVersionsAndEpochsAreRefused) {
  Parent parent(of(0));
  for (const auto& [version, epoch, text] :
       {std::tuple{"culvert.0", 1u, "has hot restart version culvert.1, this one culvert.0"},
        std::tuple{kHotRestartVersion, 5u, "is of epoch 0, so that the next one is 1, not 5"}}) {
    auto channel = RestartChannel::connect(restartSocket(of(0), 0), seconds(5));
    ASSERT_TRUE(channel.ok());
    hot_restart::Request request;
    request.mutable_hello()->set_version(version);
    request.mutable_hello()->set_epoch(epoch);
    ASSERT_TRUE(channel->send(request).ok());
    hot_restart::Answer answer;
    std::vector<net::Fd> none;
    ASSERT_TRUE(channel->receive(answer, none, true).ok());
    EXPECT_NE(answer.refused().find(text), std::string::npos) << answer.refused();
  }
}

TEST_F(HotRestartTest, WhoeverDoesNotGreetIsCutOff) {
  Parent parent(of(0));
  auto channel = RestartChannel::connect(restartSocket(of(0), 0), seconds(5));
  hot_restart::Request request;
  request.mutable_terminate();
  ASSERT_TRUE(channel->send(request).ok());
  std::vector<net::Fd> none;
  EXPECT_FALSE(channel->receive(request, none, true).ok());
  channel = RestartChannel::connect(restartSocket(of(0), 0), seconds(5));
  ASSERT_EQ(::send(channel->fd(), "junk", 4, 0), 4);
  EXPECT_FALSE(channel->receive(request, none, true).ok());
  EXPECT_TRUE(connect().ok());
}

TEST_F(HotRestartTest, BaseIdBelongsToOneProcess) {
  Options first = of(0, 1);
  Options second = of(0, 1);
  const auto claimed = claimBaseId(first);
  ASSERT_TRUE(claimed.ok());
  EXPECT_EQ(claimBaseId(second).status().message(),
            "unable to bind domain socket with base_id=0, id=0, errno=98 (see --base-id option)");
  second.base_id_set = false;
  EXPECT_FALSE(claimBaseId(second)->valid()); // Only by default: it starts, but alone.
  EXPECT_EQ(second.warnings.size(), 1u);
  EXPECT_TRUE(second.disable_hot_restart);
}

TEST_F(HotRestartTest, DynamicBaseIdIsWrittenToItsFile) {
  Options options = of(0, 2);
  options.use_dynamic_base_id = true;
  options.base_id_path = testing::TempDir() + "/base_id";
  ASSERT_TRUE(claimBaseId(options)->valid());
  char text[32] = "";
  std::FILE* const file = std::fopen(options.base_id_path.c_str(), "r");
  ASSERT_NE(file, nullptr);
  ASSERT_NE(std::fgets(text, sizeof(text), file), nullptr);
  std::fclose(file);
  EXPECT_EQ(text, absl::StrCat(options.base_id));
}

TEST_F(HotRestartTest, SocketFileThatWasLeftBehindIsTakenAway) {
  Options options = of(0);
  char folder[] = "/tmp/culvert_XXXXXX"; // Short enough for the path of a socket.
  ASSERT_NE(::mkdtemp(folder), nullptr);
  options.socket_path = absl::StrCat(folder, "/hr");
  options.socket_mode = 0600;
  ASSERT_TRUE(claimBaseId(options)->valid()); // Closed again; the file stays.
  EXPECT_TRUE(claimBaseId(options)->valid());
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace culvert::server
