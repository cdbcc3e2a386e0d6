// SPDX-License-Identifier: Apache-2.0
// What a workload table takes, and how fast it is:
//   mesh_memory 100000            workloads, ten behind each service, as a control plane sends them
//   mesh_memory 100000 file.json  the same through a local file, which is written there first
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/config/mesh_file.h"
#include "source/mesh/outbound.h"
#include "source/mesh/table.h"
#include "source/mesh/table_reader.h"

namespace culvert {
namespace {

constexpr int kWorkloadsOfService = 10;
constexpr int kChangesOfPush = 1000;

double residentMb() {
  std::ifstream statm("/proc/self/statm");
  long total = 0;
  long resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double milliseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

std::string appOf(int service) { return absl::StrCat("app-", service); }
std::string nsOf(int service) { return absl::StrCat("ns-", service % 100); }
std::string hostOf(int service) {
  return absl::StrCat(appOf(service), ".", nsOf(service), ".svc.cluster.local");
}
std::string podOf(int workload) {
  return absl::StrCat(appOf(workload / kWorkloadsOfService), "-7f9c5d8b6-",
                      absl::Hex(workload + 0x10000));
}
std::string ipOf(int number, int first) {
  return absl::StrCat(first, ".", number >> 16, ".", (number >> 8) & 255, ".", number & 255);
}

std::string workloadJson(int i) {
  const int service = i / kWorkloadsOfService;
  return absl::StrCat(
      "{\"uid\":\"Kubernetes//Pod/", nsOf(service), "/", podOf(i), "\",\"name\":\"", podOf(i),
      "\",\"namespace\":\"", nsOf(service), "\",\"serviceAccount\":\"", appOf(service),
      "\",\"trustDomain\":\"cluster.local\",\"workloadIps\":[\"", ipOf(i, 10),
      "\"],\"protocol\":\"HBONE\",\"node\":\"node-", i % 500,
      "\",\"clusterId\":\"Kubernetes\",\"network\":\"network-1\",\"workloadName\":\"",
      appOf(service), "\",\"workloadType\":\"deployment\",\"canonicalName\":\"", appOf(service),
      "\",\"canonicalRevision\":\"latest\",\"locality\":{\"region\":\"region-1\",\"zone\":\"zone-",
      i % 3, "\",\"subzone\":\"\"},\"services\":{\"", nsOf(service), "/", hostOf(service),
      "\":{\"80\":8080}}}");
}

std::string serviceJson(int service) {
  return absl::StrCat("{\"name\":\"", appOf(service), "\",\"namespace\":\"", nsOf(service),
                      "\",\"hostname\":\"", hostOf(service), "\",\"vips\":[\"network-1/",
                      ipOf(service, 11), "\"],\"ports\":{\"80\":8080},\"subjectAltNames\":[]}");
}

void writeState(std::ostream& out, int first, int count) {
  out << "{\"workloads\":[\n";
  for (int i = first; i < first + count; i++) {
    out << (i == first ? "" : ",\n") << workloadJson(i);
  }
  out << "],\n\"services\":[\n";
  for (int i = first; i < first + count; i += kWorkloadsOfService) {
    out << (i == first ? "" : ",\n") << serviceJson(i / kWorkloadsOfService);
  }
  out << "]}\n";
}

// As a control plane's pushes: each is read and applied by itself.
void push(mesh::WorkloadTable& table, int count) {
  for (int first = 0; first < count; first += kChangesOfPush) {
    std::ostringstream text;
    writeState(text, first, std::min(kChangesOfPush, count - first));
    config::MeshState state;
    config::Problems problems;
    config::readMeshState(text.str(), config::Format::kJson, "push", table, state, problems);
    std::vector<mesh::Change> changes(state.workloads.begin(), state.workloads.end());
    changes.insert(changes.end(), state.services.begin(), state.services.end());
    table.apply(changes);
  }
}

double routeNanoseconds(const mesh::WorkloadTable& table, int count) {
  constexpr int kRounds = 200'000;
  base::Random random(1);
  mesh::WorkloadRef client;
  {
    const mesh::TableReader reader(table);
    reader.forEachWorkload([&](const mesh::Workload& w) { client = mesh::WorkloadRef(&w); });
  }
  return milliseconds([&] {
           for (int i = 0; i < kRounds; i++) {
             const int service = static_cast<int>(random.below(count / kWorkloadsOfService));
             const mesh::TableReader reader(table);
             mesh::routeOutbound(reader,
                                 {*client, client->ips.front(),
                                  *net::Address::parseIp(ipOf(service, 11), 80), client->network},
                                 random);
           }
         }) *
         1e6 / kRounds;
}

// How long one that reads all the time has to wait for the table while it is written.
class ReaderWait {
public:
  explicit ReaderWait(const mesh::WorkloadTable& table)
      : thread_([this, &table] {
          while (!ended_) {
            waits_us_.push_back(1e3 * milliseconds([&] { const mesh::TableReader reader(table); }));
            ::poll(nullptr, 0, 1); // It has other work, too.
          }
        }) {}
  std::string end() {
    ended_ = true;
    thread_.join();
    std::sort(waits_us_.begin(), waits_us_.end());
    const auto at = [&](double share) { return waits_us_[(waits_us_.size() - 1) * share]; };
    return absl::StrFormat("a reader waits %.1f us (p50), %.1f us (p99.9), %.0f us (longest)",
                           at(0.5), at(0.999), at(1));
  }

private:
  std::atomic<bool> ended_{false};
  std::vector<double> waits_us_;
  std::thread thread_;
};

int run(int count, const char* path) {
  const base::SystemClock clock;
  event::Loop loop("main", clock);
  event::FileWatcher watcher(loop);
  mesh::WorkloadTable table;
  std::unique_ptr<config::MeshSource> source;
  if (path != nullptr) {
    std::ofstream file(path);
    writeState(file, 0, count);
  }
  const double before_mb = residentMb();
  ReaderWait reader_wait(table);
  const double load_ms = milliseconds([&] {
    if (path == nullptr) {
      return push(table, count);
    }
    auto made = config::MeshSource::ofFile(path, table, watcher);
    if (!made.ok()) {
      std::cerr << made.status() << "\n";
      std::exit(1);
    }
    source = *std::move(made);
  });
  const std::string waits = reader_wait.end();
  const double after_mb = residentMb();
  std::printf("%d workloads, %zu services: %.1f MB resident before, %.1f MB after, %.0f bytes a "
              "workload, %.0f ms, %.0f ns a route; %s\n",
              count, table.sizes().services, before_mb, after_mb,
              (after_mb - before_mb) * (1 << 20) / count, load_ms, routeNanoseconds(table, count),
              waits.c_str());
  return 0;
}

} // namespace
} // namespace culvert

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 0;
  if (count < 10 || count > 10'000'000) {
    std::cerr << "usage: mesh_memory WORKLOADS [FILE.json]\n";
    return 2;
  }
  culvert::base::log::setLevel(culvert::base::LogLevel::warning);
  return culvert::run(count, argc > 2 ? argv[2] : nullptr);
}
