// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <functional>
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
  // `resolver`: makes the one that looks names up, if any are.
  explicit NodeForTest(const std::string& name, NameLookups::MakeResolver resolver = nullptr,
                       bool socks5 = false)
      : node({{name, "shop", name}, "", {}, {}, {}, IllegalPorts(socks5)},
             std::make_unique<Certificates>(contexts_, lab(), TlsRules(), store_.root()),
             std::make_unique<NameLookups>(main, net::DnsFamily::kAll, std::move(resolver))) {}
  ~NodeForTest() { ::unlink(file_.c_str()); }

  template <class... Parts> using Edit = std::function<void(Parts&...)>;

  Text text(absl::string_view text) { return node.table().texts().intern(text); }

  // A workload of the namespace "shop".
  void add(const std::string& name, const std::string& ip,
           TunnelProtocol protocol = TunnelProtocol::kHbone,
           AppTunnel::Protocol application = AppTunnel::Protocol::kAbsent) {
    add(name, [&](Workload& workload, WorkloadExtras& extras) {
      workload.ips.push_back(*Ip::parse(ip));
      workload.protocol = protocol;
      extras.app_tunnel.protocol = application;
    });
  }
  void add(const std::string& name, const Edit<Workload, WorkloadExtras>& edit) {
    const Ref<Workload> workload(new Workload);
    auto extras = std::make_unique<WorkloadExtras>();
    workload->uid = text("c1//Pod/shop/" + name);
    workload->name = workload->service_account = text(name);
    workload->ns = text("shop");
    workload->trust_domain = text("cluster.local");
    workload->protocol = TunnelProtocol::kHbone;
    edit(*workload, *extras);
    if (!(*extras == WorkloadExtras())) {
      workload->extras = std::move(extras);
    }
    apply(WorkloadRef(workload));
  }
  // The service HOSTNAME of the namespace "shop" at an address: its port 80 is its endpoints' 8080.
  // For an edit of a workload: that it is one of them.
  void addService(
      const std::string& hostname, const std::string& vip,
      const Edit<Service>& edit = [](Service&) {}) {
    const Ref<Service> service(new Service);
    service->name = service->hostname = text(hostname);
    service->ns = text("shop");
    service->key = text(serviceKey(service->ns, service->hostname));
    service->vips.push_back({Text(), *Ip::parse(vip)});
    service->ports = PortMap::create({{80, 8080}}, node.table().texts());
    edit(*service);
    apply(ServiceRef(service));
  }
  void behind(const std::string& hostname, Workload& workload) {
    workload.services.push_back({text("shop/" + hostname), {}});
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

public:
  event::Loop main{"main", clock_};

private:
  tls::Contexts contexts_{main};
  std::string file_;

public:
  Node node;
};

} // namespace culvert::mesh
