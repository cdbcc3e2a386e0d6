// SPDX-License-Identifier: Apache-2.0
// The client of tools/bench: drives one kind of load at HOST:PORT and prints a JSON line.
#include <cstdio>
#include <getopt.h>
#include <string>

#include "test/bench/modes.h"
#include "test/bench/sockets.h"
#include "test/bench/work.h"

namespace culvert::bench {
namespace {

constexpr char kUsage[] =
    "usage: load_client upload|download|requests|connections|idle --port=PORT\n"
    "         [--host=IPV4] [--connections=N] [--bytes=PER_STREAM] [--count=UNITS]\n"
    "         [--seconds=LIMIT]\n";

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
