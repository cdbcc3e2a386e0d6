// SPDX-License-Identifier: Apache-2.0
// Drives a storm through any proxy; the long run of tools/soak.
#include <iostream>

#include "test/load/load.h"

int main(int argc, char** argv) {
  culvert::load::LoadOptions options;
  if (!culvert::load::readLoadOptions(argc, argv, options))
    return 2;
  const std::vector<std::string> wrong = culvert::load::runLoad(options, std::cout);
  for (const std::string& each : wrong)
    std::cout << "WRONG: " << each << "\n";
  std::cout << (wrong.empty() ? "all is well\n" : "FAILED\n");
  return wrong.empty() ? 0 : 1;
}
