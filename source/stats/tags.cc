// SPDX-License-Identifier: Apache-2.0
#include "source/stats/tags.h"

#include "source/stats/name_pattern.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "re2/re2.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace culvert::stats {
namespace {

bool isDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }

bool isDigits(absl::string_view value) { return std::all_of(value.begin(), value.end(), isDigit); }

bool isOneDigit(absl::string_view value) { return value.size() == 1 && isDigit(value[0]); }

bool isCipher(absl::string_view value) {
  return std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
}

bool isTlsVersion(absl::string_view value) {
  return value.size() == 7 && absl::StartsWith(value, "TLSv") && isDigit(value[4]) &&
         value[5] == '.' && isDigit(value[6]);
}

bool isNotAdmin(absl::string_view value) { return value != "admin"; }
bool isNotPolicy(absl::string_view value) { return value != "policy"; }
bool isNotVersions(absl::string_view value) { return value != "versions"; }

// "..._rq_404": the value is 404, and its underscore goes too.
std::optional<TagSpan> findResponseCode(absl::string_view name) {
  const size_t size = name.size();
  if (size < 7 || name.substr(size - 7, 4) != "_rq_" || !isDigits(name.substr(size - 3))) {
    return std::nullopt;
  }
  return TagSpan{size - 3, size, size - 4, size};
}

// "..._rq_4xx": the value is 4.
std::optional<TagSpan> findResponseCodeClass(absl::string_view name) {
  const size_t size = name.size();
  if (size < 7 || name.substr(size - 7, 4) != "_rq_" || !isDigit(name[size - 3]) ||
      !absl::EndsWith(name, "xx")) {
    return std::nullopt;
  }
  return TagSpan{size - 3, size - 2, size - 3, size - 2};
}

struct BuiltIn {
  absl::string_view tag;
  absl::string_view pattern;
  bool (*fits)(absl::string_view value) = nullptr;
  std::optional<TagSpan> (*find)(absl::string_view name) = nullptr; // Instead of the pattern.
};

// Tried first: Envoy does not know the first token of these.
constexpr BuiltIn kUnanchored[] = {
    {"envoy.response_code", "", nullptr, findResponseCode},
    {"envoy.response_code_class", "", nullptr, findResponseCodeClass},
    {"envoy.ssl_curve", "listener.**.ssl.curves.$", isCipher},
    {"envoy.ssl_curve", "cluster.**.ssl.curves.$", isCipher},
    {"envoy.ssl_sigalg", "listener.**.ssl.sigalgs.$", isCipher},
    {"envoy.ssl_sigalg", "cluster.**.ssl.sigalgs.$", isCipher},
    {"envoy.ssl_version", "listener.**.ssl.versions.$2", isTlsVersion},
    {"envoy.ssl_version", "cluster.**.ssl.versions.$2", isTlsVersion},
    {"envoy.worker_id", "listener.@.worker_$.**", isDigits},
    {"envoy.worker_id", "listener_manager.worker_$.**", isDigits},
    {"envoy.worker_id", "server.worker_$.**", isDigits},
    {"envoy.worker_id", "thread_local_cluster_manager.worker_$.**", isDigits},
    {"envoy.tls_certificate", "listener.**.ssl.certificate.$.**"},
    {"envoy.tls_certificate", "cluster.**.ssl.certificate.$.**"},
    {"envoy.local_http_ratelimit_prefix", "$.http_local_rate_limit.**"},
    {"envoy.rbac_prefix", "$.rbac.**"},
};

