// SPDX-License-Identifier: Apache-2.0
#include "source/filters/proxy_protocol/config.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace culvert::proxy_protocol {
namespace {

namespace core = envoy::config::core::v3;

constexpr absl::string_view kDefaultNamespace = "envoy.filters.listener.proxy_protocol";

uint8_t byteAt(absl::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// How many bytes the character at the front of `text` takes; 0 when there is none (RFC 3629).
size_t characterBytes(absl::string_view text) {
  const uint8_t first = byteAt(text, 0);
  const size_t bytes = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (bytes > text.size()) {
    return 0;
  }
  for (size_t i = 1; i < bytes; i++) {
    if ((byteAt(text, i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const uint8_t second = bytes > 1 ? byteAt(text, 1) : 0;
  const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool no_character = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return too_long || no_character ? 0 : bytes;
}

} // namespace

Stats::Version::Version(stats::Scope& scope, absl::string_view name)
    : found(scope.counter(absl::StrCat("versions.", name, ".found"))),
      disallowed(scope.counter(absl::StrCat("versions.", name, ".disallowed"))),
      error(scope.counter(absl::StrCat("versions.", name, ".error"))) {}

Stats::Stats(stats::Scope& scope, stats::Scope& root)
    : not_found_allowed(scope.counter("not_found_allowed")),
      not_found_disallowed(scope.counter("not_found_disallowed")),
      downstream_cx_proxy_proto_error(root.counter("downstream_cx_proxy_proto_error")),
      v1(scope, "v1"), v2(scope, "v2") {}

std::string Rule::encode(absl::string_view value) const {
  return base64 ? absl::Base64Escape(value) : sanitizeUtf8(value);
}

absl::StatusOr<std::shared_ptr<const Config>> Config::create(const Proto& proto,
                                                             FactoryContext& context) {
  auto config = std::make_shared<Config>();
  for (const int version : proto.disallowed_versions()) {
    config->disallowed_[version == core::ProxyProtocolConfig::V1 ? 0 : 1] = true;
  }
  if (config->disallowed_[0] && config->disallowed_[1]) {
    return absl::InvalidArgumentError(
        "disallowed_versions: Proxy Protocol filter is misconfigured: all proxy protocol versions "
        "are disallowed.");
  }
  const std::string& prefix = proto.stat_prefix();
  config->scope_ =
      context.scope.scope(prefix.empty() ? "proxy_proto" : absl::StrCat("proxy_proto.", prefix));
  config->stats_ = std::make_unique<Stats>(*config->scope_, context.scope);
  config->allow_no_header = proto.allow_requests_without_proxy_protocol();
  config->to_filter_state = proto.tlv_location() == Proto::FILTER_STATE;
  config->readPassed(proto);
  config->readRules(proto);
  return config;
}

void Config::readPassed(const Proto& proto) {
  if (!proto.has_pass_through_tlvs()) {
    return;
  }
  const core::ProxyProtocolPassThroughTLVs& tlvs = proto.pass_through_tlvs();
  if (tlvs.match_type() == core::ProxyProtocolPassThroughTLVs::INCLUDE_ALL) {
    passed_.set();
  }
  for (const uint32_t type : tlvs.tlv_type()) {
    passed_.set(type);
  }
}

// In filter state all keys lie in one place. Of two rules for a type the later one counts.
void Config::readRules(const Proto& proto) {
  for (int i = proto.rules_size() - 1; i >= 0; i--) {
    const Proto::KeyValuePair& to = proto.rules(i).on_tlv_present();
    const auto type = static_cast<uint8_t>(proto.rules(i).tlv_type());
    if (ruleFor(type) == nullptr) {
      const bool default_space = to_filter_state || to.metadata_namespace().empty();
      rules_.push_back({type,
                        default_space ? std::string(kDefaultNamespace) : to.metadata_namespace(),
                        to.key(), to.value_string_encoding() == Proto::KeyValuePair::BASE64});
    }
  }
}

const Rule* Config::ruleFor(uint8_t type) const {
  const auto it = std::find_if(rules_.begin(), rules_.end(),
                               [type](const Rule& rule) { return rule.type == type; });
  return it == rules_.end() ? nullptr : &*it;
}

std::string sanitizeUtf8(absl::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const size_t bytes = characterBytes(text);
    absl::StrAppend(&clean, bytes == 0 ? "!" : text.substr(0, bytes));
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return clean;
}

std::string toJson(const net::Value::Fields& fields) {
  google::protobuf::Struct object;
  for (const auto& [key, value] : fields) {
    (*object.mutable_fields())[key].set_string_value(std::get<std::string>(value.kind));
  }
  std::string json;
  static_cast<void>(google::protobuf::util::MessageToJsonString(object, &json));
  return json;
}

} // namespace culvert::proxy_protocol
