// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/admin.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "source/base/log.h"
#include "source/net/socket.h"
#include "source/server/admin/endpoints.h"
#include "source/stats/store.h"

namespace culvert::server {
namespace {

constexpr int kBacklog = 128;

std::string orDash(const std::string& text) { return text.empty() ? "-" : text; }

} // namespace

// The numbers of http.admin. and listener.admin. that this server can tell (envoy-compat B.1).
struct Admin::Stats {
  explicit Stats(stats::Scope& root)
      : http(root.scope("http.admin")), listener(root.scope("listener.admin")),
        cx_total(http->counter("downstream_cx_total")),
        cx_http1_total(http->counter("downstream_cx_http1_total")),
        cx_destroy(http->counter("downstream_cx_destroy")),
        cx_active(http->gauge("downstream_cx_active")),
        cx_http1_active(http->gauge("downstream_cx_http1_active")),
        rq_total(http->counter("downstream_rq_total")),
        rq_http1_total(http->counter("downstream_rq_http1_total")),
        rq_completed(http->counter("downstream_rq_completed")),
        rq_active(http->gauge("downstream_rq_active")),
        listener_cx_total(listener->counter("downstream_cx_total")),
        listener_cx_destroy(listener->counter("downstream_cx_destroy")),
        listener_cx_active(listener->gauge("downstream_cx_active")),
        main_cx_total(listener->counter("main_thread.downstream_cx_total")),
        main_cx_active(listener->gauge("main_thread.downstream_cx_active")) {
    for (int i = 1; i <= 5; i++)
      rq_class.push_back(&http->counter(absl::StrCat("downstream_rq_", i, "xx")));
  }

  void onOpened() {
    for (stats::Counter* total : {&cx_total, &cx_http1_total, &listener_cx_total, &main_cx_total})
      total->add();
    for (stats::Gauge* active :
         {&cx_active, &cx_http1_active, &listener_cx_active, &main_cx_active})
      active->add();
  }
  void onClosed() {
    cx_destroy.add();
    listener_cx_destroy.add();
    for (stats::Gauge* active :
         {&cx_active, &cx_http1_active, &listener_cx_active, &main_cx_active})
      active->sub();
  }

  std::unique_ptr<stats::Scope> http;
  std::unique_ptr<stats::Scope> listener;
  stats::Counter& cx_total;
  stats::Counter& cx_http1_total;
  stats::Counter& cx_destroy;
  stats::Gauge& cx_active;
  stats::Gauge& cx_http1_active;
  stats::Counter& rq_total;
  stats::Counter& rq_http1_total;
  stats::Counter& rq_completed;
  stats::Gauge& rq_active;
  stats::Counter& listener_cx_total;
  stats::Counter& listener_cx_destroy;
  stats::Gauge& listener_cx_active;
  stats::Counter& main_cx_total;
  stats::Gauge& main_cx_active;
  std::vector<stats::Counter*> rq_class; // 1xx to 5xx.
};

// "envoy", because what reads these answers was written for it.
Admin::Admin(event::Loop& loop, AdminContext context, AdminConfig config, AccessLog access_log)
    : context_(std::move(context)), config_(std::move(config)), access_log_(std::move(access_log)),
      address_(config_.address), stats_(std::make_unique<Stats>(context_.stats.root())),
      http_(loop, "envoy",
            {[this](const event::HttpRequest& request, event::HttpResponse& response) {
               answer(request, response);
             },
             [this] { stats_->onOpened(); }, [this] { stats_->onClosed(); }}) {
  for (const stats::StringMatch& match : config_.allow_paths)
    allow_paths_.emplace_back(match);
}

Admin::~Admin() = default;

absl::Status Admin::start(net::Fd inherited) {
  LOG(info, main, "Starting admin HTTP server at %s", config_.address.toString());
  net::ListenOptions options;
  options.backlog = kBacklog;
  options.reuse_port = false;
  options.pipe_mode = config_.pipe_mode;
  absl::StatusOr<net::Fd> fd = inherited.valid() ? absl::StatusOr<net::Fd>(std::move(inherited))
                                                 : net::listenOn(config_.address, options);
  if (!fd.ok())
    return fd.status();
  address_ = net::Address::localOf(fd->get());
  socket_ = fd->get();
  http_.serve(fd->release());
  LOG(info, admin, "admin address: %s", address_.toString());
  writeAddressFile();
  return absl::OkStatus();
}

void Admin::writeAddressFile() const {
  const std::string& path = context_.options.admin_address_path;
  if (path.empty())
    return;
  std::ofstream file(path);
  file << address_.toString();
  file.close();
  if (!file)
    LOG(critical, admin, "cannot open admin address output file %s for writing.", path);
}

bool Admin::allowed(const event::HttpRequest& request) const {
  for (const stats::CompiledMatch& match : allow_paths_) {
    if (match.matches(request.target))
      return true;
  }
  return allow_paths_.empty();
}

void Admin::dispatch(const event::HttpRequest& request, event::HttpResponse& response) {
  if (!allowed(request)) {
    response.status = 403;
    response.body = absl::StrCat("request to path ", request.target, " not allowed");
    return;
  }
  const AdminEndpoint* const endpoint = findAdminEndpoint(request.path);
  if (endpoint == nullptr) {
    response.status = 404;
    response.body = absl::StrCat("invalid path. ", adminHelp());
    return;
  }
  if (endpoint->mutates && request.method != "POST") {
    LOG(error, admin, "admin path \"%s\" mutates state, method=%s rather than POST", request.path,
        request.method);
    response.status = 405;
    response.body = absl::StrCat("Method ", request.method, " not allowed, POST required.");
    return;
  }
  endpoint->handler(context_, request, response);
}

void Admin::answer(const event::HttpRequest& request, event::HttpResponse& response) {
  const base::WallTime wall_start = context_.clock.wallNow();
  const base::Instant start = context_.clock.now();
  stats_->rq_total.add();
  stats_->rq_http1_total.add();
  stats_->rq_active.add();
  dispatch(request, response);
  stats_->rq_active.sub();
  stats_->rq_completed.add();
  stats_->rq_class[response.status / 100 - 1]->add();
  log(request, response, wall_start, context_.clock.now() - start);
}

void Admin::log(const event::HttpRequest& request, const event::HttpResponse& response,
                base::WallTime start, base::Duration duration) const {
  if (!access_log_)
    return;
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(start), absl::UTCTimeZone());
  const absl::string_view peer(request.peer);
  const std::string peer_ip(peer.substr(0, peer.rfind(':')));
  access_log_(absl::StrCat("[", time, "] \"", request.method, " ", request.target, " HTTP/1.1\" ",
                           response.status, " - ", request.body.size(), " ", response.body.size(),
                           " ",
                           std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(),
                           " - \"", orDash(peer_ip), "\" \"", orDash(request.user_agent),
                           "\" \"-\" \"", orDash(request.host), "\" \"-\"\n"));
}

} // namespace culvert::server
