// SPDX-License-Identifier: Apache-2.0
#include "source/net/dns_resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <map>
#include <optional>
#include <thread>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "source/net/socket.h"

namespace culvert::net {
namespace {

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;

std::string bigEndian(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) {
    text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

// A name server on loopback, on the test's own loop: every name has the records that it was given.
class NameServer {
public:
  enum Code : uint8_t { kNoError = 0, kServerFailure = 2, kNoSuchName = 3 };

  explicit NameServer(event::Loop& loop)
      : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        events_(loop, bound(fd_.get()), event::FdEvents::Callback::to<&NameServer::onReady>(this)) {
    events_.setRead(event::FdEvents::ReadInterest::kData);
  }

  Address address() const { return Address::localOf(fd_.get()); }
  void has(uint16_t type, absl::string_view address, uint32_t ttl_s) {
    const Address parsed = *Address::parseIp(address, 0);
    records_[type] += "\xc0\x0c" + bigEndian(type, 2) + bigEndian(1, 2) + bigEndian(ttl_s, 4) +
                      bigEndian(static_cast<uint32_t>(parsed.ipBytes().size()), 2) +
                      std::string(parsed.ipBytes());
    counts_[type]++;
  }

  Code code = kNoError;
  std::vector<uint16_t> asked; // Types.

private:
  static int bound(int fd) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
    return fd;
  }

  void onReady(uint32_t) {
    char query[512];
    sockaddr_storage from{};
    socklen_t length = sizeof(from);
    const ssize_t got =
        ::recvfrom(fd_.get(), query, sizeof(query), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got <= 12) {
      return;
    }
    size_t end = 12; // Of the question's name.
    while (query[end] != 0) {
      end += 1 + static_cast<unsigned char>(query[end]);
    }
    const uint16_t type = static_cast<uint16_t>(query[end + 1] << 8 | query[end + 2]);
    asked.push_back(type);
    const uint32_t count = code == kNoError ? counts_[type] : 0;
    const std::string reply = std::string(query, 2) + bigEndian(0x8180u | code, 2) +
                              bigEndian(1, 2) + bigEndian(count, 2) + bigEndian(0, 4) +
                              std::string(query + 12, end + 5 - 12) +
                              (count > 0 ? records_[type] : "");
    ::sendto(fd_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }

  Fd fd_;
  event::FdEvents events_;
  std::map<uint16_t, std::string> records_;
  std::map<uint16_t, uint32_t> counts_;
};

class DnsResolverTest : public testing::Test {
protected:
  DnsAnswer ask(const std::string& name, DnsFamily family) {
    std::optional<DnsAnswer> answer;
    const auto query =
        resolver.resolve(name, family, [&](DnsAnswer given) { answer = std::move(given); });
    const base::Instant deadline = clock.now() + std::chrono::seconds(10);
    while (!answer.has_value() && clock.now() < deadline) {
      loop.runOnce(false);
      std::this_thread::yield();
    }
    return answer.value_or(DnsAnswer());
  }
  static std::string text(const DnsAnswer& answer) {
    std::string all;
    for (const DnsAddress& address : answer.addresses) {
      all += (all.empty() ? "" : " ") + address.address.ipString();
    }
    return all;
  }
  uint64_t count(const std::string& name) {
    return store.findCounter("dns.cares." + name)->value();
  }

  base::SystemClock clock;
  stats::Store store{1, {}};
  event::Loop loop{"test", clock};
  NameServer server{loop};
  CaresResolver resolver{loop, store.root(), {server.address()}};
};

TEST_F(DnsResolverTest, FindsAddressesAndTheirTimeToLive) {
  server.has(kTypeA, "10.0.0.1", 30);
  server.has(kTypeA, "10.0.0.2", 20);
  const DnsAnswer answer = ask("web.lab.test", DnsFamily::kV4Only);
  EXPECT_TRUE(answer.ok);
  EXPECT_EQ(text(answer), "10.0.0.1 10.0.0.2");
  EXPECT_EQ(answer.addresses[1].ttl, std::chrono::seconds(20));
  EXPECT_EQ(count("resolve_total"), 1u);
  EXPECT_EQ(store.findGauge("dns.cares.pending_resolutions")->value(), 0u);
}

TEST_F(DnsResolverTest, AutoTakesIpv6AndDoesNotAskFurther) {
  server.has(kTypeA, "10.0.0.1", 30);
  server.has(kTypeAaaa, "fd00::1", 30);
  EXPECT_EQ(text(ask("web.lab.test", DnsFamily::kAuto)), "fd00::1");
  EXPECT_EQ(server.asked, (std::vector<uint16_t>{kTypeAaaa}));
}

TEST_F(DnsResolverTest, AutoFallsBackToIpv4) {
  server.has(kTypeA, "10.0.0.1", 30);
  EXPECT_EQ(text(ask("web.lab.test", DnsFamily::kAuto)), "10.0.0.1");
  EXPECT_EQ(server.asked, (std::vector<uint16_t>{kTypeAaaa, kTypeA}));
  EXPECT_EQ(count("resolve_total"), 2u);
  EXPECT_EQ(count("not_found"), 1u);
}

TEST_F(DnsResolverTest, V4PreferredIsTheOtherWayRound) {
  server.has(kTypeAaaa, "fd00::1", 30);
  EXPECT_EQ(text(ask("web.lab.test", DnsFamily::kV4Preferred)), "fd00::1");
  EXPECT_EQ(server.asked, (std::vector<uint16_t>{kTypeA, kTypeAaaa}));
}

TEST_F(DnsResolverTest, AllTakesBoth) {
  server.has(kTypeA, "10.0.0.1", 30);
  server.has(kTypeAaaa, "fd00::1", 30);
  EXPECT_EQ(ask("web.lab.test", DnsFamily::kAll).addresses.size(), 2u);
}

TEST_F(DnsResolverTest, ANameThatIsNotThereIsAnAnswer) {
  server.code = NameServer::kNoSuchName;
  const DnsAnswer answer = ask("web.lab.test", DnsFamily::kV4Only);
  EXPECT_TRUE(answer.ok);
  EXPECT_TRUE(answer.addresses.empty());
  EXPECT_EQ(count("not_found"), 1u);
}

TEST_F(DnsResolverTest, AServerFailureIsNoneAndStartsAnew) {
  server.code = NameServer::kServerFailure;
  const DnsAnswer answer = ask("web.lab.test", DnsFamily::kV4Only);
  EXPECT_FALSE(answer.ok);
  EXPECT_FALSE(answer.error.empty());
  EXPECT_EQ(count("get_addr_failure"), 1u);
  server.code = NameServer::kNoError;
  server.has(kTypeA, "10.0.0.1", 30);
  EXPECT_EQ(text(ask("web.lab.test", DnsFamily::kV4Only)), "10.0.0.1");
  EXPECT_EQ(count("reinits"), 1u);
}

TEST_F(DnsResolverTest, AnAddressNeedsNoServer) {
  EXPECT_EQ(text(ask("192.0.2.7", DnsFamily::kAuto)), "192.0.2.7");
  EXPECT_EQ(text(ask("::1", DnsFamily::kAuto)), "::1");
  EXPECT_TRUE(server.asked.empty());
}

TEST_F(DnsResolverTest, ReadsTheHostsFile) {
  EXPECT_EQ(text(ask("localhost", DnsFamily::kV4Only)), "127.0.0.1");
  EXPECT_TRUE(server.asked.empty());
}

TEST_F(DnsResolverTest, AForgottenQuestionCallsNobody) {
  bool called = false;
  resolver.resolve("192.0.2.7", DnsFamily::kV4Only, [&](DnsAnswer) { called = true; }).reset();
  loop.runOnce(false);
  loop.runOnce(false);
  EXPECT_FALSE(called);
}

} // namespace
} // namespace culvert::net
