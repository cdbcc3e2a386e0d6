// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/node.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"

namespace culvert::mesh {

// A loop's own instance. Threads: the loop's.
struct Node::OfLoop {
  explicit OfLoop(event::Loop&) {}
  std::optional<InboundConnections> inbound; // Nothing before the first.
  base::IntrusiveList<WorkloadWait> waiting;
};

std::string WorkloadKey::toString() const {
  return absl::StrCat(service_account, ".", ns, " (", name, ")");
}

Node::Node(NodeSettings settings, std::unique_ptr<Certificates> certificates,
           std::unique_ptr<NameLookups> names)
    : settings_(std::move(settings)), table_(settings_.node_name),
      certificates_(std::move(certificates)), names_(std::move(names)),
      watch_(table_.watch([this](const Touched& touched) { onUpdate(touched); })) {}

Node::~Node() = default;

void Node::addLoop(event::Loop& loop) {
  loop_watches_.push_back(std::make_unique<LoopWatch>(
      table_, loop, [this, &loop](const Touched& touched) { onUpdate(loop, touched); }));
  if (tls::Revocations* const revocations = certificates_->revocations()) {
    revocations->addLoop(loop);
  }
}

void Node::removeLoops() {
  loop_watches_.clear();
  names_->stop();
  if (tls::Revocations* const revocations = certificates_->revocations()) {
    revocations->removeLoops();
  }
}

std::string Node::metrics() const {
  std::string page = traffic_.render();
  if (const tls::Revocations* const revocations = certificates_->revocations()) {
    constexpr char kName[] = "istio_crl_policy_rejections_total";
    absl::StrAppend(
        &page, "# HELP ", kName, " Peers refused and connections ended as revoked.\n# TYPE ", kName,
        " counter\n", kName, "{reporter=\"source\"} ", revocations->rejections(false), "\n", kName,
        "{reporter=\"destination\"} ", revocations->rejections(true), "\n");
  }
  return page;
}

void Node::onUpdate(event::Loop& loop, const Touched& touched) {
  if (touched.policies || touched.workloads) {
    const size_t ended = inbound(loop).recheck();
    if (ended > 0) {
      LOG(info, rbac, "%d connection(s) closed, no longer allowed after an update", ended);
    }
  }
  base::IntrusiveList<WorkloadWait>& waiting = loop.local<OfLoop>().waiting;
  if (!touched.workloads || waiting.empty() || localWorkload() == nullptr) {
    return;
  }
  base::IntrusiveList<WorkloadWait> told; // One that goes on may end others, or wait anew.
  told.splice(waiting);
  while (WorkloadWait* const wait = told.popFront()) {
    wait->finish();
  }
}

std::unique_ptr<WorkloadWait> Node::awaitWorkload(event::Loop& loop,
                                                  std::function<void()> done) const {
  auto wait = std::make_unique<WorkloadWait>(loop, std::move(done));
  loop.local<OfLoop>().waiting.pushBack(*wait);
  return wait;
}

InboundConnections& Node::inbound(event::Loop& loop) const {
  std::optional<InboundConnections>& connections = loop.local<OfLoop>().inbound;
  if (!connections.has_value()) {
    connections.emplace(table_);
  }
  return *connections;
}

WorkloadRef Node::localWorkload(const TableReader& reader) const {
  return WorkloadRef(reader.localWorkload(settings_.workload.name, settings_.workload.ns,
                                          settings_.workload.service_account));
}

std::string Node::noWorkload() const {
  return absl::StrCat("failed to fetch information about local workload: ",
                      settings_.workload.toString());
}

std::string Node::localIdentity() const {
  base::MutexLock lock(mutex_);
  return identity_;
}

// The trust domain comes from the table, the rest is known.
void Node::onUpdate(const Touched& touched) {
  if (!touched.workloads) {
    return;
  }
  const WorkloadRef local = localWorkload();
  const std::string identity =
      local == nullptr ? ""
                       : Identity{local->trust_domain, Text::copy(settings_.workload.ns),
                                  Text::copy(settings_.workload.service_account)}
                             .toString();
  if (identity == localIdentity()) {
    return;
  }
  if (!identity.empty()) {
    LOG(info, secret, "this node acts as %s", identity);
    certificates_->keep(identity);
  }
  base::MutexLock lock(mutex_);
  identity_ = identity;
}

} // namespace culvert::mesh
