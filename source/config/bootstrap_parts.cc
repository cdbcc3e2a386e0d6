// SPDX-License-Identifier: Apache-2.0
#include "source/config/bootstrap_parts.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "google/protobuf/util/json_util.h"

namespace culvert::config {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using google::protobuf::Struct;
using google::protobuf::Value;

stats::StatsMatcher readMatcher(const envoy::config::metrics::v3::StatsMatcher& proto) {
  using Kind = stats::StatsMatcher::Kind;
  stats::StatsMatcher matcher;
  if (proto.reject_all()) {
    matcher.kind = Kind::kRejectAll;
  } else if (proto.has_inclusion_list()) {
    matcher.kind = Kind::kInclusionList;
  } else if (proto.has_exclusion_list()) {
    matcher.kind = Kind::kExclusionList;
  }
  const auto& list = proto.has_inclusion_list() ? proto.inclusion_list() : proto.exclusion_list();
  for (const auto& pattern : list.patterns()) {
    matcher.patterns.push_back(readMatch(pattern));
  }
  return matcher;
}

std::optional<uint32_t> readDenominator(const std::string& name) {
  if (name == "HUNDRED") {
    return 100;
  }
  if (name == "TEN_THOUSAND") {
    return 10'000;
  }
  if (name == "MILLION") {
    return 1'000'000;
  }
  return std::nullopt;
}

// A google.type.FractionalPercent, as objects with its fields are meant.
std::optional<runtime::Entry> readFraction(const Struct& proto) {
  runtime::Fraction fraction;
  for (const auto& [name, value] : proto.fields()) {
    const std::optional<uint32_t> denominator = readDenominator(value.string_value());
    if (name == "numerator" && value.has_number_value() && value.number_value() >= 0 &&
        value.number_value() <= UINT32_MAX) {
      fraction.numerator = static_cast<uint32_t>(value.number_value());
    } else if (name == "denominator" && denominator.has_value()) {
      fraction.denominator = *denominator;
    } else {
      return std::nullopt;
    }
  }
  return runtime::Entry::ofFraction(fraction);
}

std::optional<runtime::Entry> readEntry(const Value& value) {
  switch (value.kind_case()) {
  case Value::kNumberValue:
    return runtime::Entry::ofNumber(value.number_value());
  case Value::kBoolValue:
    return runtime::Entry::ofBoolean(value.bool_value());
  case Value::kStringValue:
    return runtime::Entry::parse(value.string_value());
  case Value::kStructValue:
    return readFraction(value.struct_value());
  default:
    return std::nullopt;
  }
}

// Nested keys are joined with dots.
void addEntries(const Struct& proto, const std::string& prefix, const std::string& path,
                runtime::Entries& entries, Problems& problems) {
  for (const auto& [name, value] : proto.fields()) {
    const std::string key = prefix + name;
    const auto& fields = value.struct_value().fields();
    const bool fraction = fields.contains("numerator") || fields.contains("denominator");
    if (value.has_struct_value() && !fraction) {
      addEntries(value.struct_value(), key + ".", path, entries, problems);
    } else if (auto entry = readEntry(value)) {
      entries[key] = *std::move(entry);
    } else {
      problems.error(absl::StrCat(path, ".", key),
                     "neither a number, a text, a truth value nor a fraction",
                     absl::StrCat("Invalid runtime entry value for ", key));
    }
  }
}

runtime::LayerConfig readLayer(const envoy::config::bootstrap::v3::RuntimeLayer& proto,
                               const std::string& path, Problems& problems) {
  using Kind = runtime::LayerConfig::Kind;
  runtime::LayerConfig layer;
  layer.name = proto.name();
  if (proto.has_static_layer()) {
    addEntries(proto.static_layer(), "", path + ".static_layer", layer.entries, problems);
  } else if (proto.has_disk_layer()) {
    layer.kind = Kind::kDisk;
    layer.symlink_root = proto.disk_layer().symlink_root();
    layer.subdirectory = proto.disk_layer().subdirectory();
    layer.append_service_cluster = proto.disk_layer().append_service_cluster();
  } else {
    layer.kind = Kind::kAdmin;
  }
  return layer;
}

} // namespace

stats::StringMatch readMatch(const envoy::type::matcher::v3::StringMatcher& proto) {
  using Kind = stats::StringMatch::Kind;
  using Proto = envoy::type::matcher::v3::StringMatcher;
  switch (proto.match_pattern_case()) {
  case Proto::kPrefix:
    return {Kind::kPrefix, proto.prefix(), proto.ignore_case()};
  case Proto::kSuffix:
    return {Kind::kSuffix, proto.suffix(), proto.ignore_case()};
  case Proto::kContains:
    return {Kind::kContains, proto.contains(), proto.ignore_case()};
  case Proto::kSafeRegex:
    return {Kind::kRegex, proto.safe_regex().regex(), false};
  default:
    return {Kind::kExact, proto.exact(), proto.ignore_case()};
  }
}

stats::StoreConfig readStatsConfig(const Bootstrap& bootstrap, Problems& problems) {
  const auto& proto = bootstrap.stats_config();
  stats::StoreConfig config;
  for (const auto& tag : proto.stats_tags()) {
    stats::TagSpecifier specifier{tag.tag_name(), std::nullopt, std::nullopt};
    if (tag.has_fixed_value()) {
      specifier.fixed_value = tag.fixed_value();
    } else if (tag.has_regex() && !tag.regex().empty()) {
      specifier.regex = tag.regex();
    }
    config.tags.push_back(std::move(specifier));
  }
  config.use_all_default_tags =
      !proto.has_use_all_default_tags() || proto.use_all_default_tags().value();
  config.allow_default_tag_overrides = proto.allow_default_tag_overrides().value();
  config.matcher = readMatcher(proto.stats_matcher());
  for (const auto& setting : proto.histogram_bucket_settings()) {
    config.histogram_buckets.push_back(
        {readMatch(setting.match()), {setting.buckets().begin(), setting.buckets().end()}});
  }
  if (absl::Status status = stats::validate(config); !status.ok()) {
    problems.errorFrom(status, "stats_config");
  }
  return config;
}

runtime::Config readRuntime(const Bootstrap& bootstrap, Problems& problems) {
  runtime::Config config;
  config.service_cluster = bootstrap.node().cluster();
  for (int i = 0; i < bootstrap.layered_runtime().layers_size(); i++) {
    config.layers.push_back(readLayer(bootstrap.layered_runtime().layers(i),
                                      absl::StrCat("layered_runtime.layers[", i, "]"), problems));
  }
  return config;
}

std::string readLogFormat(const Bootstrap& bootstrap, bool command_line_has_one,
                          Problems& problems) {
  const std::string path = "application_log_config.log_format";
  if (!bootstrap.application_log_config().has_log_format()) {
    return "";
  }
  if (command_line_has_one) {
    problems.error(
        path, "the command line has one too",
        "Only one of ApplicationLogConfig.log_format or CLI option --log-format can be specified.");
  }
  const auto& format = bootstrap.application_log_config().log_format();
  if (!format.has_json_format()) {
    return format.text_format();
  }
  std::string json;
  static_cast<void>(google::protobuf::util::MessageToJsonString(format.json_format(), &json));
  for (const char* flag : {"%v", "%_"}) {
    if (absl::StrContains(json, flag)) {
      problems.error(path + ".json_format", "a message may hold quotes; %j escapes them",
                     absl::StrCat("setJsonLogFormat error: INVALID_ARGUMENT: Usage of ", flag,
                                  " is unavailable for JSON log formats"));
    }
  }
  return json;
}

} // namespace culvert::config
