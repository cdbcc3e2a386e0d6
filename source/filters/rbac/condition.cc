// SPDX-License-Identifier: Apache-2.0
#include "source/filters/rbac/condition.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/rbac/v3/rbac.pb.h"
#include "source/match/value_match.h"

namespace culvert::rbac {
namespace {

namespace pb = envoy::config::rbac::v3;

using net::Address;
using net::ConnectionInfo;

constexpr int kPortMax = 65535;

bool knownAtAccept(const std::vector<Condition>& conditions) {
  return std::all_of(conditions.begin(), conditions.end(),
                     [](const Condition& condition) { return condition.known_at_accept; });
}

absl::Status below(absl::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(path, status.message()));
}

Condition always(bool answer) {
  return {[answer](const ConnectionInfo&) { return answer; }};
}

absl::StatusOr<Condition> negated(absl::StatusOr<Condition> condition, absl::string_view path) {
  if (!condition.ok()) {
    return below(path, condition.status());
  }
  return Condition{
      [inner = std::move(condition->holds)](const ConnectionInfo& info) { return !inner(info); },
      condition->known_at_accept};
}

// The members of a set, each made by kMake.
template <auto kMake, class Members>
absl::StatusOr<std::vector<Condition>> makeMembers(const Members& members, absl::string_view path) {
  std::vector<Condition> made;
  for (const auto& member : members) {
    auto condition = kMake(member);
    if (!condition.ok()) {
      return below(absl::StrCat(path, "[", made.size(), "]"), condition.status());
    }
    made.push_back(*std::move(condition));
  }
  return made;
}

template <auto kMake, class Members>
absl::StatusOr<Condition> makeSet(const Members& members, bool all, absl::string_view path) {
  auto made = makeMembers<kMake>(members, path);
  if (!made.ok()) {
    return made.status();
  }
  return all ? allOf(*std::move(made)) : anyOf(*std::move(made));
}

absl::StatusOr<Condition> addressIn(const envoy::config::core::v3::CidrRange& config,
                                    Address ConnectionInfo::* which, absl::string_view path) {
  auto range = match::makeCidr(config);
  if (!range.ok()) {
    return below(path, range.status());
  }
  return Condition{
      [which, range = *range](const ConnectionInfo& info) { return range.contains(info.*which); }};
}

Condition portIn(int first, int end) {
  return {[first, end](const ConnectionInfo& info) {
    return info.local.isIp() && first <= info.local.port() && info.local.port() < end;
  }};
}

absl::StatusOr<Condition> makePortRange(const envoy::type::v3::Int32Range& range) {
  constexpr absl::string_view kPath = ".destination_port_range: ";
  if (range.start() < 0 || range.start() > kPortMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(kPath, "range start ", range.start(), " is out of bounds"));
  }
  if (range.end() < 0 || range.end() > kPortMax + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(kPath, "range end ", range.end(), " is out of bounds"));
  }
  if (range.start() >= range.end()) {
    return absl::InvalidArgumentError(absl::StrCat(kPath, "range start ", range.start(),
                                                   " cannot be greater or equal than range end ",
                                                   range.end()));
  }
  return portIn(range.start(), range.end());
}

absl::StatusOr<Condition> makeServerName(const envoy::type::matcher::v3::StringMatcher& config) {
  auto name = match::makeStringMatch(config);
  if (!name.ok()) {
    return below(".requested_server_name", name.status());
  }
  return Condition{[name = *std::move(name)](const ConnectionInfo& info) {
    return name.matches(info.requested_server_name);
  }};
}

