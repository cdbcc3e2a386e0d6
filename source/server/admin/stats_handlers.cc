// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "source/server/admin/endpoints.h"
#include "source/stats/render.h"

namespace culvert::server::admin_handlers {
namespace {

using event::HttpRequest;
using event::HttpResponse;

std::string page(absl::string_view text) {
  return absl::StrCat("<!DOCTYPE html>\n<html lang='en'>\n<head><title>Culvert Admin</title></head>"
                      "\n<body>\n<pre>\n",
                      absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}),
                      "</pre>\n</body>\n</html>\n");
}

void answer(AdminContext& context, const HttpRequest& request, std::optional<stats::Format> format,
            HttpResponse& response) {
  const absl::StatusOr<stats::Query> query = stats::parseQuery(request.parameters, format);
  if (!query.ok()) {
    response.status = 400;
    response.body = std::string(query.status().message());
    return;
  }
  if (context.before_stats)
    context.before_stats();
  response.body = stats::render(context.stats, *query);
  if (query->format == stats::Format::kJson) {
    response.content_type = "application/json";
  } else if (query->format == stats::Format::kHtml || query->format == stats::Format::kActiveHtml) {
    response.content_type = "text/html; charset=UTF-8";
    response.body = page(response.body);
  }
}

} // namespace

void stats(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  answer(context, request, std::nullopt, response);
}

void prometheus(AdminContext& context, const HttpRequest& request, HttpResponse& response) {
  answer(context, request, stats::Format::kPrometheus, response);
}

void resetCounters(AdminContext& context, const HttpRequest&, HttpResponse& response) {
  context.stats.resetCounters();
  response.body = "OK\n";
}

// Names are looked up only while configuration is read, so that nobody could learn from a list.
void recentLookups(AdminContext&, const HttpRequest&, HttpResponse& response) {
  response.body = "Lookup tracking is not built in.\n\ntotal: 0\n";
}

} // namespace culvert::server::admin_handlers
