// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http_response.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace culvert::upstream {
namespace {

bool isDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

} // namespace

HttpResponse::State HttpResponse::take(absl::string_view bytes, bool end) {
  while (!bytes.empty() && part_ < Part::kDone) {
    part_ == Part::kHead ? takeHead(bytes) : takeBody(bytes);
  }
  if (!bytes.empty()) {
    part_ = Part::kBroken;
  }
  if (end && part_ < Part::kDone) {
    part_ = part_ == Part::kUntilEnd ? Part::kDone : Part::kBroken;
    keep_alive_ = false;
  }
  return part_ == Part::kDone     ? State::kComplete
         : part_ == Part::kBroken ? State::kBroken
                                  : State::kIncomplete;
}

void HttpResponse::takeHead(absl::string_view& bytes) {
  const size_t before = text_.size();
  absl::StrAppend(&text_, bytes.substr(0, kHeadBytesMax + 1 - before));
  const size_t blank = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (blank == std::string::npos) {
    bytes = {};
    part_ = text_.size() > kHeadBytesMax ? Part::kBroken : Part::kHead;
    return;
  }
  bytes.remove_prefix(blank + 4 - before);
  text_.resize(blank);
  const std::string head = std::exchange(text_, {});
  if (!readHead(head)) {
    part_ = Part::kBroken;
  } else if (status_ >= 200) { // Before it there may be interim ones.
    chooseBody();
  }
}

// Without the blank line.
bool HttpResponse::readHead(absl::string_view head) {
  keep_alive_ = true;
  has_length_ = chunked_ = degraded_ = false;
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    if (!std::exchange(first, false)) {
      if (!readField(line)) {
        return false;
      }
      continue;
    }
    // HTTP/1.1 200 Reason
    if (line.size() < 12 || !absl::StartsWith(line, "HTTP/1.") || line[8] != ' ' ||
        (line.size() > 12 && line[12] != ' ') || !isDigits(line.substr(9, 3)) ||
        !absl::SimpleAtoi(line.substr(9, 3), &status_) || status_ < 100) {
      return false;
    }
    keep_alive_ = line[7] != '0';
  }
  return true;
}

bool HttpResponse::readField(absl::string_view line) {
  const size_t colon = line.find(':');
  if (colon == 0 || colon == absl::string_view::npos || line[0] == ' ' || line[0] == '\t') {
    return false;
  }
  const absl::string_view name = line.substr(0, colon);
  const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  if (absl::EqualsIgnoreCase(name, "content-length")) {
    uint64_t length = 0;
    if (!isDigits(value) || !absl::SimpleAtoi(value, &length) ||
        (has_length_ && length != length_)) {
      return false;
    }
    has_length_ = true;
    length_ = length;
  } else if (absl::EqualsIgnoreCase(name, "transfer-encoding")) {
    chunked_ = absl::EndsWithIgnoreCase(value, "chunked");
  } else if (absl::EqualsIgnoreCase(name, "connection") ||
             absl::EqualsIgnoreCase(name, "proxy-connection")) {
    keep_alive_ = keep_alive_ && !absl::EqualsIgnoreCase(value, "close");
  } else if (absl::EqualsIgnoreCase(name, "x-envoy-degraded")) {
    degraded_ = true;
  }
  return true;
}

void HttpResponse::chooseBody() {
  left_ = length_;
  if (to_head_ || status_ == 204 || status_ == 304) {
    part_ = Part::kDone;
  } else if (chunked_) {
    part_ = Part::kChunkSize;
  } else if (has_length_) {
    part_ = left_ > 0 ? Part::kSized : Part::kDone;
  } else {
    part_ = Part::kUntilEnd;
  }
}

void HttpResponse::takeBody(absl::string_view& bytes) {
  switch (part_) {
  case Part::kSized:
  case Part::kChunk: {
    const uint64_t some = std::min<uint64_t>(left_, bytes.size());
    bytes.remove_prefix(some);
    left_ -= some;
    if (left_ == 0) {
      part_ = part_ == Part::kSized ? Part::kDone : Part::kChunkSize;
    }
    break;
  }
  case Part::kChunkSize:
  case Part::kTrailer:
    takeLine(bytes);
    break;
  default:
    bytes = {};
  }
}

void HttpResponse::takeLine(absl::string_view& bytes) {
  const size_t newline = bytes.find('\n');
  const absl::string_view piece = bytes.substr(0, newline);
  absl::StrAppend(&text_, piece.substr(0, kHeadBytesMax + 1 - text_.size()));
  if (text_.size() > kHeadBytesMax) {
    part_ = Part::kBroken;
    return;
  }
  bytes.remove_prefix(newline == absl::string_view::npos ? bytes.size() : newline + 1);
  if (newline == absl::string_view::npos) {
    return;
  }
  const std::string whole = std::exchange(text_, {});
  const absl::string_view line = absl::StripSuffix(whole, "\r");
  if (part_ == Part::kTrailer) {
    part_ = line.empty() ? Part::kDone : Part::kTrailer;
  } else {
    readChunkSize(line);
  }
}

void HttpResponse::readChunkSize(absl::string_view line) {
  const absl::string_view size =
      absl::StripAsciiWhitespace(line.substr(0, line.find(';'))); // Extensions stand behind it.
  const bool hex = !size.empty() && size.size() <= 15 &&
                   std::all_of(size.begin(), size.end(), absl::ascii_isxdigit);
  if (!hex || !absl::SimpleHexAtoi(size, &left_)) {
    part_ = Part::kBroken;
    return;
  }
  part_ = left_ == 0 ? Part::kTrailer : Part::kChunk;
  left_ += 2;
}

} // namespace culvert::upstream
