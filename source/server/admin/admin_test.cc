// SPDX-License-Identifier: Apache-2.0
#include "source/server/admin/admin.h"

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "source/event/simulated_clock.h"
#include "source/net/socket.h"
#include "source/registry/registry.h"
#include "source/runtime/loader.h"
#include "source/stats/store.h"

namespace culvert::server {
namespace {

class FakeServer final : public AdminServer {
public:
  State state() const override { return state_; }
  base::Duration uptime() const override { return std::chrono::milliseconds(91'500); }
  std::optional<base::Duration> drainRemaining() const override { return drain_remaining; }
  base::Duration uptimeOfAllEpochs() const override { return std::chrono::seconds(102); }
  NodeView node() const override { return {"n", "cl", "", "z", ""}; }
  std::vector<ListenerView> listeners() const override { return listeners_; }
  std::vector<ClusterView> clusters() const override { return clusters_; }
  absl::StatusOr<std::string> configDump(const ConfigDumpQuery& query) const override {
    if (query.resource == "nope")
      return absl::NotFoundError("nope not found in config dump");
    if (!query.mask.empty())
      return absl::InvalidArgumentError("FieldMask bogus");
    return absl::StrCat("{", query.name_regex, query.include_eds ? " eds" : "", "}\n");
  }
  void setHealthy(bool healthy) override { state_ = healthy ? State::kLive : State::kDraining; }
  void drainListeners(const DrainQuery& query) override { drain_ = query; }
  void reopenLogs() override { reopened_ = true; }
  void shutdown() override { shut_down_ = true; }

  State state_ = State::kLive;
  std::vector<ListenerView> listeners_;
  std::optional<base::Duration> drain_remaining;
  std::vector<ClusterView> clusters_;
  DrainQuery drain_;
  bool reopened_ = false;
  bool shut_down_ = false;
};

class AdminTest : public testing::Test {
protected:
  AdminTest() {
    runtime::LayerConfig base;
    base.name = "base";
    base.entries["lab.flag"] = runtime::Entry::parse("true");
    runtime::LayerConfig admin;
    admin.name = "admin";
    admin.kind = runtime::LayerConfig::Kind::kAdmin;
    runtime_ = *runtime::Loader::create(loop_, store_.root(), {{base, admin}, ""});
    options_.concurrency = 1;
    options_.config_path = "min.yaml";
    make({});
  }

  void make(std::vector<stats::StringMatch> allow_paths) {
    admin_ = std::make_unique<Admin>(
        loop_,
        AdminContext{options_,
                     clock_,
                     registry_,
                     store_,
                     *runtime_,
                     server_,
                     [this] { stats_flushes_++; },
                     {},
                     [this] { return unready_; }},
        AdminConfig{*net::Address::parseIp("127.0.0.1", 0), 0, std::move(allow_paths)},
        [this](absl::string_view line) { log_ += std::string(line); });
  }

  // Answers in `response_`; the returned text is "STATUS BODY".
  std::string ask(const std::string& method, const std::string& target) {
    event::HttpRequest request;
    request.method = method;
    request.target = target;
    request.host = "h";
    request.peer = "127.0.0.1:4711";
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) {
      std::stringstream query(target.substr(request.path.size() + 1));
      for (std::string item; std::getline(query, item, '&');) {
        const size_t equals = item.find('=');
        request.parameters.emplace_back(
            item.substr(0, equals),
            equals == std::string::npos ? "" : event::percentDecode(item.substr(equals + 1)));
      }
    }
    response_ = event::HttpResponse();
    admin_->answer(request, response_);
    return absl::StrCat(response_.status, " ", response_.body);
  }
  std::string get(const std::string& target) { return ask("GET", target); }
  std::string post(const std::string& target) { return ask("POST", target); }

  event::SimulatedClock clock_;
  event::Loop loop_{"main", clock_};
  Options options_;
  registry::Registry registry_;
  stats::Store store_{1, stats::StoreConfig()};
  std::unique_ptr<runtime::Loader> runtime_;
  FakeServer server_;
  int stats_flushes_ = 0;
  std::vector<UnreadyView> unready_;
  std::string log_;
  event::HttpResponse response_;
  std::unique_ptr<Admin> admin_;
};

TEST_F(AdminTest, TellsWhetherItIsReady) {
  EXPECT_EQ(get("/ready"), "200 LIVE\n");
  for (const State state : {State::kInitializing, State::kPreInitializing, State::kDraining}) {
    server_.state_ = state;
    EXPECT_EQ(get("/ready"), absl::StrCat("503 ", name(state), "\n"));
  }
}

TEST_F(AdminTest, HealthcheckChangesTheState) {
  EXPECT_EQ(post("/healthcheck/fail"), "200 OK\n");
  EXPECT_EQ(get("/ready"), "503 DRAINING\n");
  EXPECT_EQ(post("/healthcheck/ok"), "200 OK\n");
  EXPECT_EQ(get("/ready"), "200 LIVE\n");
}

TEST_F(AdminTest, RefusesUnknownPathsWithTheHelp) {
  const std::string answer = get("/bogus");
  EXPECT_TRUE(absl::StartsWith(answer, "404 invalid path. admin commands are:\n  /: ")) << answer;
  EXPECT_EQ("404 invalid path. " + get("/help").substr(4), answer);
}

TEST_F(AdminTest, DescribesEachCommand) {
  const std::string help = get("/help");
  EXPECT_TRUE(absl::StrContains(help, "\n  /certs: "));
  EXPECT_TRUE(absl::StrContains(help, "\n  /quitquitquit (POST): "));
  EXPECT_TRUE(absl::StrContains(help, "\n      enable: Start or stop it; One of (y, n)\n"));
  EXPECT_EQ(response_.content_type, "text/plain; charset=UTF-8");
  const std::string page = get("/");
  EXPECT_EQ(response_.content_type, "text/html; charset=UTF-8");
  EXPECT_TRUE(absl::StrContains(page, "<a href='certs'>certs</a>"));
  EXPECT_TRUE(absl::StrContains(page, "<form action='quitquitquit' method='post'"));
  EXPECT_TRUE(absl::StrContains(page, "name='name_regex' id='param-config_dump-name_regex' "
                                      "form='config_dump'"));
}

TEST_F(AdminTest, ChangesNothingWithoutPost) {
  EXPECT_EQ(get("/quitquitquit"), "405 Method GET not allowed, POST required.");
  EXPECT_FALSE(server_.shut_down_);
  EXPECT_EQ(post("/quitquitquit"), "200 OK\n");
  EXPECT_TRUE(server_.shut_down_);
}

TEST_F(AdminTest, DrainsAsAsked) {
  EXPECT_EQ(post("/drain_listeners?graceful&inboundonly"), "200 OK\n");
  EXPECT_TRUE(server_.drain_.graceful);
  EXPECT_TRUE(server_.drain_.inbound_only);
  EXPECT_FALSE(server_.drain_.skip_exit);
}

TEST_F(AdminTest, ReopensLogs) {
  EXPECT_EQ(post("/reopen_logs"), "200 OK\n");
  EXPECT_TRUE(server_.reopened_);
}

TEST_F(AdminTest, AnswersOnlyAllowedPaths) {
  make({{stats::StringMatch::Kind::kPrefix, "/stats", false},
        {stats::StringMatch::Kind::kExact, "/ready", false}});
  EXPECT_EQ(get("/server_info?x=y"), "403 request to path /server_info?x=y not allowed");
  EXPECT_EQ(get("/ready"), "200 LIVE\n");
  EXPECT_EQ(get("/stats?filter=^nothing$"), "200 ");
}

TEST_F(AdminTest, SaysWhatTheServerIs) {
  get("/server_info");
  EXPECT_EQ(response_.content_type, "application/json");
  EXPECT_TRUE(absl::StartsWith(
      response_.body,
      absl::StrCat("{\n \"version\": \"", kVersion,
                   "\",\n \"state\": \"LIVE\",\n \"uptime_current_epoch\": \"91s\",\n"
                   " \"uptime_all_epochs\": \"102s\",\n \"hot_restart_version\": \"culvert.1\",\n"
                   " \"command_line_options\": {\n  \"base_id\": \"0\",\n  \"concurrency\": 1,\n"
                   "  \"config_path\": \"min.yaml\",\n")))
      << response_.body;
  EXPECT_TRUE(absl::StrContains(response_.body, "  \"file_flush_interval\": \"10s\",\n"));
  EXPECT_TRUE(absl::StrContains(response_.body, " \"node\": {\n  \"id\": \"n\",\n"));
}

TEST_F(AdminTest, DumpsWhatTheStartWaitsFor) {
  unready_ = {{"clusters", {"cluster a", "cluster b"}, false}, {"of l", {"secret s"}, true}};
  EXPECT_EQ(get("/init_dump?mask=listener"), R"(200 {
 "unready_targets_dumps": [
  {
   "name": "of l",
   "target_names": [
    "secret s"
   ]
  }
 ]
}
)");
  EXPECT_TRUE(absl::StrContains(get("/init_dump"), "\"cluster b\""));
  EXPECT_EQ(get("/init_dump?mask=bogus"), "200 {}\n");
}

TEST_F(AdminTest, ShowsHowLongDrainsGoOn) {
  EXPECT_FALSE(absl::StrContains(get("/server_info"), "drain_remaining"));
  server_.drain_remaining = std::chrono::milliseconds(62'900);
  EXPECT_TRUE(absl::StrContains(get("/server_info"), "\n \"drain_remaining\": \"62s\"\n}"));
  server_.listeners_ = {{"p", {*net::Address::pipe("/run/x")}, std::chrono::seconds(7)}};
  EXPECT_TRUE(absl::StrContains(get("/listeners?format=json"), "\"drain_remaining\": \"7s\""));
}

TEST_F(AdminTest, ListsListeners) {
  server_.listeners_ = {
      {"l", {*net::Address::parseIp("127.0.0.1", 10000), *net::Address::parseIp("::1", 10001)}},
      {"p", {*net::Address::pipe("/run/x")}},
      {"i", {net::Address::internal("inner", "")}}};
  EXPECT_EQ(get("/listeners"),
            "200 l::127.0.0.1:10000\nl::[::1]:10001\np::/run/x\ni::envoy://inner/\n");
  EXPECT_EQ(get("/listeners?format=json"), R"(200 {
 "listener_statuses": [
  {
   "name": "l",
   "local_address": {
    "socket_address": {
     "address": "127.0.0.1",
     "port_value": 10000
    }
   },
   "additional_local_addresses": [
    {
     "socket_address": {
      "address": "::1",
      "port_value": 10001
     }
    }
   ]
  },
  {
   "name": "p",
   "local_address": {
    "pipe": {
     "path": "/run/x"
    }
   }
  },
  {
   "name": "i",
   "local_address": {
    "envoy_internal_address": {
     "server_listener_name": "inner"
    }
   }
  }
 ]
}
)");
}

TEST_F(AdminTest, ListsClustersAsText) {
  ClusterView cluster;
  cluster.name = cluster.observability_name = "c";
  cluster.outlier_detection = true;
  cluster.hosts.resize(1);
  cluster.hosts[0].address = *net::Address::parseIp("127.0.0.1", 19020);
  cluster.hosts[0].cx_total = 7;
  cluster.hosts[0].unhealthy_flags = {"/failed_active_hc", "/active_hc_timeout"};
  server_.clusters_ = {cluster};
  EXPECT_EQ(get("/clusters"), R"(200 c::observability_name::c
c::outlier::success_rate_average::-1
c::outlier::success_rate_ejection_threshold::-1
c::outlier::local_origin_success_rate_average::-1
c::outlier::local_origin_success_rate_ejection_threshold::-1
c::default_priority::max_connections::1024
c::default_priority::max_pending_requests::1024
c::default_priority::max_requests::1024
c::default_priority::max_retries::3
c::high_priority::max_connections::1024
c::high_priority::max_pending_requests::1024
c::high_priority::max_requests::1024
c::high_priority::max_retries::3
c::added_via_api::false
c::127.0.0.1:19020::cx_active::0
c::127.0.0.1:19020::cx_connect_fail::0
c::127.0.0.1:19020::cx_total::7
c::127.0.0.1:19020::rq_active::0
c::127.0.0.1:19020::rq_error::0
c::127.0.0.1:19020::rq_pending_active::0
c::127.0.0.1:19020::rq_success::0
c::127.0.0.1:19020::rq_timeout::0
c::127.0.0.1:19020::rq_total::0
c::127.0.0.1:19020::hostname::
c::127.0.0.1:19020::health_flags::/failed_active_hc/active_hc_timeout
c::127.0.0.1:19020::weight::1
c::127.0.0.1:19020::region::
c::127.0.0.1:19020::zone::
c::127.0.0.1:19020::sub_zone::
c::127.0.0.1:19020::canary::false
c::127.0.0.1:19020::priority::0
c::127.0.0.1:19020::success_rate::-1
c::127.0.0.1:19020::local_origin_success_rate::-1
)");
  EXPECT_EQ(get("/clusters?filter=^d"), "200 ");
  EXPECT_EQ(get("/clusters?filter=("), "400 Invalid re2 regex");
}

// Recorded from Envoy 1.40.
TEST_F(AdminTest, ListsClustersAsJson) {
  EXPECT_EQ(get("/clusters?format=json"), "200 {}\n");
  ClusterView cluster;
  cluster.name = cluster.observability_name = "c";
  cluster.hosts.resize(1);
  cluster.hosts[0].address = *net::Address::parseIp("127.0.0.1", 19020);
  server_.clusters_ = {cluster};
  EXPECT_EQ(get("/clusters?format=json"), R"(200 {
 "cluster_statuses": [
  {
   "name": "c",
   "host_statuses": [
    {
     "address": {
      "socket_address": {
       "address": "127.0.0.1",
       "port_value": 19020
      }
     },
     "stats": [
      {
       "name": "cx_connect_fail"
      },
      {
       "name": "cx_total"
      },
      {
       "name": "rq_error"
      },
      {
       "name": "rq_success"
      },
      {
       "name": "rq_timeout"
      },
      {
       "name": "rq_total"
      },
      {
       "type": "GAUGE",
       "name": "cx_active"
      },
      {
       "type": "GAUGE",
       "name": "rq_active"
      },
      {
       "type": "GAUGE",
       "name": "rq_pending_active"
      }
     ],
     "health_status": {
      "eds_health_status": "HEALTHY"
     },
     "weight": 1,
     "locality": {}
    }
   ],
   "circuit_breakers": {
    "thresholds": [
     {
      "max_connections": 1024,
      "max_pending_requests": 1024,
      "max_requests": 1024,
      "max_retries": 3
     },
     {
      "priority": "HIGH",
      "max_connections": 1024,
      "max_pending_requests": 1024,
      "max_requests": 1024,
      "max_retries": 3
     }
    ]
   },
   "observability_name": "c"
  }
 ]
}
)");
}

TEST_F(AdminTest, DumpsTheConfiguration) {
  EXPECT_EQ(get("/config_dump?name_regex=x&include_eds"), "200 {x eds}\n");
  EXPECT_EQ(response_.content_type, "application/json");
  EXPECT_EQ(get("/config_dump?resource=nope"), "404 nope not found in config dump");
  EXPECT_EQ(get("/config_dump?mask=m"), "400 FieldMask bogus");
  EXPECT_EQ(response_.content_type, "text/plain");
}

TEST_F(AdminTest, ChangesLogLevels) {
  const std::string list = post("/logging?level=info");
  EXPECT_TRUE(absl::StartsWith(list, "200 active loggers:\n  admin: info\n"));
  EXPECT_TRUE(absl::EndsWith(list, "  upstream: info\n\n"));
  EXPECT_TRUE(absl::StrContains(post("/logging?upstream=trace"), "  upstream: trace\n"));
  const std::string two = post("/logging?paths=upstream:off,main:error");
  EXPECT_TRUE(absl::StrContains(two, "  upstream: off\n"));
  EXPECT_TRUE(absl::StrContains(two, "  main: error\n"));
  post("/logging?level=info");
}

TEST_F(AdminTest, RefusesLogLevelsAsEnvoyDoes) {
  const struct {
    const char* query;
    const char* text;
  } rows[] = {{"level=bogus", "unknown logger level"},
              {"paths=a:b", "unknown logger level"},
              {"bogus=debug", "unknown logger name"},
              {"paths=main:debug,bogus:debug", "unknown logger name"},
              {"paths=admin", "empty logger name or empty logger level"},
              {"group=x", "group parameter requires fine-grain logging to be enabled"},
              {"admin=debug&x=y", "invalid number of parameters"}};
  for (const auto& row : rows) {
    const std::string answer = post(absl::StrCat("/logging?", row.query));
    EXPECT_TRUE(absl::StartsWith(
        answer,
        absl::StrCat("400 error: ", row.text,
                     "\n\nusage: /logging?<name>=<level> (change single level)\n"
                     "usage: /logging?paths=name1:level1,name2:level2,... (change multiple "
                     "levels)\n"
                     "usage: /logging?level=<level> (change all levels)\n"
                     "usage: /logging?group=<group_name>:<level> (change group of loggers)\n"
                     "levels: trace debug info warning error critical off \n"
                     "active loggers:\n")))
        << answer;
    EXPECT_TRUE(absl::StrContains(answer, "  main: info\n")) << "nothing was changed";
  }
}

TEST_F(AdminTest, ShowsAndModifiesTheRuntime) {
  EXPECT_EQ(post("/runtime_modify?lab.flag=false&other=1"), "200 OK\n");
  EXPECT_EQ(get("/runtime"), R"(200 {
 "layers": [
  "base",
  "admin"
 ],
 "entries": {
  "lab.flag": {
   "layer_values": [
    "true",
    "false"
   ],
   "final_value": "false"
  },
  "other": {
   "layer_values": [
    "",
    "1"
   ],
   "final_value": "1"
  }
 }
}
)");
  EXPECT_EQ(post("/runtime_modify"),
            "400 usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n"
            "       or send the parameters as form values\n"
            "use an empty value to remove a previously added override");
}

