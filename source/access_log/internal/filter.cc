// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/filter.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/data/accesslog/v3/accesslog.pb.h"
#include "source/access_log/internal/identity.h"
#include "source/access_log/internal/names.h"
#include "source/match/header_match.h"
#include "source/match/value_match.h"
#include "source/net/connection_info.h"

namespace culvert::access_log::internal {
namespace {

namespace pb = envoy::config::accesslog::v3;

using Predicate = std::function<bool(const Entry&)>;
using RuntimeValue = std::function<uint64_t()>;

class PredicateFilter final : public EntryFilter {
public:
  explicit PredicateFilter(Predicate predicate) : predicate_(std::move(predicate)) {}
  bool passes(const Entry& entry) const override { return predicate_(entry); }

private:
  const Predicate predicate_;
};

RuntimeValue watch(const WatchRuntime& watch_runtime, const std::string& key, uint64_t fallback) {
  if (watch_runtime == nullptr || key.empty())
    return [fallback] { return fallback; };
  return watch_runtime(key, fallback);
}

std::function<bool(uint64_t)> makeComparison(const pb::ComparisonFilter& config,
                                             const WatchRuntime& watch_runtime) {
  return [op = config.op(), limit = watch(watch_runtime, config.value().runtime_key(),
                                          config.value().default_value())](uint64_t value) {
    switch (op) {
    case pb::ComparisonFilter::EQ:
      return value == limit();
    case pb::ComparisonFilter::GE:
      return value >= limit();
    case pb::ComparisonFilter::LE:
      return value <= limit();
    case pb::ComparisonFilter::NE:
      return value != limit();
    default:
      return false;
    }
  };
}

uint64_t durationMilliseconds(const Entry& entry) {
  const base::Instant end = entry.info.end == base::Instant{} ? entry.now : entry.info.end;
  return base::toMilliseconds(end - entry.info.start);
}

uint64_t denominatorOf(const envoy::type::v3::FractionalPercent& percent) {
  switch (percent.denominator()) {
  case envoy::type::v3::FractionalPercent::TEN_THOUSAND:
    return 10'000;
  case envoy::type::v3::FractionalPercent::MILLION:
    return 1'000'000;
  default:
    return 100;
  }
}

// All lines about one connection are sampled alike, unless they are to be independent.
Predicate makeRuntimeFilter(const pb::RuntimeFilter& config, const WatchRuntime& watch_runtime) {
  return
      [numerator = watch(watch_runtime, config.runtime_key(), config.percent_sampled().numerator()),
       denominator = denominatorOf(config.percent_sampled()),
       independent = config.use_independent_randomness()](const Entry& entry) {
        const uint64_t random = (independent ? randomId() : streamId(entry.info)).first;
        return random % denominator < numerator();
      };
}

absl::StatusOr<Predicate> makeFlagFilter(const pb::ResponseFlagFilter& config) {
  uint32_t flags = config.flags().empty() ? ~0u : 0;
  for (int i = 0; i < config.flags_size(); i++) {
    const std::optional<uint32_t> flag = flagOf(config.flags(i));
    if (!flag.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("response_flag_filter.flags[", i,
                                                     "]: unknown flag '", config.flags(i), "'"));
    }
    flags |= *flag;
  }
  return Predicate(
      [flags](const Entry& entry) { return (entry.info.response_flags & flags) != 0; });
}

Predicate makeTypeFilter(const pb::LogTypeFilter& config) {
  std::vector<absl::string_view> names;
  for (const int type : config.types()) {
    names.push_back(envoy::data::accesslog::v3::AccessLogType_Name(
        static_cast<envoy::data::accesslog::v3::AccessLogType>(type)));
  }
  return [names = std::move(names), exclude = config.exclude()](const Entry& entry) {
    return (std::find(names.begin(), names.end(), name(entry.type)) != names.end()) != exclude;
  };
}

Predicate makeGrpcFilter(const pb::GrpcStatusFilter& config) {
  const bool found = std::find(config.statuses().begin(), config.statuses().end(),
                               pb::GrpcStatusFilter::UNKNOWN) != config.statuses().end();
  return [passes = found != config.exclude()](const Entry&) { return passes; };
}

// A connection without a request has no headers.
absl::StatusOr<Predicate> makeHeaderFilter(const pb::HeaderFilter& config) {
  auto header = match::makeHeaderMatch(config.header());
  if (!header.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("header_filter.header", header.status().message()));
  }
  return Predicate([header = *std::move(header)](const Entry& entry) {
    const net::RequestInfo* const request = entry.info.request.get();
    return header.matches(
        request == nullptr ? nullptr : net::RequestInfo::find(request->headers, header.name));
  });
}

