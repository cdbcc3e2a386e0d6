// SPDX-License-Identifier: Apache-2.0
// The client of tools/bench: drives one kind of load at 127.0.0.1:PORT and prints a JSON line.
#include <cstdio>
#include <cstdlib>
#include <getopt.h>
#include <string>

#include "test/bench/modes.h"
#include "test/bench/sockets.h"

namespace culvert::bench {
namespace {

constexpr char kUsage[] =
    "usage: load_client upload|download|requests|connections|idle --port=PORT\n"
    "         [--connections=N] [--bytes=PER_STREAM] [--count=UNITS] [--seconds=LIMIT]\n";

bool readOptions(int argc, char** argv, Work& work) {
  static const option kOptions[] = {{"port", required_argument, nullptr, 'p'},
                                    {"connections", required_argument, nullptr, 'c'},
                                    {"bytes", required_argument, nullptr, 'b'},
                                    {"count", required_argument, nullptr, 'n'},
                                    {"seconds", required_argument, nullptr, 's'},
                                    {nullptr, 0, nullptr, 0}};
  int option = 0;
  while ((option = getopt_long(argc, argv, "", kOptions, nullptr)) != -1) {
    if (option == '?')
      return false;
    const unsigned long long value = std::strtoull(optarg, nullptr, 10);
    if (option == 'p')
      work.port = static_cast<uint16_t>(value);
    if (option == 'c')
      work.connections = static_cast<uint32_t>(value);
    if (option == 'b')
      work.bytes_per_stream = value;
    if (option == 'n')
      work.count = value;
    if (option == 's')
      work.seconds = static_cast<int64_t>(value);
  }
  return optind + 1 == argc && work.port != 0;
}

bool run(const std::string& mode, const Work& work) {
  if (mode == "upload" || mode == "download")
    runBulk(work, mode == "upload");
  else if (mode == "requests")
    runRequests(work);
  else if (mode == "connections")
    runConnections(work);
  else if (mode == "idle")
    runIdle(work);
  else
    return false;
  return true;
}

} // namespace
} // namespace culvert::bench

int main(int argc, char** argv) {
  culvert::bench::raiseFileLimit();
  culvert::bench::Work work;
  if (culvert::bench::readOptions(argc, argv, work) && culvert::bench::run(argv[optind], work))
    return 0;
  std::fputs(culvert::bench::kUsage, stderr);
  return 1;
}