// Dynamic metadata is written by filters as they go, so its answer may change with each byte.
absl::StatusOr<Condition> makeMetadata(const envoy::type::matcher::v3::MetadataMatcher& config,
                                       absl::string_view path) {
  auto value = match::makeValueMatch(config.value());
  if (!value.ok()) {
    return below(absl::StrCat(path, ".value"), value.status());
  }
  std::vector<std::string> keys;
  for (const auto& segment : config.path()) {
    keys.push_back(segment.key());
  }
  return Condition{[filter = config.filter(), keys = std::move(keys), value = *std::move(value),
                    invert = config.invert()](const ConnectionInfo& info) {
                     const net::Value* const found =
                         info.dynamic_metadata == nullptr
                             ? nullptr
                             : info.dynamic_metadata->find(filter, keys);
                     return (found != nullptr && value(*found)) != invert;
                   },
                   /*known_at_accept=*/false};
}

absl::StatusOr<Condition> makeSourcedMetadata(const pb::SourcedMetadata& config) {
  if (config.metadata_source() != pb::DYNAMIC) {
    return absl::InvalidArgumentError(
        ".sourced_metadata.metadata_source: a connection has no route");
  }
  return makeMetadata(config.metadata_matcher(), ".sourced_metadata.metadata_matcher");
}

bool textMatches(const net::FilterState::Object& state, const match::StringMatch& text) {
  const auto* const plain = dynamic_cast<const net::StringState*>(&state);
  return plain == nullptr ? text.matches(state.serialize()) : text.matches(plain->value());
}

const net::FilterState::Object* findState(const ConnectionInfo& info, absl::string_view key) {
  return info.filter_state == nullptr ? nullptr : info.filter_state->find(key);
}

absl::StatusOr<Condition>
makeAddressState(const envoy::type::matcher::v3::FilterStateMatcher& config) {
  std::vector<net::Cidr> ranges;
  for (const auto& range : config.address_match().ranges()) {
    auto made = match::makeCidr(range);
    if (!made.ok()) {
      return below(absl::StrCat(".filter_state.address_match.ranges[", ranges.size(), "]"),
                   made.status());
    }
    ranges.push_back(*made);
  }
  return Condition{
      [key = config.key(), ranges = std::move(ranges),
       invert = config.address_match().invert_match()](const ConnectionInfo& info) {
        const auto* const state = dynamic_cast<const net::AddressState*>(findState(info, key));
        return state != nullptr && state->address().isIp() &&
               invert != std::any_of(ranges.begin(), ranges.end(), [&](const net::Cidr& range) {
                 return range.contains(state->address());
               });
      },
      /*known_at_accept=*/false};
}

absl::StatusOr<Condition>
makeFilterState(const envoy::type::matcher::v3::FilterStateMatcher& config) {
  if (config.has_address_match()) {
    return makeAddressState(config);
  }
  auto text = match::makeStringMatch(config.string_match());
  if (!text.ok()) {
    return below(".filter_state.string_match", text.status());
  }
  return Condition{[key = config.key(), text = *std::move(text)](const ConnectionInfo& info) {
                     const net::FilterState::Object* const state = findState(info, key);
                     return state != nullptr && textMatches(*state, text);
                   },
                   /*known_at_accept=*/false};
}

bool isNamed(const net::TlsInfo& tls, const match::StringMatch& name) {
  const auto matches = [&](const std::string& text) { return name.matches(text); };
  const net::CertificateFacts* const peer = tls.peer();
  if (peer == nullptr) {
    return matches("");
  }
  return std::any_of(peer->uri_sans.begin(), peer->uri_sans.end(), matches) ||
         std::any_of(peer->dns_sans.begin(), peer->dns_sans.end(), matches) ||
         matches(peer->subject);
}

// Who speaks TLS, by any name that the certificate has.
absl::StatusOr<Condition> makeAuthenticated(const pb::Principal::Authenticated& config) {
  std::optional<match::StringMatch> wanted;
  if (config.has_principal_name()) {
    auto name = match::makeStringMatch(config.principal_name());
    if (!name.ok()) {
      return below(".authenticated.principal_name", name.status());
    }
    wanted = *std::move(name);
  }
  return Condition{[wanted = std::move(wanted)](const ConnectionInfo& info) {
                     return info.tls != nullptr && (!wanted || isNamed(*info.tls, *wanted));
                   },
                   /*known_at_accept=*/false};
}

} // namespace