absl::StatusOr<Predicate> makeMetadataFilter(const pb::MetadataFilter& config) {
  const bool match_if_missing =
      !config.has_match_if_key_not_found() || config.match_if_key_not_found().value();
  std::vector<std::string> path;
  for (const auto& segment : config.matcher().path())
    path.push_back(segment.key());
  auto value = match::makeValueMatch(config.matcher().value());
  if (!value.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata_filter.matcher.value", value.status().message()));
  }
  return Predicate([match_if_missing, path, filter = config.matcher().filter(),
                    matches = *std::move(value)](const Entry& entry) {
    const net::Metadata* const metadata = entry.info.dynamic_metadata.get();
    const net::Value* const value = metadata == nullptr ? nullptr : metadata->find(filter, path);
    return value == nullptr ? match_if_missing : matches(*value);
  });
}

absl::StatusOr<Predicate> makePredicate(const pb::AccessLogFilter& config,
                                        const WatchRuntime& watch_runtime);

// All of them, or any of them.
template <class Filters>
absl::StatusOr<Predicate> makeGroup(const Filters& filters, bool all, absl::string_view field,
                                    const WatchRuntime& watch_runtime) {
  std::vector<Predicate> members;
  for (const pb::AccessLogFilter& filter : filters) {
    auto member = makePredicate(filter, watch_runtime);
    if (!member.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".filters[", members.size(), "].", member.status().message()));
    }
    members.push_back(*std::move(member));
  }
  return Predicate([members = std::move(members), all](const Entry& entry) {
    const auto passes = [&](const Predicate& member) { return member(entry); };
    return all ? std::all_of(members.begin(), members.end(), passes)
               : std::any_of(members.begin(), members.end(), passes);
  });
}

absl::StatusOr<Predicate> makePredicate(const pb::AccessLogFilter& config,
                                        const WatchRuntime& watch_runtime) {
  switch (config.filter_specifier_case()) {
  case pb::AccessLogFilter::kStatusCodeFilter:
    return Predicate([compare = makeComparison(config.status_code_filter().comparison(),
                                               watch_runtime)](const Entry& entry) {
      return compare(entry.info.request == nullptr ? 0 : entry.info.request->response_code);
    });
  case pb::AccessLogFilter::kDurationFilter:
    return Predicate(
        [compare = makeComparison(config.duration_filter().comparison(), watch_runtime)](
            const Entry& entry) { return compare(durationMilliseconds(entry)); });
  case pb::AccessLogFilter::kNotHealthCheckFilter:
    return Predicate([](const Entry&) { return true; });
  case pb::AccessLogFilter::kTraceableFilter:
    return Predicate([](const Entry&) { return false; });
  case pb::AccessLogFilter::kRuntimeFilter:
    return makeRuntimeFilter(config.runtime_filter(), watch_runtime);
  case pb::AccessLogFilter::kAndFilter:
    return makeGroup(config.and_filter().filters(), true, "and_filter", watch_runtime);
  case pb::AccessLogFilter::kOrFilter:
    return makeGroup(config.or_filter().filters(), false, "or_filter", watch_runtime);
  case pb::AccessLogFilter::kHeaderFilter:
    return makeHeaderFilter(config.header_filter());
  case pb::AccessLogFilter::kResponseFlagFilter:
    return makeFlagFilter(config.response_flag_filter());
  case pb::AccessLogFilter::kGrpcStatusFilter:
    return makeGrpcFilter(config.grpc_status_filter());
  case pb::AccessLogFilter::kMetadataFilter:
    return makeMetadataFilter(config.metadata_filter());
  case pb::AccessLogFilter::kLogTypeFilter:
    return makeTypeFilter(config.log_type_filter());
  case pb::AccessLogFilter::kExtensionFilter:
    return absl::InvalidArgumentError(
        absl::StrCat("extension_filter: Didn't find a registered implementation for '",
                     config.extension_filter().name(), "'"));
  case pb::AccessLogFilter::FILTER_SPECIFIER_NOT_SET:
    break;
  }
  return absl::InvalidArgumentError("filter_specifier: is required");
}

} // namespace

absl::StatusOr<EntryFilter::Ptr> EntryFilter::create(const pb::AccessLogFilter& config,
                                                     const WatchRuntime& watch_runtime) {
  auto predicate = makePredicate(config, watch_runtime);
  if (!predicate.ok())
    return predicate.status();
  return std::make_unique<PredicateFilter>(*std::move(predicate));
}

} // namespace culvert::access_log::internal