constexpr BuiltIn kAnchored[] = {
    {"envoy.ssl_cipher", "listener.**.ssl.ciphers.$", isCipher},
    {"cipher_suite", "cluster.*.ssl.ciphers.$", isCipher},
    {"envoy.http_conn_manager_prefix", "listener.**.http.$.**"},
    {"envoy.listener_address", "listener.$@.**", isNotAdmin},
    {"envoy.rbac_policy_name", "http.*.rbac.policy.$.*"},
    {"envoy.rbac_policy_name", "http.*.rbac.*.policy.$.*"},
    {"envoy.rbac_http_prefix", "http.*.rbac.$.**", isNotPolicy},
    {"envoy.proxy_protocol_prefix", "proxy_proto.$.**", isNotVersions},
    {"envoy.proxy_protocol_version", "proxy_proto.<versions.v$.*", isOneDigit},
    {"envoy.proxy_protocol_version", "proxy_proto.<*.versions.v$.*", isOneDigit},
    {"envoy.xds_resource_name", "sds.$.**"},
    {"envoy.health_check_name", "cluster.*.health_check.<name.$.**"},
    {"envoy.mongo_callsite", "mongo.*.collection.*.callsite.$.query.**"},
    {"envoy.mongo_collection", "mongo.*.collection.$.**.query.*"},
    {"envoy.mongo_cmd", "mongo.*.cmd.$.**"},
    {"envoy.grpc_bridge_method", "cluster.*.grpc.*.$.**"},
    {"envoy.http_user_agent", "http.*.user_agent.$.**"},
    {"envoy.virtual_cluster", "vhost.*.vcluster.$.**"},
    {"envoy.fault_downstream_cluster", "http.*.fault.$.**"},
    {"envoy.grpc_bridge_service", "cluster.*.grpc.$.**"},
    {"envoy.tcp_prefix", "tcp.$.**"},
    {"envoy.udp_prefix", "udp.$.**"},
    {"envoy.clientssl_prefix", "auth.clientssl.$.**"},
    {"envoy.ratelimit_prefix", "ratelimit.$.**"},
    {"envoy.cluster_name", "cluster.$.**"},
    {"envoy.ext_authz_prefix", "cluster.*.ext_authz.$.**"},
    {"envoy.ext_authz_prefix", "http.*.ext_authz.$.**"},
    {"envoy.http_conn_manager_prefix", "http.$.**"},
    {"envoy.virtual_host", "vhost.$.**"},
    {"envoy.mongo_prefix", "mongo.$.**"},
    {"envoy.route", "vhost.*.route.$.**"},
    {"envoy.thrift_prefix", "thrift.$.**"},
    {"envoy.redis_prefix", "redis.$.**"},
    {"envoy.local_network_ratelimit_prefix", "local_rate_limit.$.**"},
    {"envoy.local_listener_ratelimit_prefix", "listener_local_ratelimit.$.**"},
    {"envoy.dns_filter_prefix", "dns_filter.$.**"},
    {"envoy.connection_limit_prefix", "connection_limit.$.**"},
    {"envoy.google_grpc_client_prefix", "grpc.$.**"},
};

// False for most rules, by a look at one character.
bool canBegin(absl::string_view pattern, absl::string_view name) {
  return pattern.empty() || pattern[0] == '$' || absl::StartsWith(name, pattern.substr(0, 1));
}

std::optional<TagSpan> find(const BuiltIn& rule, absl::string_view name) {
  if (!canBegin(rule.pattern, name)) {
    return std::nullopt;
  }
  const std::optional<TagSpan> found =
      rule.find != nullptr ? rule.find(name) : findTag(rule.pattern, name);
  return found && (rule.fits == nullptr || rule.fits(found->valueIn(name))) ? found : std::nullopt;
}

std::optional<TagSpan> find(const re2::RE2& regex, absl::string_view name) {
  const int groups = std::min(regex.NumberOfCapturingGroups(), 2);
  re2::StringPiece parts[3];
  const re2::StringPiece text(name.data(), name.size());
  if (groups == 0 || !regex.Match(text, 0, name.size(), re2::RE2::UNANCHORED, parts, groups + 1) ||
      parts[1].data() == nullptr) {
    return std::nullopt;
  }
  const auto at = [&](const char* p) { return static_cast<size_t>(p - name.data()); };
  TagSpan span;
  span.cut_begin = at(parts[1].data());
  span.cut_end = span.cut_begin + parts[1].size();
  const re2::StringPiece& value = parts[groups];
  span.value_begin = value.data() == nullptr ? span.cut_begin : at(value.data());
  span.value_end = span.value_begin + value.size();
  return span;
}

// Whether the regex names the first token, which puts it behind those that do not: "^cluster\\.".
bool isAnchored(absl::string_view regex) {
  size_t at = 1;
  while (at < regex.size() &&
         (absl::ascii_isalnum(static_cast<unsigned char>(regex[at])) || regex[at] == '_')) {
    ++at;
  }
  const absl::string_view rest = regex.substr(std::min(at, regex.size()));
  return absl::StartsWith(regex, "^") && at > 1 &&
         (absl::StartsWith(rest, "\\.") || absl::StartsWith(rest, "(?=\\.)") || rest == "$");
}

