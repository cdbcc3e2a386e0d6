// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/internal/address_print.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/net/address.h"

namespace culvert::access_log::internal {
namespace {

using net::Address;

constexpr int64_t kWholeAddress = -1;
constexpr int64_t kNotABlock = -2;

bool isNone(const Address* address) {
  return address == nullptr || address->kind() == Address::Kind::kNone;
}

} // namespace

Found appendAddress(const Address* address, std::string& out) {
  if (isNone(address))
    return Found::kNothing;
  out += address->toString();
  return Found::kText;
}

Found appendWithoutPort(const Address* address, const Operator& op, std::string& out) {
  if (isNone(address))
    return Found::kNothing;
  if (op.number == kWholeAddress) {
    out += address->isIp() ? address->ipString() : address->toString();
    return Found::kText;
  }
  if (op.number != kNotABlock && address->isIp()) {
    const int64_t bits_max = address->kind() == Address::Kind::kIpv4 ? 32 : 128;
    const auto block = net::Cidr::create(address->ipString(),
                                         static_cast<uint32_t>(std::min(op.number, bits_max)));
    if (block.ok())
      out += block->toString();
  }
  return Found::kText;
}

Found appendPort(const Address* address, std::string& out) {
  if (isNone(address))
    return Found::kNothing;
  if (!address->isIp())
    return Found::kBlank;
  absl::StrAppend(&out, address->port());
  return Found::kNumber;
}

Found appendEndpointId(const Address* address, std::string& out) {
  if (isNone(address))
    return Found::kNothing;
  if (address->kind() == Address::Kind::kInternal) {
    const std::string& path = address->path();
    const size_t slash = path.find('/');
    if (slash != std::string::npos)
      out.append(path, slash + 1);
  }
  return Found::kText;
}

absl::Status parsePrefixBits(absl::string_view argument, Operator& op) {
  int bits = 0;
  op.number = kWholeAddress;
  if (absl::SimpleAtoi(argument, &bits))
    op.number = bits < 0 ? kNotABlock : bits;
  return absl::OkStatus();
}

} // namespace culvert::access_log::internal
