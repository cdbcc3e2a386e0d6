// SPDX-License-Identifier: Apache-2.0
#include "source/filters/tls_inspector/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"

namespace culvert::tls_inspector {
namespace {

constexpr NoHello kHttpsProxyRequest = {"1000009b", "HTTPS_PROXY_REQUEST"};
constexpr NoHello kHttpRequest = {"1000009c", "HTTP_REQUEST"};
constexpr NoHello kWrongVersion = {"100000f7", "WRONG_VERSION_NUMBER"};
constexpr NoHello kRecordTooLong = {"10000092", "ENCRYPTED_LENGTH_TOO_LONG"};
constexpr NoHello kUnexpectedRecord = {"100000e1", "UNEXPECTED_RECORD"};
constexpr NoHello kUnexpectedMessage = {"100000df", "UNEXPECTED_MESSAGE"};
constexpr NoHello kMessageTooLong = {"10000096", "EXCESSIVE_MESSAGE_SIZE"};
constexpr NoHello kMalformed = {"10000083", "CLIENTHELLO_PARSE_FAILED"};
constexpr NoHello kMalformedExtension = {"10000095", "ERROR_PARSING_EXTENSION"};

constexpr size_t kRecordHeaderBytes = 5;
constexpr size_t kRecordBytesMax = 16384 + 256;
constexpr size_t kMessageHeaderBytes = 4;
constexpr size_t kMessageBytesMax = 16384;
constexpr size_t kServerNameBytesMax = 255;
constexpr uint8_t kFirstContentType = 20; // change_cipher_spec, alert,
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kLastContentType = 23; // application_data
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kAlpnExtension = 16;

// Reads a message from front to back; what is not there is a failure, once and for all.
class Reader {
public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  bool failed() const { return failed_; }
  bool empty() const { return bytes_.empty(); }

