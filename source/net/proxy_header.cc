// SPDX-License-Identifier: Apache-2.0
#include "source/net/proxy_header.h"

#include "absl/strings/str_cat.h"

namespace culvert::net {
namespace {

constexpr absl::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char kLocal2 = 0x20;
constexpr char kProxy2 = 0x21;
constexpr char kTcp4 = 0x11;
constexpr char kTcp6 = 0x21;

void appendNumber(size_t number, std::string& out) {
  out.push_back(static_cast<char>(number >> 8));
  out.push_back(static_cast<char>(number));
}

std::string encode1(const Address& source, const Address& destination) {
  return absl::StrCat("PROXY TCP", source.kind() == Address::Kind::kIpv4 ? 4 : 6, " ",
                      source.ipString(), " ", destination.ipString(), " ", source.port(), " ",
                      destination.port(), "\r\n");
}

std::string encode2(const Address& source, const Address& destination,
                    absl::Span<const ProxyHeader::Tlv> tlvs) {
  std::string body = absl::StrCat(source.ipBytes(), destination.ipBytes());
  appendNumber(source.port(), body);
  appendNumber(destination.port(), body);
  for (const ProxyHeader::Tlv& tlv : tlvs) {
    body.push_back(static_cast<char>(tlv.type));
    appendNumber(tlv.value.size(), body);
    body.append(tlv.value);
  }
  std::string header(kSignature2);
  header.push_back(kProxy2);
  header.push_back(source.kind() == Address::Kind::kIpv4 ? kTcp4 : kTcp6);
  appendNumber(body.size(), header);
  return header.append(body);
}

} // namespace

std::string encodeProxyHeader(int version, const Address& source, const Address& destination,
                              absl::Span<const ProxyHeader::Tlv> tlvs) {
  if (source.isIp() && source.kind() == destination.kind()) {
    return version == 1 ? encode1(source, destination) : encode2(source, destination, tlvs);
  }
  return version == 1
             ? "PROXY UNKNOWN\r\n"
             : absl::StrCat(kSignature2, absl::string_view(&kLocal2, 1), std::string(3, '\0'));
}

size_t tlvBytes(const ProxyHeader::Tlv& tlv) { return 3 + tlv.value.size(); }

} // namespace culvert::net
