// SPDX-License-Identifier: Apache-2.0
#include "source/base/file.h"

#include <fstream>
#include <iterator>

namespace culvert::base {

std::optional<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return std::nullopt;
  }
  std::string text(std::istreambuf_iterator<char>(file), {});
  return file.bad() ? std::nullopt : std::optional(std::move(text));
}

} // namespace culvert::base
