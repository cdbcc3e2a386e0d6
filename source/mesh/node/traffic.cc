// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/node/traffic.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace culvert::mesh {
namespace {

using Direction = ConnectionRecord::Direction;

constexpr size_t kSeriesMax = 64 * 1024;

absl::string_view reporterOf(Direction direction) {
  return direction == Direction::kOutbound ? "source" : "destination";
}

// Grows a list of labels.
class Labels {
public:
  void add(absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",", name, "=\"",
                    value.empty() ? "unknown"
                                  : absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}}),
                    "\"");
  }
  // One end: "source" or "destination".
  void addEnd(absl::string_view end, const Workload* workload) {
    const Text none;
    const auto value = [&](Text Workload::* field) -> const Text& {
      return workload == nullptr ? none : workload->*field;
    };
    add(absl::StrCat(end, "_workload"), value(&Workload::workload_name));
    add(absl::StrCat(end, "_canonical_service"), value(&Workload::canonical_name));
    add(absl::StrCat(end, "_canonical_revision"), value(&Workload::canonical_revision));
    add(absl::StrCat(end, "_workload_namespace"), value(&Workload::ns));
  }
  void addEndsRest(absl::string_view end, const Workload* workload) {
    const Text none;
    add(absl::StrCat(end, "_app"), workload == nullptr ? none : workload->canonical_name);
    add(absl::StrCat(end, "_version"), workload == nullptr ? none : workload->canonical_revision);
    add(absl::StrCat(end, "_cluster"), workload == nullptr ? none : workload->cluster_id);
  }
  void addPlace(absl::string_view end, const Workload* workload) {
    const Text none;
    add(absl::StrCat(end, "_region"), workload == nullptr ? none : workload->locality.region);
    add(absl::StrCat(end, "_zone"), workload == nullptr ? none : workload->locality.zone);
  }
  std::string take() { return std::move(text_); }

private:
  std::string text_;
};

std::string principalOf(const std::optional<Identity>& identity) {
  return identity.has_value() ? identity->toString() : "";
}

void addSource(const ConnectionRecord& record, Labels& labels) {
  const Workload* const source = record.source_workload.get();
  labels.addEnd("source", source);
  labels.add("source_principal", principalOf(record.source_identity));
  labels.addEndsRest("source", source);
}

std::string labelsOf(const ConnectionRecord& record, absl::string_view flag) {
  const Workload* const source = record.source_workload.get();
  const Workload* const destination = record.destination_workload.get();
  const Service* const service = record.service.get();
  Labels labels;
  labels.add("reporter", reporterOf(record.direction));
  addSource(record, labels);
  labels.add("destination_service", service == nullptr ? "" : service->hostname.view());
  labels.add("destination_service_namespace", service == nullptr ? "" : service->ns.view());
  labels.add("destination_service_name", service == nullptr ? "" : service->name.view());
  labels.addEnd("destination", destination);
  labels.add("destination_principal",
             record.destination_identity.has_value() || destination == nullptr
                 ? principalOf(record.destination_identity)
                 : destination->identity().toString());
  labels.addEndsRest("destination", destination);
  labels.add("request_protocol", "tcp");
  labels.add("response_flags", flag);
  labels.add("connection_security_policy", record.tunnelled ? "mutual_tls" : "unknown");
  if (source != nullptr || destination != nullptr) {
    labels.addPlace("source", source);
    labels.addPlace("destination", destination);
  }
  return labels.take();
}

} // namespace

void Traffic::countSockets(ConnectionRecord::Direction direction, const stats::Gauge& open) {
  sockets_[static_cast<size_t>(direction)].push_back(&open);
}

// Names come from peers, too: what finds no room counts without labels.
Traffic::Series& Traffic::seriesOf(const ConnectionRecord& record, absl::string_view flag) {
  const std::string labels = labelsOf(record, flag);
  base::MutexLock lock(mutex_);
  const auto it = series_.find(labels);
  if (it != series_.end()) {
    return *it->second;
  }
  std::unique_ptr<Series>& made = series_[series_.size() < kSeriesMax ? labels : ""];
  if (made == nullptr) {
    made = std::make_unique<Series>();
  }
  return *made;
}

// Not one of a direction that nobody listens for.
void Traffic::appendSockets(std::string& page) const {
  absl::StrAppend(&page, "# HELP istio_tcp_sockets_open Connections that are open (unstable).\n"
                         "# TYPE istio_tcp_sockets_open gauge\n");
  for (const Direction direction : {Direction::kInbound, Direction::kOutbound}) {
    const std::vector<const stats::Gauge*>& gauges = sockets_[static_cast<size_t>(direction)];
    const uint64_t open = std::accumulate(
        gauges.begin(), gauges.end(), uint64_t{0},
        [](uint64_t sum, const stats::Gauge* gauge) { return sum + gauge->value(); });
    if (!gauges.empty()) {
      absl::StrAppend(&page, "istio_tcp_sockets_open{reporter=\"", reporterOf(direction), "\"} ",
                      open, "\n");
    }
  }
}

void Traffic::onLookup(const ConnectionRecord& record, absl::string_view hostname) {
  Labels labels;
  addSource(record, labels);
  labels.add("hostname", hostname);
  base::MutexLock lock(mutex_);
  lookups_[labels.take()]++;
}

std::string Traffic::render() const {
  std::map<std::string, const Series*> series;
  std::map<std::string, uint64_t> lookups;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [labels, counts] : series_) {
      series.emplace(labels, counts.get());
    }
    lookups.insert(lookups_.begin(), lookups_.end());
  }
  std::string page;
  // Series of a flag have no bytes and were not opened; those of none did not fail.
  const auto family = [&](absl::string_view name, absl::string_view help,
                          std::atomic<uint64_t> Series::* counter, bool always) {
    absl::StrAppend(&page, "# HELP istio_tcp_", name, "_total ", help, ".\n# TYPE istio_tcp_", name,
                    "_total counter\n");
    for (const auto& [labels, counts] : series) {
      const uint64_t value = counts->*counter;
      if (value > 0 || (always && counts->opened > 0)) {
        absl::StrAppend(&page, "istio_tcp_", name, "_total{", labels, "} ", value, "\n");
      }
    }
  };
  family("connections_opened", "Connections that were begun", &Series::opened, false);
  family("connections_closed", "Connections that ended", &Series::closed, false);
  family("connections_failed", "Connections that ended for a reason (unstable)", &Series::failed,
         false);
  family("received_bytes", "Bytes from who connected", &Series::received_bytes, true);
  family("sent_bytes", "Bytes to who connected", &Series::sent_bytes, true);
  appendSockets(page);
  if (!lookups.empty()) {
    absl::StrAppend(&page,
                    "# HELP istio_on_demand_dns_total Names of workloads that were looked up "
                    "(unstable).\n# TYPE istio_on_demand_dns_total counter\n");
  }
  for (const auto& [labels, count] : lookups) {
    absl::StrAppend(&page, "istio_on_demand_dns_total{", labels, "} ", count, "\n");
  }
  return page;
}

} // namespace culvert::mesh
