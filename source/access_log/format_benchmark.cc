// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <string>

#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "source/access_log/entry_for_test.h"
#include "source/access_log/file_manager.h"

namespace culvert::access_log {
namespace {

void format(benchmark::State& state, const Formatter& formatter) {
  const TestSession session;
  std::string line;
  for (auto _ : state) {
    line.clear();
    formatter.append(session.entry(), line);
    benchmark::DoNotOptimize(line);
  }
  state.SetLabel(std::to_string(line.size()) + " bytes");
}

void defaultLine(benchmark::State& state) { format(state, *Formatter::defaultLine()); }
BENCHMARK(defaultLine);

void jsonLine(benchmark::State& state) {
  google::protobuf::Struct config;
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      R"({"time":"%START_TIME%","rx":"%BYTES_RECEIVED%","tx":"%BYTES_SENT%","ms":"%DURATION%",
          "flags":"%RESPONSE_FLAGS%","upstream":"%UPSTREAM_HOST%","cluster":"%UPSTREAM_CLUSTER%",
          "from":"%DOWNSTREAM_REMOTE_ADDRESS%","sni":"%REQUESTED_SERVER_NAME%"})",
      &config);
  if (!parsed.ok()) {
    state.SkipWithError(parsed.ToString().c_str());
    return;
  }
  format(state, **Formatter::json(config));
}
BENCHMARK(jsonLine);

// What a worker pays for handing a line over.
void writeToFile(benchmark::State& state) {
  stats::Store store(1, {});
  FileManager files(store.root(), std::chrono::seconds(10));
  const auto file = files.open("/dev/null");
  const std::string line(110, 'x');
  for (auto _ : state)
    (*file)->write(line);
}
BENCHMARK(writeToFile);

} // namespace
} // namespace culvert::access_log
