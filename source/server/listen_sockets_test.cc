// SPDX-License-Identifier: Apache-2.0
#include "source/server/listen_sockets.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace culvert::server {
namespace {

net::Address anyPort() { return *net::Address::parseIp("127.0.0.1", 0); }

net::ListenOptions options(bool reuse_port = true) {
  net::ListenOptions options;
  options.reuse_port = reuse_port;
  return options;
}

// As if they came from the process of before.
std::vector<net::Fd> copies(const ListenSockets& sockets) {
  std::vector<net::Fd> fds;
  for (const ListenSocket& socket : sockets.all()) {
    fds.emplace_back(::dup(socket->get()));
  }
  return fds;
}

TEST(ListenSockets, EachWorkerHasItsOwn) {
  auto sockets = ListenSockets::bind(anyPort(), options(), 3);
  ASSERT_TRUE(sockets.ok());
  EXPECT_NE(sockets->address().port(), 0);
  EXPECT_EQ(sockets->all().size(), 3u);
  EXPECT_EQ(sockets->ofWorker(2), std::vector<ListenSocket>{sockets->all()[2]});
}

TEST(ListenSockets, WorkersShareOneThatIsAlone) {
  auto sockets = ListenSockets::bind(anyPort(), options(false), 3);
  ASSERT_TRUE(sockets.ok());
  for (const uint32_t worker : {0u, 1u, 2u}) {
    EXPECT_EQ(sockets->ofWorker(worker), sockets->all());
  }
  EXPECT_EQ(sockets->all().size(), 1u);
}

TEST(ListenSockets, FewerWorkersThanBeforeServeAll) {
  const auto before = ListenSockets::bind(anyPort(), options(), 3);
  ASSERT_TRUE(before.ok());
  ListenSockets now = ListenSockets::inherit(options(), 2, copies(*before));
  EXPECT_EQ(now.address(), before->address());
  EXPECT_EQ(now.ofWorker(0).size(), 2u);
  EXPECT_EQ(now.ofWorker(1).size(), 1u);
}

TEST(ListenSockets, MoreWorkersThanBeforeGetTheirOwnWhenTheyBegin) {
  const auto before = ListenSockets::bind(anyPort(), options(), 2);
  ASSERT_TRUE(before.ok());
  ListenSockets now = ListenSockets::inherit(options(), 4, copies(*before));
  EXPECT_EQ(now.all().size(), 2u);
  for (const uint32_t worker : {0u, 1u, 2u, 3u}) {
    EXPECT_EQ(now.ofWorker(worker).size(), 1u);
  }
  EXPECT_EQ(now.all().size(), 4u);
  EXPECT_EQ(net::Address::localOf(now.all()[3]->get()), before->address());
}

TEST(ListenSockets, MoreWorkersShareWhatIsNotTheirOwn) {
  const auto before = ListenSockets::bind(anyPort(), options(false), 1);
  ASSERT_TRUE(before.ok());
  ListenSockets now = ListenSockets::inherit(options(), 2, copies(*before));
  EXPECT_EQ(now.ofWorker(0), now.all());
  EXPECT_EQ(now.ofWorker(1), now.all());
}

TEST(ListenSockets, UnixSocketsKeepTheirFile) {
  char folder[] = "/tmp/culvert_XXXXXX"; // Short enough for the path of a socket.
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = absl::StrCat(folder, "/s");
  const auto before = ListenSockets::bind(*net::Address::pipe(path), options(), 2);
  ASSERT_TRUE(before.ok()) << before.status();
  const ListenSockets now = ListenSockets::inherit(options(), 2, copies(*before));
  EXPECT_EQ(now.address().toString(), path);
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  ::unlink(path.c_str());
  ::rmdir(folder);
}

} // namespace
} // namespace culvert::server
