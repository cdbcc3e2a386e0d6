// SPDX-License-Identifier: Apache-2.0
// Peers that do not keep to the protocol.
#include <csignal>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "source/tls/context_fixture_for_test.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls {
namespace {

// What the server says of a client that sends `bytes` and then nothing more, or its end, and what
// it says to that client.
struct Garbage {
  std::string bytes;
  bool end;
  std::string failure;
  int alert = kNone;

  static constexpr int kNone = -1;
};

// All that comes until the connection is over.
std::string readToEnd(int fd) {
  std::string all;
  char bytes[64];
  ssize_t got;
  while ((got = ::recv(fd, bytes, sizeof(bytes), 0)) > 0) {
    all.append(bytes, static_cast<size_t>(got));
  }
  return all;
}

// The description in a record that is a fatal alert.
int alertIn(absl::string_view record) {
  return record.size() == 7 && record[0] == 21 && record[5] == 2 ? record[6] : Garbage::kNone;
}

class GarbageTest : public ContextTest, public testing::WithParamInterface<Garbage> {};

TEST_P(GarbageTest, EndsTheHandshake) {
  makeContexts();
  down_ = std::make_unique<EndForTest>();
  down_->start(pair_.loop(), server_context_->accept(pair_.loop(), pair_.io(0)));
  const net::Fd peer = pair_.take(1);
  ASSERT_EQ(::send(peer.get(), GetParam().bytes.data(), GetParam().bytes.size(), 0),
            static_cast<ssize_t>(GetParam().bytes.size()));
  if (GetParam().end) {
    ::shutdown(peer.get(), SHUT_WR);
  }
  EXPECT_TRUE(pair_.until([&] { return down_->closed; }));
  EXPECT_EQ(down_->failure(), GetParam().failure);
  EXPECT_EQ(serverStat("connection_error"), GetParam().failure.empty() ? 0u : 1u);
  EXPECT_EQ(serverStat("handshake"), 0u);
  if (!GetParam().end) {
    EXPECT_EQ(alertIn(readToEnd(peer.get())), GetParam().alert);
  }
}

std::string sslError(absl::string_view what) {
  return absl::StrCat("TLS_error:|", what, ":TLS_error_end");
}

INSTANTIATE_TEST_SUITE_P(
    , GarbageTest,
    testing::Values(
        Garbage{"GET / HTTP/1.1\r\n\r\n", false,
                sslError("268435612:SSL routines:OPENSSL_internal:HTTP_REQUEST")},
        Garbage{"hello world, this is no TLS", false,
                sslError("268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
                SSL_AD_PROTOCOL_VERSION},
        Garbage{std::string(40'000, '?'), false, // More than is read before.
                sslError("268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
                SSL_AD_PROTOCOL_VERSION},
        Garbage{std::string("\x17\x03\x03\x00\x05hello", 10), false,
                sslError("268435681:SSL routines:OPENSSL_internal:UNEXPECTED_RECORD"),
                SSL_AD_UNEXPECTED_MESSAGE},
        Garbage{std::string("\x16\x03\x01\xff\xff", 5) + std::string(1000, 'x'), false,
                sslError("268435602:SSL routines:OPENSSL_internal:ENCRYPTED_LENGTH_TOO_LONG"),
                SSL_AD_RECORD_OVERFLOW},
        Garbage{std::string("\x16\x03\x01", 3), true, ""}, Garbage{"", true, ""}));

TEST_F(ContextTest, DamagedRecordEndsTheConnection) {
  makeContexts();
  // A man in the middle: two pairs, and the test carries the bytes.
  PairForTest& left = pair_;
  down_ = std::make_unique<EndForTest>();
  up_ = std::make_unique<EndForTest>();
  down_->start(left.loop(), server_context_->accept(left.loop(), left.io(0)));
  const net::Fd to_server = left.take(1);
  left.renew();
  up_->start(left.loop(), client_context_->connect(left.loop(), left.io(0), ""));
  const net::Fd to_client = left.take(1);
  bool damage = false;
  const auto carry = [&](int from, int to) {
    char bytes[4096];
    const ssize_t got = ::recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got > 0) {
      bytes[got - 1] = static_cast<char>(bytes[got - 1] ^ (damage ? 1 : 0));
      EXPECT_EQ(::send(to, bytes, static_cast<size_t>(got), 0), got);
    }
  };
  EXPECT_TRUE(left.until([&] {
    carry(to_client.get(), to_server.get());
    carry(to_server.get(), to_client.get());
    return down_->connected && up_->connected;
  }));
  damage = true;
  up_->write("secret");
  EXPECT_TRUE(left.until([&] {
    carry(to_client.get(), to_server.get());
    return down_->closed;
  }));
  EXPECT_EQ(down_->received, "");
  EXPECT_PRED2(has, down_->failure(), "DECRYPTION_FAILED_OR_BAD_RECORD_MAC");
}

// A client that only the library drives.
class BareClient {
public:
  explicit BareClient(net::Fd socket)
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())),
        ssl_(SSL_new(context_.get())) {
    SSL_set_fd(ssl_.get(), socket_.get());
    std::signal(SIGPIPE, SIG_IGN); // The library writes as it likes.
  }
  bool connected() { return SSL_connect(ssl_.get()) == 1; }
  // With what is said next; wants an answer, and does not wait for it.
  bool changeKeys() { return SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1; }
  void say(absl::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
  }
  bool hears(absl::string_view text) {
    char said[16];
    const int got = SSL_read(ssl_.get(), said, sizeof(said));
    return got > 0 && absl::string_view(said, static_cast<size_t>(got)) == text;
  }

private:
  const net::Fd socket_;
  const internal::SslCtxPtr context_;
  const internal::SslPtr ssl_;
};

TEST_F(ContextTest, KeysCanBeChangedOnTheWay) {
  makeContexts();
  down_ = std::make_unique<EndForTest>();
  down_->start(pair_.loop(), server_context_->accept(pair_.loop(), pair_.io(0)));
  BareClient client(pair_.take(1));
  EXPECT_TRUE(pair_.until([&] { return client.connected() && down_->connected; }));
  EXPECT_TRUE(client.changeKeys());
  client.say("behind it");
  EXPECT_TRUE(pair_.until([&] { return down_->received == "behind it"; }));
}

TEST_F(ContextTest, ManyChangesOfKeysLeaveOneAnswer) {
  makeContexts();
  down_ = std::make_unique<EndForTest>();
  down_->start(pair_.loop(), server_context_->accept(pair_.loop(), pair_.io(0)));
  BareClient client(pair_.take(1));
  EXPECT_TRUE(pair_.until([&] { return client.connected() && down_->connected; }));
  constexpr size_t kChanges = 1000;
  for (size_t i = 0; i < kChanges; i++) {
    EXPECT_TRUE(client.changeKeys());
    client.say("x");
    EXPECT_TRUE(pair_.until([&] { return down_->received.size() == i + 1; }));
  }
  down_->write("y");
  EXPECT_TRUE(pair_.until([&] { return client.hears("y"); }));
}

} // namespace
} // namespace culvert::tls
