// SPDX-License-Identifier: Apache-2.0
#include "source/event/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"

namespace culvert::event {
namespace {

constexpr char kDate[] = "date: Tue, 14 Nov 2023 22:13:21 GMT\r\n";

// A client in the test's own thread: each wait turns the server's loop.
class Client {
public:
  Client(Loop& loop, const sockaddr* address, socklen_t length) : loop_(loop) {
    fd_ = socket(address->sa_family, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd_, address, length), 0);
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  void send(const std::string& text) {
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      sent += n > 0 ? n : 0;
      loop_.runOnce(false);
    }
  }
  // Reads until the text ends so, or the peer closes.
  std::string read(const std::string& end) {
    std::string text;
    for (int turns = 0; turns < 100000 && (end.empty() || !absl::EndsWith(text, end)); turns++) {
      loop_.runOnce(false);
      char buffer[4096];
      const ssize_t n = ::read(fd_, buffer, sizeof(buffer));
      if (n == 0)
        break;
      text.append(buffer, n > 0 ? n : 0);
    }
    return text;
  }
  std::string ask(const std::string& request, const std::string& end = "0\r\n\r\n") {
    send(request);
    return read(end);
  }

private:
  Loop& loop_;
  int fd_;
};

class HttpServerTest : public testing::Test {
protected:
  HttpServerTest() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listenOn(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }

  void listenOn(const sockaddr* address, socklen_t length) {
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ASSERT_EQ(bind(fd, address, length), 0);
    ASSERT_EQ(listen(fd, 128), 0);
    length_ = sizeof(address_);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address_), &length_);
    server_->serve(fd);
  }
  std::unique_ptr<Client> client() {
    return std::make_unique<Client>(loop_, reinterpret_cast<sockaddr*>(&address_), length_);
  }

  SimulatedClock clock_;
  Loop loop_{"main", clock_};
  HttpRequest request_;
  HttpResponse response_;
  int opened_ = 0;
  int closed_ = 0;
  std::unique_ptr<HttpServer> server_ = std::make_unique<HttpServer>(
      loop_, "envoy",
      HttpServer::Callbacks{[this](const HttpRequest& request, HttpResponse& response) {
                              request_ = request;
                              response = response_;
                            },
                            [this] { opened_++; }, [this] { closed_++; }});
  sockaddr_storage address_{};
  socklen_t length_ = 0;
};

