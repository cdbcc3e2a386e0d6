// SPDX-License-Identifier: Apache-2.0
#include "test/load/load.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <getopt.h>
#include <ostream>

#include "test/bench/sockets.h"
#include "test/load/proxy_process.h"
#include "test/load/storm.h"

namespace culvert::load {
namespace {

constexpr int kPollMs = 100;
// What a second storm of the same size may add: more would be a leak.
constexpr int kDescriptorGrowth = 2;
constexpr long kMemoryGrowthKb = 16 * 1024;

// A sanitizer keeps freed memory on purpose.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsTelling = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kMemoryIsTelling = false;
#else
constexpr bool kMemoryIsTelling = true;
#endif
#else
constexpr bool kMemoryIsTelling = true;
#endif

constexpr char kUsage[] =
    "usage: storm [--connections=N] [--seconds=S] [--rounds=N] [--seed=X] [--template=FILE]\n"
    "             [--descriptor_slack=N] [--memory_slack_kb=N] [--grace_ms=N] [--stop_signal=N]\n"
    "             [--resets_stay] -- PROXY [WORD...]\n"
    "In the words {listen}, {backend}, {admin} and {config} are replaced.\n";

struct Footprint {
  int descriptors;
  long resident_kb;
};

Storm::Options stormOptions(const LoadOptions& options, const ProxyProcess::Ports& ports) {
  Storm::Options storm;
  storm.connections = options.connections;
  storm.seconds = std::max(1, options.seconds / options.rounds);
  storm.restarts = std::clamp(storm.seconds / 8, 1, 4);
  // A machine begins some hundred flows a second: many at a time means that they must last.
  storm.hold_max_ms =
      std::clamp(static_cast<int>(options.connections) * 3, 100, storm.seconds * 700);
  storm.drain_seconds = options.settle_seconds + storm.hold_max_ms / 1000;
  storm.grace_ms = options.grace_ms;
  storm.proxy_port = ports.listen;
  storm.backend_port = ports.backend;
  return storm;
}

void print(const Tally& tally, std::ostream& out) {
  for (int kind = 0; kind < kKinds; ++kind)
    out << (kind == 0 ? "  flows: " : ", ") << name(static_cast<Kind>(kind)) << " "
        << tally.flows[kind];
  out << "\n  " << tally.bytes / 1000000 << " MB checked, at most " << tally.peak
      << " flows at a time, " << tally.restarts << " backend restarts cut " << tally.forgiven
      << " flows\n  resets of clients arrived as reset " << tally.reset_as_reset[0] << ", as end "
      << tally.reset_as_end[0] << ", of backends " << tally.reset_as_reset[1] << " and "
      << tally.reset_as_end[1] << "; " << tally.failed << " failures\n";
}

void print(const char* when, const Footprint& footprint, std::ostream& out) {
  out << "  " << when << ": " << footprint.descriptors << " descriptors, "
      << footprint.resident_kb / 1024 << " MB\n";
}

// Waits until the proxy has put away what the storm has left; says what it has not.
std::vector<std::string> settle(const ProxyProcess& proxy, int descriptors_max, int seconds) {
  const int64_t deadline = bench::nowNs() + seconds * int64_t{1000000000};
  for (;;) {
    std::vector<std::string> left;
    const int open = proxy.descriptors();
    if (open > descriptors_max)
      left.push_back(std::to_string(open) + " descriptors are open, at most " +
                     std::to_string(descriptors_max) + " may be");
    for (const auto& [gauge, value] : proxy.openGauges())
      left.push_back(gauge + " is " + std::to_string(value) + ", not 0");
    if (left.empty() || bench::nowNs() > deadline || !proxy.alive())
      return left;
    bench::pauseMs(kPollMs);
  }
}

void append(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Footprint look(const ProxyProcess& proxy) { return {proxy.descriptors(), proxy.residentKb()}; }

void checkMemory(long kb, long max_kb, std::vector<std::string>& wrong) {
  if (kMemoryIsTelling && kb > max_kb)
    wrong.push_back(std::to_string(kb / 1024) + " MB are resident, at most " +
                    std::to_string(max_kb / 1024) + " may be");
}

// A small storm of the same kinds: what a proxy makes on first use is no leak.
std::vector<std::string> warmUp(const ProxyProcess& proxy, Storm::Options options,
                                const LoadOptions& load) {
  const int most = proxy.descriptors() + load.descriptor_slack;
  options.connections = std::min(options.connections, 64U);
  options.seconds = 1;
  options.restarts = 0;
  options.hold_max_ms = 50;
  std::vector<std::string> wrong = Storm(options).run().failures;
  append(wrong, settle(proxy, most, load.settle_seconds));
  return wrong;
}

std::vector<std::string> runRounds(const LoadOptions& options, const ProxyProcess& proxy,
                                   Storm::Options storm, std::ostream& out) {
  std::vector<std::string> wrong = warmUp(proxy, storm, options);
  const Footprint start = look(proxy);
  print("at the start", start, out);
  Footprint before{};
  for (int round = 1; round <= options.rounds && wrong.empty(); ++round) {
    ++storm.seed;
    const Tally tally = Storm(storm).run();
    out << "round " << round << ":\n";
    print(tally, out);
    append(wrong, tally.failures);
    if (options.resets_stay && tally.reset_as_end[0] + tally.reset_as_end[1] > 0)
      wrong.push_back("resets arrived as an orderly end");
    if (!proxy.alive()) {
      wrong.push_back("the proxy died");
      return wrong;
    }
    int most = start.descriptors + options.descriptor_slack;
    long most_kb = start.resident_kb + options.memory_slack_kb;
    if (round > 1) {
      most = std::min(most, before.descriptors + kDescriptorGrowth);
      most_kb = std::min(most_kb, before.resident_kb + before.resident_kb / 8 + kMemoryGrowthKb);
    }
    append(wrong, settle(proxy, most, options.settle_seconds));
    before = look(proxy);
    print("after it", before, out);
    if (options.memory_slack_kb > 0)
      checkMemory(before.resident_kb, most_kb, wrong);
  }
  return wrong;
}

} // namespace

bool readLoadOptions(int argc, char** argv, LoadOptions& options) {
  static const option kOptions[] = {{"connections", required_argument, nullptr, 'c'},
                                    {"seconds", required_argument, nullptr, 's'},
                                    {"rounds", required_argument, nullptr, 'r'},
                                    {"seed", required_argument, nullptr, 'x'},
                                    {"template", required_argument, nullptr, 't'},
                                    {"descriptor_slack", required_argument, nullptr, 'd'},
                                    {"memory_slack_kb", required_argument, nullptr, 'm'},
                                    {"grace_ms", required_argument, nullptr, 'g'},
                                    {"resets_stay", no_argument, nullptr, 'y'},
                                    {"stop_signal", required_argument, nullptr, 'k'},
                                    {nullptr, 0, nullptr, 0}};
  int option = 0;
  bool known = true;
  while ((option = getopt_long(argc, argv, "+", kOptions, nullptr)) != -1) {
    known = known && option != '?';
    if (option == 'c')
      options.connections = static_cast<uint32_t>(std::atoi(optarg));
    if (option == 's')
      options.seconds = std::atoi(optarg);
    if (option == 'r')
      options.rounds = std::atoi(optarg);
    if (option == 'x')
      options.seed = std::strtoull(optarg, nullptr, 10);
    if (option == 't')
      options.config_template = optarg;
    if (option == 'd')
      options.descriptor_slack = std::atoi(optarg);
    if (option == 'g')
      options.grace_ms = std::atoi(optarg);
    if (option == 'y')
      options.resets_stay = true;
    if (option == 'k')
      options.stop_signal = std::atoi(optarg);
    if (option == 'm')
      options.memory_slack_kb = std::atol(optarg);
  }
  options.command.assign(argv + optind, argv + argc);
  known = known && !options.command.empty() && options.rounds > 0;
  if (!known)
    std::fputs(kUsage, stderr);
  return known;
}

std::vector<std::string> runLoad(const LoadOptions& options, std::ostream& out) {
  bench::raiseFileLimit();
  const ProxyProcess::Ports ports{bench::freePort(), bench::freePort(), bench::freePort()};
  ProxyProcess proxy(options.command, options.config_template, ports);
  if (!proxy.awaitReady())
    return {"the proxy does not serve"};
  Storm::Options storm = stormOptions(options, ports);
  storm.seed = options.seed != 0 ? options.seed : static_cast<uint64_t>(bench::nowNs());
  out << options.connections << " connections, " << options.seconds << " s, seed " << storm.seed
      << std::endl;
  std::vector<std::string> wrong = runRounds(options, proxy, storm, out);
  const std::string end = proxy.alive() ? proxy.stop(options.stop_signal) : "";
  if (!end.empty())
    wrong.push_back("the proxy " + end);
  return wrong;
}

} // namespace culvert::load