  size_t number(size_t width) {
    size_t value = 0;
    for (const char byte : take(width)) {
      value = value << 8 | static_cast<uint8_t>(byte);
    }
    return value;
  }
  absl::string_view take(size_t size) {
    if (size > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const absl::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  // A vector: its length in `width` bytes, then its content.
  absl::string_view vector(size_t width) { return take(number(width)); }

private:
  absl::string_view bytes_;
  bool failed_ = false;
};

uint8_t byteAt(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

ParsedHello noHello(const NoHello& why, size_t bytes) {
  ParsedHello parsed;
  parsed.kind = ParsedHello::Kind::kNoHello;
  parsed.why = why;
  parsed.bytes = bytes;
  return parsed;
}

ParsedHello needMore(size_t bytes) {
  ParsedHello parsed;
  parsed.bytes = bytes;
  return parsed;
}

// Why `record`, which is not empty, cannot begin a record of a handshake; null: it can.
const NoHello* checkRecord(absl::string_view record) {
  const uint8_t type = byteAt(record, 0);
  if (absl::StartsWith(record, "CONNE")) {
    return &kHttpsProxyRequest;
  }
  for (const absl::string_view method : {"GET ", "POST ", "HEAD ", "PUT "}) {
    if (absl::StartsWith(record, method)) {
      return &kHttpRequest;
    }
  }
  if (type < kFirstContentType || type > kLastContentType ||
      (record.size() > 1 && byteAt(record, 1) != 3)) {
    return &kWrongVersion;
  }
  if (type != kHandshake) {
    return &kUnexpectedRecord;
  }
  if (record.size() < kRecordHeaderBytes) {
    return nullptr;
  }
  const size_t length = Reader(record.substr(3)).number(2);
  return length == 0 ? &kWrongVersion : length > kRecordBytesMax ? &kRecordTooLong : nullptr;
}

// One host name, as long as names may be. Others: malformed.
bool readServerName(absl::string_view extension, ParsedHello& parsed) {
  Reader reader(extension);
  Reader list(reader.vector(2));
  const size_t type = list.number(1);
  const absl::string_view name = list.vector(2);
  if (reader.failed() || !reader.empty() || list.failed() || !list.empty() || type != 0 ||
      name.empty() || name.size() > kServerNameBytesMax || absl::StrContains(name, '\0')) {
    return false;
  }
  parsed.server_name = std::string(name);
  return true;
}

void readProtocols(absl::string_view extension, ParsedHello& parsed) {
  Reader reader(extension);
  Reader list(reader.vector(2));
  std::vector<std::string> protocols;
  while (!list.failed() && !list.empty()) {
    protocols.emplace_back(list.vector(1));
    if (protocols.back().empty()) {
      return;
    }
  }
  if (!reader.failed() && reader.empty() && !list.failed()) {
    parsed.application_protocols = std::move(protocols);
  }
}

// Null when all is well.
const NoHello* readExtensions(absl::string_view bytes, ParsedHello& parsed) {
  Reader extensions(bytes);
  absl::flat_hash_set<size_t> seen;
  const NoHello* wrong = nullptr;
  while (!extensions.empty()) {
    const size_t type = extensions.number(2);
    const absl::string_view content = extensions.vector(2);
    if (extensions.failed() || !seen.insert(type).second) {
      return &kMalformed;
    }
    if (type == kServerNameExtension && !readServerName(content, parsed)) {
      wrong = &kMalformedExtension;
    } else if (type == kAlpnExtension) {
      readProtocols(content, parsed);
    }
  }
  return wrong;
}

const NoHello* readMessage(absl::string_view message, ParsedHello& parsed) {
  Reader reader(message);
  reader.take(2 + 32); // legacy_version, random
  reader.vector(1);    // legacy_session_id
  const absl::string_view ciphers = reader.vector(2);
  const absl::string_view compressions = reader.vector(1);
  if (reader.failed() || ciphers.size() < 2 || compressions.empty()) {
    return &kMalformed;
  }
  if (reader.empty()) { // Before TLS 1.2 extensions could be missing.
    return nullptr;
  }
  const absl::string_view extensions = reader.vector(2);
  if (reader.failed() || !reader.empty()) {
    return &kMalformed;
  }
  return readExtensions(extensions, parsed);
}

// Puts the content of records together.
struct Records {
  std::string content;
  size_t bytes = 0; // Of the stream, headers included.
  const NoHello* wrong = nullptr;
  size_t needed = 0; // Where the last record ends.

  // Adds what is there of the next record; whether that is all of it.
  bool add(absl::string_view stream);
};

bool Records::add(absl::string_view stream) {
  const absl::string_view record = stream.substr(bytes);
  needed = bytes + kRecordHeaderBytes;
  wrong = record.empty() ? nullptr : checkRecord(record);
  if (wrong != nullptr || record.size() < kRecordHeaderBytes) {
    return false;
  }
  const size_t length = Reader(record.substr(3)).number(2);
  const absl::string_view there = record.substr(kRecordHeaderBytes, length);
  content.append(there.data(), there.size());
  bytes += kRecordHeaderBytes + there.size();
  needed += length;
  return there.size() == length;
}

// The length of the message that `content` begins with, once its header is there.
struct MessageHeader {
  const NoHello* wrong = nullptr;
  size_t bytes = 0; // With the header.
};

MessageHeader readHeader(absl::string_view content) {
  if (byteAt(content, 0) != kClientHello) {
    return {&kUnexpectedMessage};
  }
  const size_t length = Reader(content.substr(1)).number(3);
  return {length > kMessageBytesMax ? &kMessageTooLong : nullptr, kMessageHeaderBytes + length};
}

ParsedHello readHello(absl::string_view message, size_t stream_bytes) {
  ParsedHello parsed;
  if (const NoHello* wrong = readMessage(message, parsed)) {
    return noHello(*wrong, stream_bytes);
  }
  parsed.kind = ParsedHello::Kind::kHello;
  parsed.bytes = stream_bytes;
  return parsed;
}

} // namespace

ParsedHello parseClientHello(absl::string_view stream) {
  Records records;
  for (;;) {
    const bool whole = records.add(stream);
    if (records.wrong != nullptr) {
      return noHello(*records.wrong, std::min(stream.size(), records.bytes + kRecordHeaderBytes));
    }
    if (records.content.size() >= kMessageHeaderBytes) {
      const absl::string_view content = records.content;
      const MessageHeader header = readHeader(content);
      if (header.wrong != nullptr) {
        return noHello(*header.wrong, records.bytes);
      }
      if (whole && content.size() >= header.bytes) {
        return readHello(content.substr(kMessageHeaderBytes, header.bytes - kMessageHeaderBytes),
                         records.bytes);
      }
      records.needed = std::max(records.needed, records.bytes + header.bytes - content.size());
    }
    if (!whole) {
      return needMore(std::max(records.needed, stream.size() + 1));
    }
  }
}

} // namespace culvert::tls_inspector
