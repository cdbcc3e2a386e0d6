// SPDX-License-Identifier: Apache-2.0
// Handshakes that a peer, or somebody between, has damaged. The first byte says how: 0, the rest is
// what a client sends; 1, what a server sends; else the rest are changes to the bytes of an honest
// handshake, three bytes each: a place (two bytes) and what to flip there; the lowest bit of the
// first byte says in which direction.
#include <cstdint>
#include <memory>
#include <string>

#include "source/base/check.h"
#include "source/base/clock.h"
#include "source/stats/store.h"
#include "source/tls/certificates_for_test.h"
#include "source/tls/context.h"
#include "source/tls/pipe_for_test.h"

namespace culvert::tls {
namespace {

constexpr int kRoundsMax = 64;
constexpr absl::string_view kHello = "hello";

CertificateConfig certificateOf(const AuthorityForTest::Made& made) {
  CertificateConfig config;
  config.chain = Source{made.pem(), "<inline>"};
  config.key = Source{made.keyPem(), "<inline>"};
  return config;
}

// Both sides' contexts, made once.
struct World {
  World() {
    ValidationConfig rules;
    rules.trusted_ca = Source{authority.pem(), "<inline>"};
    rules.sans = {{SanType::kUri, *match::StringMatch::create(match::StringMatch::Kind::kPrefix,
                                                              "spiffe://lab.test/")}};
    ContextConfig config;
    config.alpn_protocols = {"h2", "lab/1"};
    config.validation = rules;
    CertificateForTest wish;
    wish.sans = "URI:spiffe://lab.test/x,DNS:lab.test";
    config.certificates = {certificateOf(authority.issue(wish))};
    server = *Context::createServer(config, {}, Stats::create(loop, store.root(), "server"));
    ClientConfig asks;
    asks.sessions_max = 0; // Each input is for itself.
    for (const Version version : {Version::k1_2, Version::k1_3}) {
      config.params.max = version;
      clients[version == Version::k1_3] =
          *Context::createClient(config, asks, Stats::create(loop, store.root(), "client"));
    }
  }

  base::SystemClock clock;
  event::Loop loop{"fuzz", clock};
  stats::Store store{1, {}};
  AuthorityForTest authority;
  std::shared_ptr<const Context> server;
  std::shared_ptr<const Context> clients[2];
};

struct End {
  std::unique_ptr<net::Io> io;
  std::string received;
  bool opened = false;
  bool ended = false;

  // One turn, as a Connection would take it.
  void turn() {
    if (!opened && !ended) {
      const net::IoResult result = io->open();
      opened = result.status == net::IoStatus::kOk;
      ended = result.status == net::IoStatus::kReset;
      if (opened) {
        const iovec piece{const_cast<char*>(kHello.data()), kHello.size()};
        io->write({&piece, 1});
      }
    }
    if (opened && !ended) {
      char bytes[4096];
      const net::IoResult result = io->read(absl::MakeSpan(bytes));
      received.append(bytes, result.bytes);
      ended = result.status == net::IoStatus::kReset || result.status == net::IoStatus::kEnd;
    }
    CULVERT_CHECK(!ended || io->failureReason().size() < 4096);
    if (io->tlsInfo() != nullptr) {
      io->tlsInfo()->peer();
      io->tlsInfo()->facts();
    }
  }
};

// Only what was damaged may end otherwise than well.
void carry(World& world, absl::string_view changes, bool to_server, bool tls13) {
  std::string up, down, from_client, from_server;
  End server, client;
  server.io = world.server->accept(world.loop, std::make_unique<PipeForTest>(up, from_server));
  client.io = world.clients[tls13]->connect(
      world.loop, std::make_unique<PipeForTest>(down, from_client), "lab.test");
  size_t offset = 0;
  bool damaged = false;
  const auto move = [&](std::string& from, std::string& to, bool damage) {
    for (size_t i = 0; damage && i + 2 < changes.size(); i += 3) {
      const size_t place =
          static_cast<uint8_t>(changes[i]) << 8 | static_cast<uint8_t>(changes[i + 1]);
      if (place >= offset && place < offset + from.size() && changes[i + 2] != 0) {
        from[place - offset] = static_cast<char>(from[place - offset] ^ changes[i + 2]);
        damaged = true;
      }
    }
    offset += damage ? from.size() : 0;
    to += from;
    from.clear();
  };
  for (int i = 0; i < kRoundsMax; i++) {
    client.turn();
    move(from_client, up, to_server);
    server.turn();
    move(from_server, down, !to_server);
  }
  CULVERT_CHECK(damaged || (client.received == kHello && server.received == kHello));
  CULVERT_CHECK(kHello.substr(0, server.received.size()) == server.received);
  CULVERT_CHECK(kHello.substr(0, client.received.size()) == client.received);
}

void throwAt(std::unique_ptr<net::Io> io) {
  End end;
  end.io = std::move(io);
  for (int i = 0; i < kRoundsMax && !end.ended; i++) {
    end.turn();
  }
  CULVERT_CHECK(end.received.empty()); // Nobody knows the keys.
}

} // namespace
} // namespace culvert::tls

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culvert::tls;
  static World* const world = new World;
  if (size == 0) {
    return 0;
  }
  const absl::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  std::string in(rest), out;
  auto transport = std::make_unique<PipeForTest>(in, out);
  switch (data[0]) {
  case 0:
    throwAt(world->server->accept(world->loop, std::move(transport)));
    break;
  case 1:
    throwAt(world->clients[1]->connect(world->loop, std::move(transport), "lab.test"));
    break;
  default:
    carry(*world, rest, (data[0] & 1) != 0, (data[0] & 2) != 0);
  }
  world->loop.runOnce(false);
  return 0;
}
