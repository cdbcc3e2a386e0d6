// SPDX-License-Identifier: Apache-2.0
#include "source/filters/proxy_protocol/header.h"

#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace culvert::proxy_protocol {
namespace {

using Kind = ParsedHeader::Kind;
using net::Address;

constexpr absl::string_view kSignature1 = "PROXY ";
constexpr size_t kLineBytesMax = 108;
constexpr absl::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedBytes2 = 16; // Signature, version and command, family, length.
constexpr size_t kTlvHeaderBytes = 3;
constexpr uint32_t kPortMax = 65535;

uint8_t byteAt(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

size_t numberAt(absl::string_view bytes, size_t at) {
  return static_cast<size_t>(byteAt(bytes, at)) << 8 | byteAt(bytes, at + 1);
}

// Whether `stream` and `signature` agree as far as both go.
bool mayBegin(absl::string_view stream, absl::string_view signature) {
  const size_t common = std::min(stream.size(), signature.size());
  return stream.substr(0, common) == signature.substr(0, common);
}

bool isUnicast(const Address& address) {
  const absl::string_view ip = address.ipBytes();
  const bool multicast = ip.size() == 4 ? (byteAt(ip, 0) & 0xf0) == 0xe0 : byteAt(ip, 0) == 0xff;
  return !address.isAny() && !multicast && ip != "\xff\xff\xff\xff";
}

// Digits only: no sign, no blanks.
bool readPort(absl::string_view text, uint16_t& port) {
  uint32_t number;
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &number) || number > kPortMax) {
    return false;
  }
  port = static_cast<uint16_t>(number);
  return true;
}

bool readAddress(absl::string_view ip, absl::string_view port_text, Address::Kind kind,
                 Address& address) {
  uint16_t port;
  if (!readPort(port_text, port)) {
    return false;
  }
  const auto parsed = Address::parseIp(ip, port);
  if (!parsed.ok() || parsed->kind() != kind || !isUnicast(*parsed)) {
    return false;
  }
  address = *parsed;
  return true;
}

ParsedHeader answer(int version, Kind kind, size_t bytes = 0) {
  ParsedHeader header;
  header.version = version;
  header.kind = kind;
  header.bytes = bytes;
  return header;
}

// "PROXY TCP4 source destination port port", or "PROXY UNKNOWN" and whatever.
ParsedHeader parseLine(absl::string_view line, size_t bytes) {
  ParsedHeader header = answer(1, Kind::kHeader, bytes);
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  if (words[1] == "UNKNOWN") {
    return header;
  }
  const Address::Kind kind = words[1] == "TCP4"   ? Address::Kind::kIpv4
                             : words[1] == "TCP6" ? Address::Kind::kIpv6
                                                  : Address::Kind::kNone;
  header.has_addresses = true;
  if (kind == Address::Kind::kNone || words.size() != 6 ||
      !readAddress(words[2], words[4], kind, header.source) ||
      !readAddress(words[3], words[5], kind, header.destination)) {
    return answer(1, Kind::kMalformed);
  }
  return header;
}

ParsedHeader parse1(absl::string_view stream) {
  const size_t end = stream.substr(0, kLineBytesMax).find("\r\n");
  if (end != absl::string_view::npos) {
    return parseLine(stream.substr(0, end), end + 2);
  }
  return stream.size() >= kLineBytesMax ? answer(1, Kind::kMalformed)
                                        : answer(1, Kind::kNeedMore, stream.size() + 1);
}

bool checkTlvs(absl::string_view tlvs) {
  while (!tlvs.empty()) {
    if (tlvs.size() < kTlvHeaderBytes || tlvs.size() - kTlvHeaderBytes < numberAt(tlvs, 1)) {
      return false;
    }
    tlvs.remove_prefix(kTlvHeaderBytes + numberAt(tlvs, 1));
  }
  return true;
}

// Source, destination, their ports, then TLVs. Both transports of a family are taken as Envoy does.
bool readBody(uint8_t family, absl::string_view body, ParsedHeader& header) {
  const size_t ip_bytes = family == 0x11 || family == 0x12   ? sizeof(in_addr)
                          : family == 0x21 || family == 0x22 ? sizeof(in6_addr)
                                                             : 0;
  const size_t address_bytes = 2 * ip_bytes + 4;
  if (ip_bytes == 0 || body.size() < address_bytes) {
    return false;
  }
  const auto port = [&](size_t at) { return static_cast<uint16_t>(numberAt(body, at)); };
  header.source = Address::fromIpBytes(body.substr(0, ip_bytes), port(2 * ip_bytes));
  header.destination =
      Address::fromIpBytes(body.substr(ip_bytes, ip_bytes), port(2 * ip_bytes + 2));
  header.has_addresses = true;
  header.tlvs = body.substr(address_bytes);
  return isUnicast(header.source) && isUnicast(header.destination) && checkTlvs(header.tlvs);
}

ParsedHeader parse2(absl::string_view stream) {
  const uint8_t version_and_command = byteAt(stream, 12);
  if (version_and_command != 0x20 && version_and_command != 0x21) {
    return answer(2, Kind::kMalformed);
  }
  const size_t bytes = kFixedBytes2 + numberAt(stream, 14);
  if (stream.size() < bytes) {
    return answer(2, Kind::kNeedMore, bytes);
  }
  ParsedHeader header = answer(2, Kind::kHeader, bytes);
  const bool local = version_and_command == 0x20;
  const absl::string_view body = stream.substr(kFixedBytes2, bytes - kFixedBytes2);
  if (!local && !readBody(byteAt(stream, 13), body, header)) {
    return answer(2, Kind::kMalformed);
  }
  return header;
}

} // namespace

ParsedHeader parseHeader(absl::string_view stream) {
  if (stream
          .empty()) { // May become either; the shortest of version 1 is shorter than kFixedBytes2.
    return answer(0, Kind::kNeedMore, 1);
  }
  if (mayBegin(stream, kSignature2)) {
    return stream.size() < kFixedBytes2 ? answer(2, Kind::kNeedMore, kFixedBytes2) : parse2(stream);
  }
  if (mayBegin(stream, kSignature1)) {
    return stream.size() < kSignature1.size() ? answer(1, Kind::kNeedMore, kSignature1.size())
                                              : parse1(stream);
  }
  return answer(0, Kind::kNone);
}

void forEachTlv(absl::string_view tlvs,
                absl::FunctionRef<void(uint8_t type, absl::string_view value)> visit) {
  while (!tlvs.empty()) {
    const size_t bytes = numberAt(tlvs, 1);
    visit(byteAt(tlvs, 0), tlvs.substr(kTlvHeaderBytes, bytes));
    tlvs.remove_prefix(kTlvHeaderBytes + bytes);
  }
}

} // namespace culvert::proxy_protocol
