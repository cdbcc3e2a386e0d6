// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/port_map.h"

#include <algorithm>
#include <cstring>

namespace culvert::mesh {
namespace {

constexpr size_t kPairBytes = 2 * sizeof(uint16_t);

std::pair<uint16_t, uint16_t> pairAt(absl::string_view bytes, size_t index) {
  uint16_t pair[2];
  std::memcpy(pair, bytes.data() + index * kPairBytes, kPairBytes);
  return {pair[0], pair[1]};
}

} // namespace

PortMap PortMap::create(Pairs pairs, TextPool& texts) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string bytes;
  for (size_t i = 0; i < pairs.size(); i++) {
    if (i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first) {
      continue;
    }
    const uint16_t pair[2] = {pairs[i].first, pairs[i].second};
    bytes.append(reinterpret_cast<const char*>(pair), kPairBytes);
  }
  PortMap map;
  map.bytes_ = texts.intern(bytes);
  return map;
}

std::optional<uint16_t> PortMap::find(uint16_t service_port) const {
  const absl::string_view bytes = bytes_.view();
  size_t low = 0;
  size_t high = bytes.size() / kPairBytes;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const auto [port, target] = pairAt(bytes, middle);
    if (port == service_port) {
      return target;
    }
    (port < service_port ? low : high) = port < service_port ? middle + 1 : middle;
  }
  return std::nullopt;
}

PortMap::Pairs PortMap::pairs() const {
  Pairs pairs;
  for (size_t i = 0; i < bytes_.size() / kPairBytes; i++) {
    pairs.push_back(pairAt(bytes_.view(), i));
  }
  return pairs;
}

} // namespace culvert::mesh
