// SPDX-License-Identifier: Apache-2.0
#include "test/bench/work.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <getopt.h>

namespace culvert::bench {

bool readOptions(int argc, char** argv, Work& work) {
  static const option kOptions[] = {{"host", required_argument, nullptr, 'h'},
                                    {"port", required_argument, nullptr, 'p'},
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
    if (option == 'h')
      work.host = ntohl(inet_addr(optarg));
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
  return optind + 1 == argc && work.port != 0 && work.host != INADDR_NONE;
}

} // namespace culvert::bench
