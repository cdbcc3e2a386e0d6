// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/tracing_headers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace culvert::mesh {
namespace {

constexpr size_t kTraceIdDigits = 32;
constexpr size_t kParentIdDigits = 16;
constexpr size_t kNameMax = 253; // As long as a name is in a cluster.

// As it may stand in a header: with blanks and tabs, without other control characters.
bool isHeaderText(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || absl::ascii_isprint(static_cast<unsigned char>(c));
  });
}

std::string* fieldOf(Baggage& baggage, absl::string_view key) {
  if (key == "k8s.deployment.name" || key == "k8s.cronjob.name" || key == "k8s.pod.name" ||
      key == "k8s.job.name") {
    return &baggage.workload_name;
  }
  const std::pair<absl::string_view, std::string*> fields[] = {
      {"k8s.cluster.name", &baggage.cluster},  {"k8s.namespace.name", &baggage.ns},
      {"service.name", &baggage.service_name}, {"service.version", &baggage.revision},
      {"cloud.region", &baggage.region},       {"cloud.availability_zone", &baggage.zone},
  };
  for (const auto& [name, field] : fields) {
    if (name == key) {
      return field;
    }
  }
  return nullptr;
}

// "key=value"; what follows a second "=" is not the value's.
void readItem(absl::string_view item, Baggage& baggage) {
  const size_t equals = item.find('=');
  if (equals == absl::string_view::npos) {
    return;
  }
  absl::string_view value = item.substr(equals + 1);
  value = value.substr(0, value.find('='));
  std::string* field = fieldOf(baggage, item.substr(0, equals));
  if (field != nullptr && !value.empty()) {
    *field = std::string(value);
  }
}

bool isHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

} // namespace

Baggage Baggage::parse(absl::Span<const absl::string_view> lines) {
  Baggage baggage;
  for (const absl::string_view line : lines) {
    if (!isHeaderText(line)) {
      return {};
    }
    for (const absl::string_view item : absl::StrSplit(line, ',')) {
      readItem(item, baggage);
    }
  }
  return baggage;
}

std::vector<absl::string_view> baggageLines(const net::RequestInfo::Fields& headers) {
  std::vector<absl::string_view> lines;
  for (const auto& [name, value] : headers) {
    if (name == "baggage") {
      lines.push_back(value);
    }
  }
  return lines;
}

Ref<Workload> describedBy(const Baggage& baggage) {
  if (baggage == Baggage()) {
    return nullptr;
  }
  const auto text = [](absl::string_view value) { return Text::copy(value.substr(0, kNameMax)); };
  Ref<Workload> workload(new Workload);
  workload->cluster_id = text(baggage.cluster);
  workload->ns = text(baggage.ns);
  workload->workload_name = text(baggage.workload_name);
  workload->canonical_name = text(baggage.service_name);
  workload->canonical_revision = text(baggage.revision);
  workload->locality.region = text(baggage.region);
  workload->locality.zone = text(baggage.zone);
  return workload;
}

std::string baggageOf(const Workload& workload) {
  std::string line;
  const auto add = [&line](absl::string_view key, const Text& value) {
    if (!value.empty()) {
      absl::StrAppend(&line, line.empty() ? "" : ",", key, "=", value.view());
    }
  };
  add("k8s.cluster.name", workload.cluster_id);
  add("k8s.namespace.name", workload.ns);
  if (!workload.workload_type.empty()) {
    add(absl::StrCat("k8s.", workload.workload_type.view(), ".name"), workload.workload_name);
  }
  add("service.name", workload.canonical_name);
  add("service.version", workload.canonical_revision);
  add("cloud.region", workload.locality.region);
  add("cloud.availability_zone", workload.locality.zone);
  return line;
}

std::string forwardedValue(const net::Address& peer, absl::string_view service_hostname) {
  return absl::StrCat("for=\"", peer.toString(), "\"",
                      service_hostname.empty() ? "" : ";host=", service_hostname);
}

std::string forwardedHost(absl::string_view value) {
  if (!isHeaderText(value)) {
    return "";
  }
  for (absl::string_view part : absl::StrSplit(value, ';')) {
    part = absl::StripAsciiWhitespace(part);
    if (!absl::ConsumePrefix(&part, "host=")) {
      continue;
    }
    if (absl::ConsumePrefix(&part, "\"")) {
      absl::ConsumeSuffix(&part, "\"");
    }
    return std::string(part);
  }
  return "";
}

TraceContext TraceContext::fresh(base::Random& random) {
  return {absl::StrFormat("%016x%016x", random.next(), random.next()),
          absl::StrFormat("%016x", random.next())};
}

std::optional<TraceContext> TraceContext::parse(absl::string_view value) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, absl::MaxSplits('-', 4));
  if (parts.size() != 4 || parts[0].size() != 2 || parts[1].size() != kTraceIdDigits ||
      parts[2].size() != kParentIdDigits || parts[3].size() != 2 ||
      !std::all_of(parts.begin(), parts.end(), isHex)) {
    return std::nullopt;
  }
  return TraceContext{std::string(parts[1]), std::string(parts[2])};
}

std::string TraceContext::toString() const {
  return absl::StrCat("00-", trace_id, "-", parent_id, "-00");
}

} // namespace culvert::mesh
