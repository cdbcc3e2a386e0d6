// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/strings/str_join.h"
#include "source/access_log/access_log.h"
#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/config/mesh/mesh_proto.h"
#include "source/config/mesh/node_bootstrap.h"
#include "source/config/problems.h"
#include "source/config/tls/tls_factories.h"
#include "source/registry/registry.h"
#include "source/server/base_id.h"
#include "source/server/bootstrap_extensions.h"
#include "source/server/options.h"
#include "source/server/server.h"
#include "source/server/startup_log.h"
#include "source/upstream/factories.h"

namespace culvert {

// Written by proxy_binary: everything that this binary was built with.
void registerAll(registry::Registry& registry);

namespace {

using server::Mode;
using server::Options;

void print(FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
  std::fflush(stream);
}

// Every mistake on a line of its own that begins with the field's path.
int refuse(const Options& options, const config::Problems& problems) {
  const std::string lines = absl::StrJoin(problems.errorLines(), "\n");
  LOG(critical, main, "error initializing configuration '%s': %s", options.config_path, lines);
  if (options.mode != Mode::kValidate) {
    LOG(info, main, "exiting");
    print(stderr, lines + "\n");
  }
  return 1;
}

int run(Options options, const registry::Registry& registry) {
  const base::SystemClock clock;
  net::Fd restart_socket;
  if (options.mode == Mode::kServe) {
    absl::StatusOr<net::Fd> claimed = server::claimBaseId(options);
    if (!claimed.ok()) {
      print(stderr, std::string(claimed.status().message()) + "\n");
      return 1;
    }
    restart_socket = *std::move(claimed);
    server::logStart(options, registry);
  }
  server::Server server(options, registry, clock, std::move(restart_socket));
  config::Problems problems;
  server.configure(options.mode != Mode::kValidate, problems);
  for (const std::string& line : problems.warningLines()) {
    LOG(warning, config, "%s", line);
  }
  if (!problems.ok()) {
    return refuse(options, problems);
  }
  if (options.mode == Mode::kValidate) {
    print(stdout, "configuration '" + options.config_path + "' OK\n");
  } else if (options.mode == Mode::kServe) {
    server.run();
  }
  return 0;
}

// `culvert node` is `culvert -c` of what the environment amounts to; flags that follow count.
// Nothing: `exit` has the end.
std::optional<std::vector<std::string>> asNode(std::vector<std::string> arguments,
                                               server::Exit& exit) {
  const auto environment = config::node::NodeEnvironment::read(
      [](const std::string& name) {
        const char* const value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      },
      std::max(std::thread::hardware_concurrency(), 1u));
  if (!environment.ok()) {
    exit = {1, "", std::string(environment.status().message()) + "\n"};
    return std::nullopt;
  }
  const std::string bootstrap = config::node::nodeBootstrap(*environment);
  if (arguments.size() == 3 && arguments[2] == "--print-bootstrap") {
    exit = {0, bootstrap, ""};
    return std::nullopt;
  }
  std::vector<std::string> all = {arguments[0], "--config-yaml", bootstrap};
  for (const auto& [flag, value] : config::node::nodeFlags(*environment)) {
    all.insert(all.end(), {flag, value});
  }
  all.push_back("--disable-hot-restart");
  all.insert(all.end(), arguments.begin() + 2, arguments.end());
  return all;
}

int main(std::vector<std::string> arguments) {
  ::signal(SIGPIPE, SIG_IGN); // A peer that is gone is an error of the write.
  if (arguments.size() > 1 && arguments[1] == "node") {
    server::Exit exit;
    std::optional<std::vector<std::string>> as_node = asNode(std::move(arguments), exit);
    if (!as_node.has_value()) {
      print(stdout, exit.out);
      print(stderr, exit.err);
      return exit.status;
    }
    arguments = *std::move(as_node);
  }
  const auto parsed = server::parseOptions(std::move(arguments));
  if (const auto* exit = std::get_if<server::Exit>(&parsed)) {
    print(stdout, exit->out);
    print(stderr, exit->err);
    return exit->status;
  }
  const auto& options = std::get<Options>(parsed);
  if (absl::Status status = base::log::initialize(options.log); !status.ok()) {
    print(stderr, std::string(status.message()) + "\n");
    return 1;
  }
  for (const auto& [component, level] : options.component_log_levels) {
    base::log::setLevel(component, level);
  }
  registry::Registry registry;
  access_log::registerAccessLoggers(registry);
  upstream::registerBuiltIn(registry);
  config::tls::registerTls(registry);
  config::node::registerMesh(registry);
  server::registerBootstrapExtensions(registry);
  registerAll(registry);
  return run(options, registry);
}

} // namespace
} // namespace culvert

int main(int argc, char** argv) { return culvert::main({argv, argv + argc}); }
