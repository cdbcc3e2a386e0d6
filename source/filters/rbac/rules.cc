// SPDX-License-Identifier: Apache-2.0
#include "source/filters/rbac/rules.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/rbac/v3/rbac.pb.h"

namespace culvert::rbac {
namespace {

namespace pb = envoy::config::rbac::v3;

Action actionOf(const pb::RBAC& config) {
  switch (config.action()) {
  case pb::RBAC::DENY:
    return Action::kDeny;
  case pb::RBAC::LOG:
    return Action::kLog;
  default:
    return Action::kAllow;
  }
}

// Any of the list.
template <auto kMake, class List>
absl::StatusOr<Condition> makeAny(const List& list, absl::string_view path) {
  std::vector<Condition> made;
  for (const auto& member : list) {
    auto condition = kMake(member);
    if (!condition.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, "[", made.size(), "]", condition.status().message()));
    }
    made.push_back(*std::move(condition));
  }
  return made.size() == 1 ? std::move(made.front()) : anyOf(std::move(made));
}

} // namespace

absl::StatusOr<std::unique_ptr<const Rules>> Rules::create(const pb::RBAC& config) {
  std::unique_ptr<Rules> rules(new Rules(actionOf(config)));
  std::map<std::string, const pb::Policy*> by_name;
  for (const auto& [name, policy] : config.policies()) {
    by_name.emplace(name, &policy);
  }
  for (const auto& [name, policy] : by_name) {
    const std::string path = absl::StrCat(".policies[", name, "]");
    auto permission =
        makeAny<makePermission>(policy->permissions(), absl::StrCat(path, ".permissions"));
    if (!permission.ok()) {
      return permission.status();
    }
    auto principal =
        makeAny<makePrincipal>(policy->principals(), absl::StrCat(path, ".principals"));
    if (!principal.ok()) {
      return principal.status();
    }
    rules->known_at_accept_ &= permission->known_at_accept && principal->known_at_accept;
    rules->policies_.push_back({name, *std::move(permission), *std::move(principal)});
  }
  return rules;
}

Verdict Rules::ask(const net::ConnectionInfo& info) const {
  const auto it = std::find_if(policies_.begin(), policies_.end(), [&](const Policy& policy) {
    return policy.permission.holds(info) && policy.principal.holds(info);
  });
  const bool matched = it != policies_.end();
  const bool allowed = action_ == Action::kLog || matched == (action_ == Action::kAllow);
  return {allowed, matched ? &it->name : nullptr};
}

} // namespace culvert::rbac