Condition allOf(std::vector<Condition> conditions) {
  const bool known = knownAtAccept(conditions);
  return {[conditions = std::move(conditions)](const ConnectionInfo& info) {
            return std::all_of(conditions.begin(), conditions.end(),
                               [&](const Condition& one) { return one.holds(info); });
          },
          known};
}

Condition anyOf(std::vector<Condition> conditions) {
  const bool known = knownAtAccept(conditions);
  return {[conditions = std::move(conditions)](const ConnectionInfo& info) {
            return std::any_of(conditions.begin(), conditions.end(),
                               [&](const Condition& one) { return one.holds(info); });
          },
          known};
}

absl::StatusOr<Condition> makePermission(const pb::Permission& config) {
  switch (config.rule_case()) {
  case pb::Permission::kAny:
    return always(true);
  case pb::Permission::kAndRules:
    return makeSet<makePermission>(config.and_rules().rules(), true, ".and_rules.rules");
  case pb::Permission::kOrRules:
    return makeSet<makePermission>(config.or_rules().rules(), false, ".or_rules.rules");
  case pb::Permission::kNotRule:
    return negated(makePermission(config.not_rule()), ".not_rule");
  case pb::Permission::kDestinationIp:
    return addressIn(config.destination_ip(), &ConnectionInfo::local, ".destination_ip");
  case pb::Permission::kDestinationPort:
    return portIn(static_cast<int>(config.destination_port()),
                  static_cast<int>(config.destination_port()) + 1);
  case pb::Permission::kDestinationPortRange:
    return makePortRange(config.destination_port_range());
  case pb::Permission::kRequestedServerName:
    return makeServerName(config.requested_server_name());
  case pb::Permission::kMetadata:
    return makeMetadata(config.metadata(), ".metadata");
  case pb::Permission::kSourcedMetadata:
    return makeSourcedMetadata(config.sourced_metadata());
  case pb::Permission::kHeader:
    return absl::InvalidArgumentError(
        ".header: Found header() rule,not supported by RBAC network filter");
  default:
    return absl::InvalidArgumentError(": this permission is not about connections");
  }
}

absl::StatusOr<Condition> makePrincipal(const pb::Principal& config) {
  switch (config.identifier_case()) {
  case pb::Principal::kAny:
    return always(true);
  case pb::Principal::kAndIds:
    return makeSet<makePrincipal>(config.and_ids().ids(), true, ".and_ids.ids");
  case pb::Principal::kOrIds:
    return makeSet<makePrincipal>(config.or_ids().ids(), false, ".or_ids.ids");
  case pb::Principal::kNotId:
    return negated(makePrincipal(config.not_id()), ".not_id");
  case pb::Principal::kAuthenticated:
    return makeAuthenticated(config.authenticated());
  case pb::Principal::kSourceIp:
    return addressIn(config.source_ip(), &ConnectionInfo::remote, ".source_ip");
  case pb::Principal::kRemoteIp:
    return addressIn(config.remote_ip(), &ConnectionInfo::remote, ".remote_ip");
  case pb::Principal::kDirectRemoteIp:
    return addressIn(config.direct_remote_ip(), &ConnectionInfo::direct_remote,
                     ".direct_remote_ip");
  case pb::Principal::kMetadata:
    return makeMetadata(config.metadata(), ".metadata");
  case pb::Principal::kSourcedMetadata:
    return makeSourcedMetadata(config.sourced_metadata());
  case pb::Principal::kFilterState:
    return makeFilterState(config.filter_state());
  case pb::Principal::kHeader:
    return absl::InvalidArgumentError(
        ".header: Found header() rule,not supported by RBAC network filter");
  default:
    return absl::InvalidArgumentError(": this principal is not about connections");
  }
}

} // namespace culvert::rbac