TEST_F(AdminTest, ShowsStatisticsInTheirFormats) {
  store_.root().counter("lab.count").add(5);
  EXPECT_EQ(get("/stats?filter=^lab"), "200 lab.count: 5\n");
  EXPECT_EQ(stats_flushes_, 1);
  EXPECT_EQ(response_.content_type, "text/plain; charset=UTF-8");
  EXPECT_EQ(get("/stats?filter=^lab&format=json"),
            R"(200 {"stats":[{"name":"lab.count","value":5}]})");
  EXPECT_EQ(response_.content_type, "application/json");
  EXPECT_EQ(get("/stats/prometheus?filter=^lab"),
            "200 # TYPE envoy_lab_count counter\nenvoy_lab_count{} 5\n");
  EXPECT_TRUE(absl::StrContains(get("/stats?filter=^lab&format=html"), "<pre>\nlab.count: 5\n"));
  EXPECT_EQ(response_.content_type, "text/html; charset=UTF-8");
  EXPECT_EQ(get("/stats?type=foo"), "400 invalid &type= param");
  EXPECT_EQ(post("/reset_counters"), "200 OK\n");
  EXPECT_EQ(get("/stats?filter=^lab"), "200 lab.count: 0\n");
}

TEST_F(AdminTest, AnswersTheSmallEndpoints) {
  EXPECT_EQ(get("/certs"), "200 {\n \"certificates\": []\n}\n");
  EXPECT_EQ(get("/init_dump"), "200 {}\n");
  EXPECT_EQ(get("/hot_restart_version"), "200 culvert.1");
  EXPECT_TRUE(absl::StartsWith(get("/memory"), "200 {\n \"allocated\": \""));
  EXPECT_EQ(get("/contention"), "200 Mutex contention tracing is not built in.");
  EXPECT_EQ(get("/stats/recentlookups"), "200 Lookup tracking is not built in.\n\ntotal: 0\n");
  EXPECT_EQ(get("/heap_dump"), "501 /heap_dump is not built in");
  EXPECT_EQ(post("/cpuprofiler?enable=y"), "501 /cpuprofiler is not built in");
}

