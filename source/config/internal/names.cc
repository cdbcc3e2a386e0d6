// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"

#include "source/config/extensions.h"
#include "source/config/suggest.h"

namespace culvert::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

constexpr int kListedMax = 12; // Names are listed when there are no more than this.

// Names that edit distance can't find: other proxies' words, Envoy's v2 API.
struct Confusion {
  absl::string_view written;
  absl::string_view meant;
};
constexpr Confusion kConfusions[] = {
    {"port", "port_value"},
    {"config", "typed_config"},
    {"ip", "address"},
    {"host", "address"},
    {"hosts", "load_assignment"},
    {"endpoints", "load_assignment"},
    {"tls_context", "transport_socket"},
    {"tls", "transport_socket"},
    {"ssl_context", "transport_socket"},
    {"sni", "server_names"},
    {"sni_domains", "server_names"},
    {"timeout", "connect_timeout"},
    {"lb_type", "lb_policy"},
    {"load_balancing", "lb_policy"},
    {"discovery_type", "type"},
    {"route", "cluster"},
    {"max_connection_duration", "max_downstream_connection_duration"},
    {"socket", "socket_address"},
    {"path", "pipe"},
    {"format", "log_format"},
    {"type_url", "@type"},
    {"access_logs", "access_log"},
    {"logs", "access_log"},
    {"weight", "load_balancing_weight"},
    {"prefix", "address_prefix"},
    {"cidr", "address_prefix"},
    {"source_prefixes", "source_prefix_ranges"},
    {"runtime", "layered_runtime"},
    {"per_connection_buffer_limit", "per_connection_buffer_limit_bytes"},
    {"max_pending", "max_pending_requests"},
};

std::vector<std::string> fieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); i++) {
    names.push_back(type.field(i)->name());
  }
  return names;
}

std::string confusedField(absl::string_view written, const Descriptor& type) {
  for (const Confusion& confusion : kConfusions) {
    if (confusion.written == written && findField(type, confusion.meant) != nullptr) {
      return std::string(confusion.meant);
    }
  }
  return "";
}

// The field of `type` whose message has a field of this very name: written one level too high.
const FieldDescriptor* fieldThatHolds(absl::string_view written, const Descriptor& type) {
  for (int i = 0; i < type.field_count(); i++) {
    const FieldDescriptor& field = *type.field(i);
    if (field.message_type() != nullptr && !field.is_map() &&
        findField(*field.message_type(), written) != nullptr) {
      return &field;
    }
  }
  return nullptr;
}

absl::string_view lastPart(absl::string_view name) { return name.substr(name.rfind('.') + 1); }

} // namespace

const FieldDescriptor* findField(const Descriptor& type, absl::string_view name) {
  const std::string text(name);
  if (const FieldDescriptor* field = type.FindFieldByName(text)) {
    return field;
  }
  for (int i = 0; i < type.field_count(); i++) {
    if (type.field(i)->json_name() == text) {
      return type.field(i);
    }
  }
  return nullptr;
}

FieldHint hintForField(absl::string_view written, const Descriptor& type,
                       const std::vector<const Descriptor*>& around) {
  if (written == "<<") {
    return {"; YAML merge keys are not expanded, neither here nor by Envoy", ""};
  }
  std::string meant = confusedField(written, type);
  if (meant.empty()) {
    for (auto outer = around.rbegin(); outer != around.rend(); ++outer) {
      if (findField(**outer, written) != nullptr) {
        return {absl::StrCat("; it is a field of ", (*outer)->full_name(),
                             ", further out: check the indentation"),
                ""};
      }
    }
    if (const FieldDescriptor* holder = fieldThatHolds(written, type)) {
      return {absl::StrCat("; it belongs one level deeper, inside '", holder->name(), "'"), ""};
    }
    meant = nearestName(written, fieldNames(type));
  }
  if (meant.empty() && type.field_count() > 0 && type.field_count() <= kListedMax) {
    return {absl::StrCat("; its fields are ", absl::StrJoin(fieldNames(type), ", ")), ""};
  }
  return {didYouMean(meant), meant};
}

std::string hintForEnumValue(absl::string_view written, const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); i++) {
    names.push_back(type.value(i)->name());
  }
  if (const std::string nearest = nearestName(written, names); !nearest.empty()) {
    return didYouMean(nearest);
  }
  return type.value_count() <= kListedMax ? absl::StrCat("; it may be ", absl::StrJoin(names, ", "))
                                          : "";
}

std::string hintForType(absl::string_view written) {
  const absl::string_view name = written.substr(written.rfind('/') + 1);
  // Moved between v2 and v3 or spelt badly: the last part decides, then the nearest whole name.
  std::string best;
  size_t best_distance = name.size() + 1;
  for (const KnownExtension& known : knownExtensions()) {
    const bool same_end = absl::EqualsIgnoreCase(lastPart(known.type), lastPart(name));
    const size_t limit = same_end ? name.size() : 5;
    const size_t distance = editDistance(name, known.type, limit);
    if (distance <= limit && distance < best_distance) {
      best_distance = distance;
      best = std::string(known.type);
    }
  }
  return best.empty() ? "" : didYouMean(absl::StrCat("type.googleapis.com/", best));
}

} // namespace culvert::config
