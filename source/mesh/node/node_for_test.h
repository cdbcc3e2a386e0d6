// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "source/base/check.h"
#include "source/base/clock.h"
#include "source/event/loop.h"
#include "source/mesh/certificates/lab_source.h"
#include "source/mesh/node/node.h"
#include "source/stats/store.h"
#include "source/tls/contexts.h"

namespace culvert::mesh {

// A node that works for the workload shop/NAME, and the table that it knows. Threads: the test's.
class NodeForTest {
public:
  explicit NodeForTest(const std::string& name, bool socks5 = false)
      : node({{name, "shop", name}, "", {}, {}, {}, IllegalPorts(socks5)},
             std::make_unique<Certificates>(contexts_, lab(), TlsRules(), store_.root())) {}
  ~NodeForTest() { ::unlink(file_.c_str()); }

  // A workload of the namespace "shop".
  void add(const std::string& name, const std::string& ip,
           TunnelProtocol protocol = TunnelProtocol::kHbone,
           AppTunnel::Protocol application = AppTunnel::Protocol::kAbsent) {
    auto* const workload = new Workload;
    TextPool& texts = node.table().texts();
    workload->uid = texts.intern("c1//Pod/shop/" + name);
    workload->name = workload->service_account = texts.intern(name);
    workload->ns = texts.intern("shop");
    workload->trust_domain = texts.intern("cluster.local");
    workload->ips.push_back(*Ip::parse(ip));
    workload->protocol = protocol;
    if (application != AppTunnel::Protocol::kAbsent) {
      auto extras = std::make_unique<WorkloadExtras>();
      extras->app_tunnel.protocol = application;
      workload->extras = std::move(extras);
    }
    apply(WorkloadRef(workload));
  }
  // A policy for the namespace "shop" that matches everybody.
  void addPolicy(const std::string& name, Policy::Action action) {
    auto* const policy = new Policy;
    TextPool& texts = node.table().texts();
    policy->key = texts.intern("shop/" + name);
    policy->name = texts.intern(name);
    policy->ns = texts.intern("shop");
    policy->scope = Policy::Scope::kNamespace;
    policy->action = action;
    policy->rules.emplace_back();
    apply(PolicyRef(policy));
  }

private:
  std::unique_ptr<CertificateSource> lab() {
    char folder[] = "/tmp/culvert_node_XXXXXX";
    const int fd = ::mkstemp(folder);
    CULVERT_CHECK(fd >= 0);
    ::close(fd);
    ::unlink(folder);
    file_ = folder;
    auto source = makeLabSource(file_, std::chrono::hours(24), clock_);
    CULVERT_CHECK(source.ok());
    return *std::move(source);
  }
  void apply(Change change) { CULVERT_CHECK(node.table().apply({&change, 1}).empty()); }

  base::SystemClock clock_;
  stats::Store store_{1, {}};
  event::Loop loop_{"main", clock_};
  tls::Contexts contexts_{loop_};
  std::string file_;

public:
  Node node;
};

} // namespace culvert::mesh