TEST_F(AdminTest, CountsAndLogsRequests) {
  get("/ready");
  get("/bogus");
  EXPECT_EQ(store_.findCounter("http.admin.downstream_rq_total")->value(), 2u);
  EXPECT_EQ(store_.findCounter("http.admin.downstream_rq_2xx")->value(), 1u);
  EXPECT_EQ(store_.findCounter("http.admin.downstream_rq_4xx")->value(), 1u);
  EXPECT_TRUE(absl::StartsWith(
      log_, "[2023-11-14T22:13:21.000Z] \"GET /ready HTTP/1.1\" 200 - 0 5 0 - \"127.0.0.1\" "
            "\"-\" \"-\" \"h\" \"-\"\n"))
      << log_;
}

TEST_F(AdminTest, WritesWhereItListens) {
  options_.admin_address_path = testing::TempDir() + "/admin_address";
  ASSERT_TRUE(admin_->start().ok());
  std::ifstream file(options_.admin_address_path);
  std::string address;
  std::getline(file, address);
  EXPECT_EQ(address, admin_->address().toString());
  EXPECT_NE(admin_->address().port(), 0);
}

TEST_F(AdminTest, SaysThatItsAddressIsTaken) {
  ASSERT_TRUE(admin_->start().ok());
  Admin other(loop_, AdminContext{options_, clock_, registry_, store_, *runtime_, server_, {}},
              AdminConfig{admin_->address(), 0, {}}, {});
  EXPECT_EQ(other.start().message(), absl::StrCat("cannot bind '", admin_->address().toString(),
                                                  "': Address already in use"));
}

} // namespace
} // namespace culvert::server
