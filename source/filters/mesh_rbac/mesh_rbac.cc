// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/filter_api/filter.h"
#include "source/filters/mesh_rbac/mesh_rbac.pb.h"
#include "source/mesh/inbound_connections.h"
#include "source/mesh/node/connection_record.h"
#include "source/mesh/node/node.h"
#include "source/mesh/tracing_headers.h"

namespace culvert {
namespace {

using Proto = filters::mesh_rbac::v1::MeshRbac;
using mesh::ConnectionRecord;
using mesh::InboundConnections;
using mesh::Verdict;

constexpr uint32_t kUnauthorized = 401;

// Threads: built on main, then read-only on all workers.
struct Config {
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context) {
    if (context.mesh == nullptr) {
      return absl::FailedPreconditionError(mesh::kNoNode);
    }
    return std::make_shared<const Config>(Config{*context.mesh, proto.log_verdicts()});
  }

  const mesh::Node& node;
  const bool log_verdicts;
};

// Asks the policies, now and after each change of them.
class MeshRbac final : public Filter {
public:
  MeshRbac(const Config& config, FilterContext& context)
      : config_(config), allowed_(context.counter("allowed")), denied_(context.counter("denied")),
        closed_(context.counter("closed_by_change")) {}

  Next onOpen() override;
  void onClose(const CloseReason&) override { holder_.release(); }

private:
  InboundConnections::Key key(const ConnectionRecord& record);
  void tell(const Verdict& verdict);
  void onDenied(const Verdict& verdict);
  Next refuse(std::string error, CloseMode mode);

  const Config& config_;
  Counter& allowed_;
  Counter& denied_;
  Counter& closed_;
  InboundConnections::Holder holder_;
};

Next MeshRbac::onOpen() {
  const ConnectionRecord* const record = ConnectionRecord::of(connection().info());
  if (record == nullptr || !record->known) {
    denied_.add();
    return refuse("the filter mesh_inbound is not in front of mesh_rbac", CloseMode::kNow);
  }
  InboundConnections& all = config_.node.inbound(connection().loop());
  all.enter(holder_, key(*record), record->destination_workload,
            base::Delegate<void(const Verdict&)>::to<&MeshRbac::onDenied>(this));
  const Verdict verdict = all.judge(holder_);
  tell(verdict);
  if (verdict.allowed) {
    allowed_.add();
    return Next::kContinue;
  }
  denied_.add();
  holder_.release();
  return refuse(absl::StrCat("connection closed due to policy rejection: ", verdict.reason()),
                CloseMode::kNow);
}

InboundConnections::Key MeshRbac::key(const ConnectionRecord& record) {
  const net::RequestInfo* const request = connection().info().request.get();
  const std::string* const forwarded =
      request == nullptr ? nullptr : net::RequestInfo::find(request->headers, "forwarded");
  return {record.source, record.target, record.source_identity, record.destination_workload->uid,
          forwarded == nullptr ? "" : mesh::forwardedHost(*forwarded)};
}

void MeshRbac::tell(const Verdict& verdict) {
  for (const Verdict::Note& note : verdict.notes) {
    const base::LogLevel level = note.warning           ? base::LogLevel::warning
                                 : config_.log_verdicts ? base::LogLevel::info
                                                        : base::LogLevel::debug;
    if (base::log::enabled(base::LogComponent::rbac, level)) {
      base::log::write(base::LogComponent::rbac, level, __FILE__, __LINE__,
                       absl::StrCat("[C", connection().id(), "] ", note.text,
                                    note.policy.empty() ? "" : " policy=", note.policy.view()));
    }
  }
}

void MeshRbac::onDenied(const Verdict& verdict) {
  tell(verdict);
  closed_.add();
  const bool tunnelled = connection().info().request != nullptr;
  refuse("connection closed due to policy change", tunnelled ? CloseMode::kReset : CloseMode::kNow);
}

Next MeshRbac::refuse(std::string error, CloseMode mode) {
  ConnectionInfo& info = connection().info();
  if (const ConnectionRecord* const record = ConnectionRecord::of(info)) {
    record->error = std::move(error);
    record->denied = true;
  }
  if (info.request != nullptr && info.request->answer != nullptr) {
    info.request->answer->refusal = kUnauthorized;
  }
  return connection().close(CloseReason::local("mesh_policy_denied"), mode);
}

} // namespace

CULVERT_NETWORK_FILTER(mesh_rbac, Proto, MeshRbac, Config::create)

} // namespace culvert
