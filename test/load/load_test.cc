// SPDX-License-Identifier: Apache-2.0
// A storm through the proxy that the target's arguments name.
#include <gtest/gtest.h>
#include <iostream>

#include "test/load/load.h"

namespace culvert::load {
namespace {

LoadOptions options;

TEST(Load, EveryByteArrivesAndNothingIsLeftBehind) {
  for (const std::string& wrong : runLoad(options, std::cout))
    ADD_FAILURE() << wrong;
}

} // namespace
} // namespace culvert::load

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!culvert::load::readLoadOptions(argc, argv, culvert::load::options))
    return 2;
  return RUN_ALL_TESTS();
}
