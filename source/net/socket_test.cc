// SPDX-License-Identifier: Apache-2.0
#include "source/net/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "test/kit/peer.h"

namespace culvert::net {
namespace {

using test::Peer;

Address loopback(uint16_t port = 0) { return *Address::parseIp("127.0.0.1", port); }

int option(const Fd& fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  EXPECT_EQ(::getsockopt(fd.get(), level, name, &value, &length), 0);
  return value;
}

// A folder with a name short enough for the paths of sockets.
class Folder {
public:
  Folder() : path_("/tmp/culvert_XXXXXX") { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

private:
  std::string path_;
};

bool answers(const Address& address) {
  absl::StatusOr<Fd> fd = connectTo(address, {});
  return fd.ok() && option(*fd, SOL_SOCKET, SO_ERROR) == 0;
}

TEST(Fd, ClosesWhatItOwnsOnce) {
  const int number = ::dup(0);
  {
    Fd first(number);
    Fd second(std::move(first));
    EXPECT_FALSE(first.valid());
    EXPECT_NE(::fcntl(number, F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(Fd, ClosesWhatItOwnedWhenItGetsAnother) {
  const int number = ::dup(0);
  Fd fd(number);
  fd = Fd();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(ListenOn, AcceptsConnections) {
  const Fd listener = *listenOn(loopback(), {});
  const Address address = Address::localOf(listener.get());
  EXPECT_NE(address.port(), 0);
  Peer client(*connectTo(address, {}));
  Peer accepted(test::acceptFrom(listener.get()));
  EXPECT_EQ(Address::peerOf(accepted.fd()), Address::localOf(client.fd()));
  client.send("hello");
  accepted.take();
  EXPECT_EQ(accepted.received(), "hello");
}

TEST(ListenOn, SaysWhyItCannotBind) {
  ListenOptions alone;
  alone.reuse_port = false;
  const Fd first = *listenOn(loopback(), alone);
  const Address taken = Address::localOf(first.get());
  EXPECT_EQ(listenOn(taken, alone).status().message(),
            "cannot bind '" + taken.toString() + "': Address already in use");
  EXPECT_EQ(listenOn(*Address::parseIp("203.0.113.1", 1), {}).status().message(),
            "cannot bind '203.0.113.1:1': Cannot assign requested address");
}

TEST(ListenOn, SharesAPortOnlyWhenAllWantTo) {
  const Fd first = *listenOn(loopback(), {});
  const Address shared = Address::localOf(first.get());
  EXPECT_TRUE(listenOn(shared, {}).ok());
  ListenOptions alone;
  alone.reuse_port = false;
  EXPECT_FALSE(listenOn(shared, alone).ok());
}

TEST(CheckFree, FindsWhoWouldShareThePort) {
  std::optional<Fd> listener = *listenOn(loopback(), {});
  const Address taken = Address::localOf(listener->get());
  EXPECT_EQ(checkFree(taken).message(),
            "cannot bind '" + taken.toString() + "': Address already in use");
  listener.reset();
  EXPECT_TRUE(checkFree(taken).ok());
}

TEST(ListenOn, LeavesIpv4ToOthersOnAnIpv6Socket) {
  const Fd v6 = *listenOn(*Address::parseIp("::", 0), {});
  const uint16_t port = Address::localOf(v6.get()).port();
  EXPECT_EQ(option(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_TRUE(listenOn(*Address::parseIp("0.0.0.0", port), {}).ok());
  EXPECT_TRUE(answers(*Address::parseIp("::1", port)));
}

TEST(ListenOn, TakesIpv4OnAnIpv6SocketThatIsTold) {
  const Fd both = *listenOn(*Address::parseIp("::", 0)->withIpv4(), {});
  const uint16_t port = Address::localOf(both.get()).port();
  EXPECT_TRUE(answers(*Address::parseIp("127.0.0.1", port)));
  EXPECT_TRUE(answers(*Address::parseIp("::1", port)));
}

TEST(ConnectTo, ReachesAMappedAddressOnlyWhenTold) {
  const Fd listener = *listenOn(loopback(), {});
  const uint16_t port = Address::localOf(listener.get()).port();
  const Address mapped = *Address::parseIp("::ffff:127.0.0.1", port);
  EXPECT_EQ(connectTo(mapped, {}).status().message(),
            "immediate connect error: Network is unreachable|remote address:" + mapped.toString());
  EXPECT_TRUE(connectTo(*mapped.withIpv4(), {}).ok());
}

TEST(ListenOn, DoesNotDelaySmallMessagesOfItsConnections) {
  const Fd listener = *listenOn(loopback(), {});
  const Peer client(*connectTo(Address::localOf(listener.get()), {}));
  EXPECT_EQ(option(test::acceptFrom(listener.get()), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(ListenOn, AppliesItsOptions) {
  ListenOptions options;
  addKeepalive({.probes = 3, .time_s = 40, .interval_s = 5}, options.options);
  options.options.push_back(
      SocketOption::ofInt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, SocketOption::When::kAfterListen));
  const Fd listener = *listenOn(loopback(), options);
  EXPECT_EQ(option(listener, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(listener, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option(listener, IPPROTO_TCP, TCP_KEEPIDLE), 40);
  EXPECT_EQ(option(listener, IPPROTO_TCP, TCP_KEEPINTVL), 5);
  EXPECT_GT(option(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}

TEST(ListenOn, NamesAnOptionThatTheKernelRefuses) {
  for (const auto when : {SocketOption::When::kBeforeBind, SocketOption::When::kAfterBind,
                          SocketOption::When::kAfterListen}) {
    ListenOptions options;
    options.options.push_back(SocketOption::ofInt(9999, 77, 1, when));
    EXPECT_EQ(listenOn(loopback(), options).status().message(),
              "cannot set socket option 9999/77: Protocol not available");
  }
}

TEST(ListenOn, RemovesASocketFileThatNobodyServes) {
  const Folder folder;
  const Address address = *Address::pipe(folder / "stale");
  {
    const Fd gone = *listenOn(address, {});
  }
  struct stat info;
  ASSERT_EQ(::stat(address.path().c_str(), &info), 0) << "the file outlives the socket";
  const Fd listener = *listenOn(address, {});
  EXPECT_TRUE(answers(address));
}

TEST(ListenOn, LeavesASocketFileThatSomebodyServes) {
  const Folder folder;
  const Address address = *Address::pipe(folder / "served");
  const Fd first = *listenOn(address, {});
  EXPECT_EQ(listenOn(address, {}).status().message(),
            "cannot bind '" + address.path() + "': Address already in use");
  EXPECT_TRUE(answers(address));
}

TEST(ListenOn, LeavesAFileThatIsNoSocket) {
  const Folder folder;
  const std::string path = folder / "file";
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listenOn(*Address::pipe(path), {}).ok());
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "precious");
}

TEST(ListenOn, GivesASocketFileItsMode) {
  const Folder folder;
  const std::string path = folder / "mode";
  ListenOptions options;
  options.pipe_mode = 0600;
  const Fd listener = *listenOn(*Address::pipe(path), options);
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(ListenOn, ServesAnAbstractSocketWithoutAFile) {
  const Address address = *Address::pipe("@culvert-test-" + std::to_string(::getpid()));
  ListenOptions options;
  options.pipe_mode = 0600; // Of no meaning here.
  const Fd listener = *listenOn(address, options);
  EXPECT_TRUE(answers(address));
  EXPECT_EQ(Address::localOf(listener.get()), address);
}

TEST(ConnectTo, BindsItsSource) {
  const Fd listener = *listenOn(loopback(), {});
  ConnectOptions options;
  options.source = *Address::parseIp("127.0.0.9", 0);
  const Fd client = *connectTo(Address::localOf(listener.get()), options);
  EXPECT_EQ(Address::peerOf(test::acceptFrom(listener.get()).get()).ipString(), "127.0.0.9");
}

TEST(ConnectTo, TellsABadSourceFromABadHost) {
  ConnectOptions options;
  options.source = *Address::parseIp("203.0.113.1", 0);
  const absl::Status of_source = connectTo(loopback(1), options).status();
  EXPECT_EQ(of_source.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(of_source.message(),
            "failed to bind to 203.0.113.1:0: Cannot assign requested address");
  const absl::Status of_host = connectTo(*Address::pipe("/nowhere"), {}).status();
  EXPECT_EQ(of_host.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(of_host.message(),
            "immediate connect error: No such file or directory|remote address:/nowhere");
}

TEST(ConnectTo, AppliesItsOptions) {
  const Fd listener = *listenOn(loopback(), {});
  ConnectOptions options;
  addKeepalive({.probes = 7, .time_s = {}, .interval_s = {}}, options.options);
  const Fd client = *connectTo(Address::localOf(listener.get()), options);
  EXPECT_EQ(option(client, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(client, IPPROTO_TCP, TCP_KEEPCNT), 7);
  EXPECT_EQ(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
}

} // namespace
} // namespace culvert::net
