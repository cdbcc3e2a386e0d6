// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/base/log.h"
#include "source/runtime/loader.h"
#include "source/server/admin/endpoints.h"
#include "source/server/admin/json.h"

namespace culvert::server::admin_handlers {
namespace {

using base::LogComponent;
using base::LogLevel;
using event::HttpRequest;
using event::HttpResponse;

constexpr char kLoggingUsage[] =
    "usage: /logging?<name>=<level> (change single level)\n"
    "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
    "usage: /logging?level=<level> (change all levels)\n"
    "usage: /logging?group=<group_name>:<level> (change group of loggers)\n";

constexpr size_t kComponentCount = static_cast<size_t>(LogComponent::count);

std::string activeLoggers() {
  std::string text = "active loggers:\n";
  for (size_t i = 0; i < kComponentCount; i++) {
    absl::StrAppend(&text, "  ", base::log::name(static_cast<LogComponent>(i)), ": ",
                    base::log::name(base::log::levels[i].load()), "\n");
  }
  return text + "\n";
}

absl::Status setAllLevels(const std::string& level_name) {
  const auto level = base::log::findLevel(level_name);
  if (!level)
    return absl::InvalidArgumentError("unknown logger level");
  base::log::setLevel(*level);
  LOG(info, misc, "change all log levels: level='%s'", level_name);
  return absl::OkStatus();
}

// All of them, or none when one is wrong.
absl::Status setLevels(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::pair<LogComponent, LogLevel>> found;
  for (const auto& [logger, level_name] : changes) {
    if (logger.empty() || level_name.empty())
      return absl::InvalidArgumentError("empty logger name or empty logger level");
    const auto level = base::log::findLevel(level_name);
    if (!level)
      return absl::InvalidArgumentError("unknown logger level");
    const auto component = base::log::findComponent(logger);
    if (!component)
      return absl::InvalidArgumentError("unknown logger name");
    found.emplace_back(*component, *level);
  }
  for (size_t i = 0; i < found.size(); i++) {
    base::log::setLevel(found[i].first, found[i].second);
    LOG(info, admin, "change log level: name='%s' level='%s'", changes[i].first, changes[i].second);
  }
  return absl::OkStatus();
}

absl::Status changeLevels(const HttpRequest& request) {
  if (request.parameters.empty())
    return absl::OkStatus();
  // The page's form sends all of its fields, also those left empty.
  std::vector<std::pair<std::string, std::string>> given;
  for (const auto& parameter : request.parameters) {
    if (!parameter.second.empty())
      given.push_back(parameter);
  }
  if (given.empty())
    given.push_back(request.parameters.front());
  if (given.size() > 1)
    return absl::InvalidArgumentError("invalid number of parameters");
  const auto& [name, value] = given.front();
  if (name == "level")
    return setAllLevels(value);
  if (name == "group") {
    return absl::InvalidArgumentError("group parameter requires fine-grain logging to be enabled");
  }
  if (name != "paths")
    return setLevels(given);
  std::vector<std::pair<std::string, std::string>> changes;
  for (const absl::string_view item : absl::StrSplit(value, ',', absl::SkipEmpty()))
    changes.push_back(absl::StrSplit(item, absl::MaxSplits(':', 1)));
  return setLevels(changes);
}

} // namespace

void logging(AdminContext&, const HttpRequest& request, HttpResponse& response) {
  const absl::Status status = changeLevels(request);
  if (!status.ok()) {
    response.status = 400;
    response.body = absl::StrCat("error: ", status.message(), "\n\n", kLoggingUsage, "levels: ");
    for (int i = 0; i <= static_cast<int>(LogLevel::off); i++)
      absl::StrAppend(&response.body, base::log::name(static_cast<LogLevel>(i)), " ");
    response.body += "\n";
  }
  response.body += activeLoggers();
}

void listeners(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  if (request.parameter("format") != "json") {
    for (const ListenerView& listener : context.server.listeners()) {
      for (const net::Address& address : listener.addresses)
        absl::StrAppend(&response.body, listener.name, "::", address.toString(), "\n");
    }
    return;
  }
  Json statuses = Json::array();
  for (const ListenerView& listener : context.server.listeners()) {
    Json status = {{"name", listener.name}};
    for (size_t i = 0; i < listener.addresses.size(); i++) {
      if (i == 0) {
        status["local_address"] = toJson(listener.addresses[i]);
      } else {
        status["additional_local_addresses"].push_back(toJson(listener.addresses[i]));
      }
    }
    if (listener.drain_remaining.has_value())
      status["drain_remaining"] = wholeSeconds(*listener.drain_remaining);
    statuses.push_back(std::move(status));
  }
  Json json = Json::object();
  if (!statuses.empty())
    json["listener_statuses"] = std::move(statuses);
  answerJson(json, response);
}

void configDump(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  absl::StatusOr<std::string> dump =
      context.server.configDump({request.parameter("resource"), request.parameter("mask"),
                                 request.parameter("name_regex"), request.has("include_eds")});
  if (dump.ok()) {
    response.content_type = "application/json";
    response.body = *std::move(dump);
    return;
  }
  response.status = absl::IsNotFound(dump.status()) ? 404 : 400;
  response.content_type = "text/plain";
  response.body = std::string(dump.status().message());
}

void runtime(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  const auto snapshot = context.runtime.snapshot();
  Json layers = Json::array();
  for (const auto& layer : snapshot->layers())
    layers.push_back(layer.name);
  Json entries = Json::object();
  for (const auto& [key, entry] : snapshot->entries()) {
    Json values = Json::array();
    for (const auto& layer : snapshot->layers()) {
      const auto it = layer.entries.find(key);
      values.push_back(it == layer.entries.end() ? "" : it->second.text);
    }
    entries[key] = {{"layer_values", std::move(values)}, {"final_value", entry->text}};
  }
  answerJson({{"layers", std::move(layers)}, {"entries", std::move(entries)}}, response);
}

void runtimeModify(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  if (request.parameters.empty()) {
    response.status = 400;
    response.body = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n"
                    "       or send the parameters as form values\n"
                    "use an empty value to remove a previously added override";
    return;
  }
  const absl::Status status = context.runtime.modify(request.parameters);
  response.status = status.ok() ? 200 : 503;
  response.body = status.ok() ? "OK\n" : std::string(status.message());
}

} // namespace culvert::server::admin_handlers
