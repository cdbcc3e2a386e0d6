// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_event_log.h"

#include <utility>

#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "source/upstream/event_json.h"

namespace culvert::upstream {
namespace {

const char* name(HealthEventLog::Failure failure) {
  switch (failure) {
  case HealthEventLog::Failure::kActive:
    return "ACTIVE";
  case HealthEventLog::Failure::kNetwork:
    return "NETWORK";
  case HealthEventLog::Failure::kTimeout:
    return "NETWORK_TIMEOUT";
  }
  return "";
}

Json metadataJson(const google::protobuf::Message& metadata) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const bool printed = google::protobuf::util::MessageToJsonString(metadata, &text, options).ok();
  Json json = Json::parse(printed ? text : "{}", nullptr, false);
  return json.is_discarded() ? Json::object() : json;
}

} // namespace

// What is special about a line. Field numbers decide the order: some stand before the time.
struct HealthEventLog::Event {
  const char* key;
  Json value;
  enum class Place : uint8_t { kBeforeTime, kAfterTime, kLast } place;
};

HealthEventLog::HealthEventLog(const base::Clock& clock, Files files, std::string checker,
                               std::string cluster)
    : clock_(&clock), files_(std::move(files)), checker_(std::move(checker)),
      cluster_(std::move(cluster)) {}

void HealthEventLog::addHealthy(const Host& host, bool first_check) {
  write(host, {"add_healthy_event", {{"first_check", first_check}}, Event::Place::kBeforeTime});
}

void HealthEventLog::ejectUnhealthy(const Host& host, Failure failure, uint32_t http_status) {
  write(host, {"eject_unhealthy_event",
               {{"failure_type", name(failure)}, {"http_status_code", http_status}},
               Event::Place::kBeforeTime});
}

void HealthEventLog::failure(const Host& host, Failure failure, bool first_check,
                             uint32_t http_status) {
  write(host, {"health_check_failure_event",
               {{"failure_type", name(failure)},
                {"first_check", first_check},
                {"http_status_code", http_status}},
               Event::Place::kAfterTime});
}

void HealthEventLog::degraded(const Host& host, bool now) {
  write(host, {now ? "degraded_healthy_host" : "no_longer_degraded_host", Json::object(),
               Event::Place::kAfterTime});
}

void HealthEventLog::success(const Host& host) {
  write(host, {"successful_health_check_event", Json::object(), Event::Place::kLast});
}

void HealthEventLog::write(const Host& host, const Event& event) {
  if (files_.empty()) {
    return;
  }
  Json line = {{"health_checker_type", checker_},
               {"host", addressJson(host.address())},
               {"cluster_name", cluster_}};
  const auto put = [&](Event::Place place) {
    if (event.place == place) {
      line[event.key] = event.value;
    }
  };
  put(Event::Place::kBeforeTime);
  line["timestamp"] = timeText(clock_->wallNow());
  put(Event::Place::kAfterTime);
  if (host.metadata() != nullptr) {
    line["metadata"] = metadataJson(*host.metadata());
  }
  const Locality& locality = host.locality();
  line["locality"] = {
      {"region", locality.region}, {"zone", locality.zone}, {"sub_zone", locality.sub_zone}};
  put(Event::Place::kLast);
  const std::string text = lineOf(line);
  for (const auto& file : files_) {
    file->write(text);
  }
}

} // namespace culvert::upstream
