// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/far_end.h"

#include <vector>

#include "source/mesh/node/counted_connection.h"
#include "source/mesh/tracing_headers.h"

namespace culvert::mesh {

void FarEnd::onTunnelOpened(const net::RequestInfo::Fields& answer, const net::TlsInfo* tls) const {
  const Ref<Workload> workload = describedBy(Baggage::parse(baggageLines(answer)));
  if (workload != nullptr) {
    workload->name = workload->workload_name;
  }
  record_->destination_workload = workload;
  record_->destination_identity = tls == nullptr ? std::nullopt : firstIdentity(tls->peerUriSans());
  record_->counted = std::make_unique<CountedConnection>(traffic_, loop_, info_, *record_);
}

} // namespace culvert::mesh