std::string without(absl::string_view name, std::vector<std::pair<size_t, size_t>> cuts) {
  std::sort(cuts.begin(), cuts.end());
  std::string rest;
  size_t at = 0;
  for (const auto& [begin, end] : cuts) {
    if (begin > at) {
      rest.append(name.data() + at, begin - at);
    }
    at = std::max(at, end);
  }
  rest.append(name.data() + at, name.size() - at);
  while (absl::EndsWith(rest, ".")) { // What a cut at the end of the name can leave.
    rest.pop_back();
  }
  return rest;
}

} // namespace

// One of three: a built-in rule, a regex, a fixed value.
struct TagExtractor::Rule {
  std::string tag;
  const BuiltIn* built_in = nullptr;
  std::unique_ptr<const re2::RE2> regex;
  std::string fixed_value;
};

TagExtractor::TagExtractor(const StoreConfig& config) {
  for (const bool anchored : {false, true}) {
    addBuiltIn(config, anchored);
    addConfigured(config, anchored);
  }
}

TagExtractor::TagExtractor(TagExtractor&&) noexcept = default;
TagExtractor::~TagExtractor() = default;

void TagExtractor::addBuiltIn(const StoreConfig& config, bool anchored) {
  const auto add = [&](const BuiltIn& rule) {
    const auto named = std::find_if(config.tags.begin(), config.tags.end(),
                                    [&](const TagSpecifier& tag) { return tag.name == rule.tag; });
    const bool configured = named != config.tags.end();
    const bool replaced = configured && config.allow_default_tag_overrides &&
                          (named->regex.has_value() || named->fixed_value.has_value());
    const bool asked = configured && !named->regex.has_value() && !named->fixed_value.has_value();
    if ((config.use_all_default_tags && !replaced) || asked) {
      rules_.push_back(Rule{std::string(rule.tag), &rule, nullptr, ""});
    }
  };
  if (anchored) {
    std::for_each(std::begin(kAnchored), std::end(kAnchored), add);
  } else {
    std::for_each(std::begin(kUnanchored), std::end(kUnanchored), add);
  }
}

void TagExtractor::addConfigured(const StoreConfig& config, bool anchored) {
  for (const TagSpecifier& tag : config.tags) {
    if (tag.fixed_value.has_value() && !anchored) {
      rules_.push_back(Rule{tag.name, nullptr, nullptr, *tag.fixed_value});
    } else if (tag.regex.has_value() && isAnchored(*tag.regex) == anchored) {
      rules_.push_back(
          Rule{tag.name, nullptr, std::make_unique<re2::RE2>(*tag.regex, re2::RE2::Quiet), ""});
    }
  }
}

TaggedName TagExtractor::extract(absl::string_view name) const {
  TaggedName result;
  std::vector<std::pair<size_t, size_t>> cuts;
  for (const Rule& rule : rules_) {
    const bool known = std::any_of(result.tags.begin(), result.tags.end(),
                                   [&](const Tag& tag) { return tag.name == rule.tag; });
    if (known) {
      continue;
    }
    if (rule.built_in == nullptr && rule.regex == nullptr) {
      result.tags.push_back({rule.tag, rule.fixed_value});
      continue;
    }
    const std::optional<TagSpan> found =
        rule.regex != nullptr ? find(*rule.regex, name) : find(*rule.built_in, name);
    if (found) {
      result.tags.push_back({rule.tag, std::string(found->valueIn(name))});
      cuts.emplace_back(found->cut_begin, found->cut_end);
    }
  }
  result.name = without(name, std::move(cuts));
  return result;
}

bool TagExtractor::isBuiltIn(absl::string_view tag_name) {
  const auto named = [&](const BuiltIn& rule) { return rule.tag == tag_name; };
  return std::any_of(std::begin(kUnanchored), std::end(kUnanchored), named) ||
         std::any_of(std::begin(kAnchored), std::end(kAnchored), named);
}

} // namespace culvert::stats
