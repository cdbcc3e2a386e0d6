// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/net/dns_resolver.h"

namespace culvert::test {

// DNS as the test wants it: each question waits until answered. Threads: the test's.
class FakeResolver final : public net::DnsResolver {
public:
  struct Query final : net::DnsQuery {
    Query(FakeResolver& asked, std::string of) : owner(asked), name(std::move(of)) {}
    ~Query() override { owner.waiting.erase(name); }
    FakeResolver& owner;
    const std::string name;
  };

  std::unique_ptr<net::DnsQuery> resolve(const std::string& name, net::DnsFamily wanted,
                                         Done done) override {
    asked++;
    family = wanted;
    waiting[name] = std::move(done);
    return std::make_unique<Query>(*this, name);
  }

  void answer(const std::string& name, const std::vector<std::string>& addresses, int ttl_s = 30) {
    net::DnsAnswer answer;
    answer.ok = true;
    for (const std::string& address : addresses) {
      answer.addresses.push_back({*net::Address::parseIp(address, 0), std::chrono::seconds(ttl_s)});
    }
    const Done done = waiting.at(name);
    done(std::move(answer));
  }
  void fail(const std::string& name) {
    const Done done = waiting.at(name);
    done({});
  }

  std::map<std::string, Done> waiting;
  net::DnsFamily family = net::DnsFamily::kAuto; // Last wanted.
  int asked = 0;
};

} // namespace culvert::test
