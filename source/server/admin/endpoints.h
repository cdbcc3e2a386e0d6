// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "source/event/http_server.h"
#include "source/server/admin/admin_context.h"

namespace culvert::server {

// Answers one request; `response` begins as 200, plain text, without a body.
using AdminHandler = void (*)(AdminContext& context, const event::HttpRequest& request,
                              event::HttpResponse& response);

struct AdminParameter {
  const char* name;
  const char* text;
  const char* choices = ""; // "text, json"; empty: any text.
  bool flag = false;        // Counts by being there.
};

struct AdminEndpoint {
  const char* path;
  const char* text;
  bool mutates; // Only by POST.
  AdminHandler handler;
  absl::Span<const AdminParameter> parameters;
};

// In the order of /help (envoy-compat B.2). Threads: any.
absl::Span<const AdminEndpoint> adminEndpoints();
const AdminEndpoint* findAdminEndpoint(absl::string_view path);

// The text of /help.
std::string adminHelp();

// The handlers, by the file that has them.
namespace admin_handlers {

#define CULVERT_ADMIN_HANDLER(name)                                                                \
  void name(AdminContext& context, const event::HttpRequest& request, event::HttpResponse& response)

// pages.cc
CULVERT_ADMIN_HANDLER(home);
CULVERT_ADMIN_HANDLER(help);
// server_handlers.cc
CULVERT_ADMIN_HANDLER(contention);
CULVERT_ADMIN_HANDLER(drainListeners);
CULVERT_ADMIN_HANDLER(healthcheckFail);
CULVERT_ADMIN_HANDLER(healthcheckOk);
CULVERT_ADMIN_HANDLER(hotRestartVersion);
CULVERT_ADMIN_HANDLER(initDump);
CULVERT_ADMIN_HANDLER(memory);
CULVERT_ADMIN_HANDLER(notBuiltIn);
CULVERT_ADMIN_HANDLER(quit);
CULVERT_ADMIN_HANDLER(ready);
CULVERT_ADMIN_HANDLER(reopenLogs);
CULVERT_ADMIN_HANDLER(serverInfo);
// config_handlers.cc
CULVERT_ADMIN_HANDLER(configDump);
CULVERT_ADMIN_HANDLER(listeners);
CULVERT_ADMIN_HANDLER(logging);
CULVERT_ADMIN_HANDLER(runtime);
CULVERT_ADMIN_HANDLER(runtimeModify);
// certs_handler.cc
CULVERT_ADMIN_HANDLER(certs);
// clusters_handler.cc
CULVERT_ADMIN_HANDLER(clusters);
// stats_handlers.cc
CULVERT_ADMIN_HANDLER(prometheus);
CULVERT_ADMIN_HANDLER(recentLookups);
CULVERT_ADMIN_HANDLER(resetCounters);
CULVERT_ADMIN_HANDLER(stats);

#undef CULVERT_ADMIN_HANDLER

} // namespace admin_handlers
} // namespace culvert::server
