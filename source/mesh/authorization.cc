// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/authorization.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace culvert::mesh {
namespace {

template <class T> const std::vector<T>& valuesOf(const AttributeTest& test) {
  return std::get<std::vector<T>>(test.values);
}

template <class T, class F> bool anyOf(const AttributeTest& test, F matches) {
  const std::vector<T>& values = valuesOf<T>(test);
  return std::any_of(values.begin(), values.end(), matches);
}

// What policies see of a connection, with its texts ready.
class Asked {
public:
  explicit Asked(const AuthorizationRequest& request)
      : request_(request),
        principal_(request.identity.has_value() ? request.identity->principal() : "") {}

  bool matches(const Policy& policy) const {
    return std::any_of(policy.rules.begin(), policy.rules.end(), [this](const PolicyRule& rule) {
      return std::all_of(rule.begin(), rule.end(), [this](const PolicyClause& clause) {
        return clause.empty() ||
               std::any_of(clause.begin(), clause.end(),
                           [this](const PolicyMatch& match) { return holds(match); });
      });
    });
  }

private:
  bool holds(const PolicyMatch& match) const {
    return !match.empty() &&
           std::all_of(match.begin(), match.end(), [this](const AttributeTest& test) {
             return anyMatches(test) != test.negated;
           });
  }

  bool anyMatches(const AttributeTest& test) const {
    const auto& identity = request_.identity;
    switch (test.attribute) {
    case Attribute::kNamespace: // Of a peer without an identity it is "".
      return anyOf<TextMatch>(test, [&](const TextMatch& match) {
        return match.matches(identity.has_value() ? identity->ns.view() : absl::string_view());
      });
    case Attribute::kPrincipal:
      return identity.has_value() && anyOf<TextMatch>(test, [&](const TextMatch& match) {
               return match.matches(principal_);
             });
    case Attribute::kServiceAccount:
      return identity.has_value() &&
             anyOf<ServiceAccountMatch>(test, [&](const ServiceAccountMatch& match) {
               return match.ns == identity->ns &&
                      match.service_account == identity->service_account;
             });
    case Attribute::kSourceIp:
      return containsIp(test, request_.source);
    case Attribute::kDestinationIp:
      return containsIp(test, request_.destination);
    case Attribute::kDestinationPort:
      return anyOf<uint16_t>(test,
                             [&](uint16_t port) { return port == request_.destination_port; });
    }
    return false;
  }

  static bool containsIp(const AttributeTest& test, const Ip& ip) {
    return anyOf<IpBlock>(test, [&](const IpBlock& block) { return block.contains(ip); });
  }

  const AuthorizationRequest& request_;
  const std::string principal_;
};

// The policies for one workload, as far as they have been shown, on one connection
// (mesh-data-plane 5.4).
class Judgement {
public:
  explicit Judgement(const AuthorizationRequest& request) : asked_(request) {}

  void show(const Policy& policy) {
    const bool deny = policy.action == Policy::Action::kDeny;
    (policy.dry_run ? (deny ? dry_deny_ : dry_allow_) : (deny ? deny_ : allow_))
        .see(policy, asked_);
  }
  void missing(const Text& key) {
    verdict_.notes.push_back({"a policy that the workload names is not known", key, true});
  }

  Verdict verdict() && {
    if (dry_deny_.matching) {
      note("dry-run: deny policy match", dry_deny_.matching);
    }
    if (deny_.matching) {
      verdict_.allowed = false;
      verdict_.denied_by = deny_.matching;
      note("deny policy match", deny_.matching);
      return std::move(verdict_);
    }
    judgeAllowing();
    return std::move(verdict_);
  }

private:
  struct Group {
    void see(const Policy& policy, const Asked& asked) {
      any = true;
      if (!matching && asked.matches(policy)) {
        matching = PolicyRef(&policy);
      }
    }
    bool any = false;
    PolicyRef matching; // The first.
  };

  void judgeAllowing() {
    if (dry_allow_.matching) {
      note("dry-run: allow policy match", dry_allow_.matching);
    } else if (dry_allow_.any && !allow_.any) {
      note("dry-run: no allow policies match", nullptr);
    }
    if (!allow_.any) {
      note("no allow policies, allow", nullptr);
    } else if (allow_.matching) {
      note("allow policy match", allow_.matching);
    } else {
      verdict_.allowed = false;
      note("no allow policies matched", nullptr);
    }
  }

  void note(absl::string_view text, const PolicyRef& policy) {
    verdict_.notes.push_back({text, policy ? policy->key : Text(), false});
  }

  const Asked asked_;
  Group deny_;
  Group dry_deny_;
  Group allow_;
  Group dry_allow_;
  Verdict verdict_;
};

} // namespace

bool TextMatch::matches(absl::string_view value) const {
  switch (kind) {
  case Kind::kExact:
    return value == text.view();
  case Kind::kPrefix:
    return absl::StartsWith(value, text);
  case Kind::kSuffix:
    return absl::EndsWith(value, text);
  case Kind::kPresence:
    return !value.empty();
  }
  return false;
}

std::string Policy::toString() const { return absl::StrCat(ns.view(), "/", name.view()); }

bool operator==(const Policy& a, const Policy& b) {
  return a.key == b.key && a.name == b.name && a.ns == b.ns && a.scope == b.scope &&
         a.action == b.action && a.dry_run == b.dry_run && a.rules == b.rules;
}

std::string Verdict::reason() const {
  return denied_by ? absl::StrCat("explicitly denied by: ", denied_by->toString())
                   : "allow policies exist, but none allowed";
}

Verdict authorize(const TableReader& table, const Workload& workload,
                  const AuthorizationRequest& request) {
  Judgement judgement(request);
  table.policiesFor(
      workload, [&](const Policy& policy) { judgement.show(policy); },
      [&](const Text& key) { judgement.missing(key); });
  return std::move(judgement).verdict();
}

bool matches(const Policy& policy, const AuthorizationRequest& request) {
  return Asked(request).matches(policy);
}

} // namespace culvert::mesh
