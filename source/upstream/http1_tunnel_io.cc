// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http1_tunnel_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/net/preamble_io.h"

namespace culvert::upstream {
namespace {

using event::FdEvents;
using net::IoResult;
using net::IoStatus;

constexpr char kHeadEnd[] = "\r\n\r\n";

std::string headOf(const TunnelRequest& request) {
  std::string head =
      absl::StrCat("CONNECT ", request.authority, " HTTP/1.1\r\nhost: ", request.authority, "\r\n");
  for (const auto& [name, value] : request.headers) {
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  return head + "\r\n";
}

// "HTTP/1.1 200 Reason" as three digits; "" if it is none.
absl::string_view statusOf(absl::string_view line) {
  const bool good = line.size() >= 12 && absl::StartsWith(line, "HTTP/1.") && line[8] == ' ' &&
                    (line.size() == 12 || line[12] == ' ') && line[9] >= '1' && line[9] <= '5' &&
                    absl::ascii_isdigit(line[10]) && absl::ascii_isdigit(line[11]);
  return good ? line.substr(9, 3) : absl::string_view();
}

// Null: it is no head of a response.
std::unique_ptr<HttpFields> parseHead(absl::string_view head) {
  auto fields = std::make_unique<HttpFields>();
  for (const absl::string_view line : absl::StrSplit(head, "\r\n")) {
    if (fields->empty()) {
      fields->emplace_back(":status", statusOf(line));
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == 0 || colon == absl::string_view::npos || line[0] == ' ' || line[0] == '\t') {
      return nullptr;
    }
    fields->emplace_back(absl::AsciiStrToLower(line.substr(0, colon)),
                         absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return fields->front().second.empty() ? nullptr : std::move(fields);
}

} // namespace

Http1TunnelIo::Http1TunnelIo(std::unique_ptr<net::Io> below, const TunnelRequest& request)
    : below_(std::move(below)), text_(headOf(request)) {}

void Http1TunnelIo::setRead(FdEvents::ReadInterest interest) {
  below_->setRead(interest);
  const bool waits = !text_.empty() || state_ == State::kEnded;
  if (interest == FdEvents::ReadInterest::kData && waits && state_ >= State::kOpen) {
    below_->activate(event::kReadable);
  }
}

// Once the request is out, opening goes on when something comes.
void Http1TunnelIo::setWrite(bool wanted) { below_->setWrite(wanted && state_ != State::kAnswer); }

IoResult Http1TunnelIo::open() {
  if (state_ == State::kConnecting) {
    const IoResult result = below_->open();
    if (result.status != IoStatus::kOk) {
      return result;
    }
    state_ = State::kAsking;
    if (asked_) {
      asked_();
    }
  }
  if (state_ == State::kAsking) {
    const IoResult result = ask();
    if (result.status != IoStatus::kOk) {
      return result;
    }
  }
  return readAnswer();
}

IoResult Http1TunnelIo::ask() {
  const IoResult result = net::writeText(*below_, text_);
  if (result.status != IoStatus::kOk) {
    return result;
  }
  state_ = State::kAnswer;
  below_->setWrite(false);
  below_->setRead(FdEvents::ReadInterest::kData);
  return result;
}

IoResult Http1TunnelIo::readAnswer() {
  char some[4096];
  IoResult result = {IoStatus::kMore};
  do {
    result = below_->read(absl::MakeSpan(some));
    text_.append(some, result.bytes);
    const IoResult taken = takeAnswer();
    if (taken.status != IoStatus::kMore) {
      return taken;
    }
  } while (result.bytes > 0 || result.status == IoStatus::kMore);
  return {result.status == IoStatus::kOk ? IoStatus::kMore : IoStatus::kReset};
}

// kMore: it is not whole yet.
IoResult Http1TunnelIo::takeAnswer() {
  for (size_t end = 0; (end = text_.find(kHeadEnd)) != std::string::npos;) {
    answer_ = parseHead(absl::string_view(text_).substr(0, end));
    text_.erase(0, end + std::strlen(kHeadEnd));
    if (answer_ == nullptr) {
      return {IoStatus::kReset};
    }
    const char kind = answer_->front().second[0];
    if (kind == '1') { // An interim one.
      continue;
    }
    state_ = kind == '2' ? State::kOpen : state_;
    below_->setRead(FdEvents::ReadInterest::kNone);
    return {kind == '2' ? IoStatus::kOk : IoStatus::kReset};
  }
  return {text_.size() > kAnswerBytesMax ? IoStatus::kReset : IoStatus::kMore};
}

IoResult Http1TunnelIo::read(absl::Span<char> into) {
  if (state_ == State::kEnded) {
    return {IoStatus::kEnd};
  }
  if (text_.empty()) {
    return below_->read(into);
  }
  const size_t bytes = std::min(into.size(), text_.size());
  std::copy_n(text_.data(), bytes, into.data());
  text_.erase(0, bytes);
  if (text_.empty()) {
    text_.shrink_to_fit();
  }
  return {IoStatus::kMore, bytes};
}

void Http1TunnelIo::shutdownWrite() {
  below_->shutdownWrite();
  state_ = State::kEnded;
  below_->activate(event::kReadable);
}

int Http1TunnelIo::plainFd() const {
  return text_.empty() && state_ == State::kOpen ? below_->plainFd() : -1;
}

std::string Http1TunnelIo::failureReason() const {
  return answer_ == nullptr ? below_->failureReason()
                            : absl::StrCat("tunnel_response:", answer_->front().second);
}

} // namespace culvert::upstream
