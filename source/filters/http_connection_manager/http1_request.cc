// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/http1_request.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace culvert::http_connection_manager {
namespace {

constexpr absl::string_view kEnd = "\r\n\r\n";

bool isToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
               absl::string_view::npos;
  });
}

bool isValue(absl::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

bool isTarget(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return c > ' ' && c != 0x7f; });
}

// METHOD TARGET HTTP/1.x
bool readLine(absl::string_view line, Http1Request& request) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  if (words.size() != 3 || !isToken(words[0]) || !isTarget(words[1]) ||
      (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0")) {
    return false;
  }
  request.protocol = words[2] == "HTTP/1.1" ? "HTTP/1.1" : "HTTP/1.0";
  request.fields.emplace_back(":method", words[0]);
  if (words[0] == "CONNECT") {
    request.fields.emplace_back(":authority", words[1]);
  } else {
    request.fields.emplace_back(":path", words[1]);
  }
  return true;
}

bool readField(absl::string_view line, Http1Request& request) {
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos || !isToken(line.substr(0, colon))) {
    return false;
  }
  const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  std::string name = absl::AsciiStrToLower(line.substr(0, colon));
  const bool connect = request.fields.front().second == "CONNECT";
  if (name == "host" && !connect) {
    name = ":authority";
  }
  if (name != "host") {
    request.fields.emplace_back(std::move(name), value);
  }
  return isValue(value);
}

} // namespace

Http1Request parseHttp1(absl::string_view bytes, size_t bytes_max, size_t fields_max) {
  Http1Request request;
  const size_t end = bytes.find(kEnd);
  if (end == absl::string_view::npos || end > bytes_max) {
    request.state =
        bytes.size() > bytes_max ? Http1Request::State::kTooLarge : Http1Request::State::kMore;
    return request;
  }
  request.state = Http1Request::State::kBad;
  request.bytes = end + kEnd.size();
  const std::vector<absl::string_view> lines = absl::StrSplit(bytes.substr(0, end), "\r\n");
  if (!readLine(lines.front(), request)) {
    return request;
  }
  if (lines.size() > fields_max) {
    request.state = Http1Request::State::kTooLarge;
    return request;
  }
  const bool good = std::all_of(lines.begin() + 1, lines.end(),
                                [&](absl::string_view line) { return readField(line, request); });
  request.state = good ? Http1Request::State::kComplete : Http1Request::State::kBad;
  return request;
}

} // namespace culvert::http_connection_manager