TEST_F(HttpServerTest, AnswersWithEnvoysHeaderFields) {
  response_.body = "LIVE\n";
  EXPECT_EQ(client()->ask("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"),
            absl::StrCat("HTTP/1.1 200 OK\r\n"
                         "content-type: text/plain; charset=UTF-8\r\n"
                         "cache-control: no-cache, max-age=0\r\n"
                         "x-content-type-options: nosniff\r\n",
                         kDate,
                         "server: envoy\r\n"
                         "transfer-encoding: chunked\r\n"
                         "\r\n"
                         "5\r\nLIVE\n\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, ReadsTargetParametersAndForm) {
  client()->ask("POST /a/b?x=1&flag&y=%2Ba%zz+c&x=2 HTTP/1.1\r\nHost: h\r\nUser-Agent: ua\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\n"
                "form=a%3");
  EXPECT_EQ(request_.method, "POST");
  EXPECT_EQ(request_.target, "/a/b?x=1&flag&y=%2Ba%zz+c&x=2");
  EXPECT_EQ(request_.path, "/a/b");
  EXPECT_EQ(request_.host, "h");
  EXPECT_EQ(request_.user_agent, "ua");
  EXPECT_TRUE(absl::StartsWith(request_.peer, "127.0.0.1:")) << request_.peer;
  EXPECT_EQ(request_.body, "form=a%3");
  EXPECT_EQ(request_.parameter("x"), "1");
  EXPECT_EQ(request_.parameter("y"), "+a%zz+c");
  EXPECT_EQ(request_.parameter("form"), "a%3");
  EXPECT_TRUE(request_.has("flag"));
  EXPECT_FALSE(request_.has("none"));
}

TEST_F(HttpServerTest, SendsNoBodyForHead) {
  response_.body = "LIVE\n";
  const auto peer = client();
  EXPECT_TRUE(absl::EndsWith(peer->ask("HEAD /ready HTTP/1.1\r\nhost: x\r\n\r\n", "\r\n\r\n"),
                             "transfer-encoding: chunked\r\n\r\n"));
  EXPECT_TRUE(absl::EndsWith(peer->ask("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"),
                             "\r\n\r\n5\r\nLIVE\n\r\n0\r\n\r\n"))
      << "the connection goes on";
}

TEST_F(HttpServerTest, AsksHttp10ToUpgrade) {
  EXPECT_EQ(client()->ask("GET /ready HTTP/1.0\r\n\r\n", ""),
            absl::StrCat("HTTP/1.1 426 Upgrade Required\r\n"
                         "content-length: 16\r\n"
                         "content-type: text/plain\r\n",
                         kDate,
                         "server: envoy\r\n"
                         "connection: close\r\n"
                         "\r\n"
                         "Upgrade Required"));
}

TEST_F(HttpServerTest, RefusesGarbageAndWhatIsTooLarge) {
  EXPECT_TRUE(
      absl::StartsWith(client()->ask("garbage\r\n\r\n", ""), "HTTP/1.1 400 Bad Request\r\n"));
  const std::string large(HttpServer::kHeaderBytesMax + 1, 'a');
  EXPECT_EQ(client()->ask("GET / HTTP/1.1\r\nbig: " + large + "\r\n\r\n", "").substr(0, 12),
            "HTTP/1.1 400");
  const std::string post = absl::StrCat(
      "POST / HTTP/1.1\r\ncontent-length: ", HttpServer::kBodyBytesMax + 1, "\r\n\r\n");
  EXPECT_EQ(client()->ask(post, "").substr(0, 12), "HTTP/1.1 413");
}

TEST_F(HttpServerTest, SendsLargeAnswersAndClosesWhenAsked) {
  response_.body.assign(10'000'000, 'x');
  const std::string answer =
      client()->ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "");
  EXPECT_GT(answer.size(), response_.body.size());
  EXPECT_TRUE(absl::EndsWith(answer, "x\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, CountsConnections) {
  {
    const auto talking = client();
    talking->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    const auto silent = client();
    while (opened_ < 2)
      loop_.runOnce(false);
    EXPECT_EQ(server_->connections(), 2u);
    EXPECT_EQ(closed_, 0);
  }
  while (closed_ < 1)
    loop_.runOnce(false);
  clock_.advance(std::chrono::seconds(2 * HttpServer::kIdleSeconds + 2));
  loop_.runOnce(false);
  EXPECT_EQ(closed_, 2);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpServerTest, StopsAcceptingWhenItHasEnough) {
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < HttpServer::kConnectionsMax; i++) {
    clients.push_back(client());
    clients.back()->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  }
  const auto waiting = client();
  for (int i = 0; i < 10; i++)
    loop_.runOnce(false);
  EXPECT_EQ(server_->connections(), HttpServer::kConnectionsMax);
  clients.pop_back();
  EXPECT_TRUE(absl::StartsWith(waiting->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), "HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ServesAUnixSocket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The kernel names it: the test's folder has too long a path for a socket.
  listenOn(reinterpret_cast<sockaddr*>(&address), sizeof(address.sun_family));
  EXPECT_TRUE(absl::StartsWith(client()->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), "HTTP/1.1 200"));
  EXPECT_EQ(request_.peer, "");
}

TEST_F(HttpServerTest, RefusesConnectionsAfterStopListening) {
  const auto old = client();
  old->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  server_->stopListening();
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&address_), length_), 0);
  ::close(fd);
  EXPECT_TRUE(absl::StartsWith(old->ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n"), "HTTP/1.1 200"));
}

} // namespace
} // namespace culvert::event
