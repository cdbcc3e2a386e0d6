// SPDX-License-Identifier: Apache-2.0
#include "source/filters/http_connection_manager/http1_client.h"

#include "absl/strings/str_cat.h"
#include "source/filters/http_connection_manager/tunnel.h"

namespace culvert::http_connection_manager {
namespace {

absl::string_view phraseOf(uint32_t status) {
  switch (status) {
  case 200:
    return "OK";
  case 400:
    return "Bad Request";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 408:
    return "Request Timeout";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 503:
    return "Service Unavailable";
  case 504:
    return "Gateway Timeout";
  default:
    return "Unknown";
  }
}

} // namespace

std::string Http1Client::responseOf(uint32_t status, const hbone::Http2Fields& fields,
                                    absl::string_view body) {
  std::string response = absl::StrCat("HTTP/1.1 ", status, " ", phraseOf(status), "\r\n");
  for (const auto& [name, value] : fields) {
    absl::StrAppend(&response, name, ": ", value, "\r\n");
  }
  absl::StrAppend(&response, "\r\n", body);
  return response;
}

void Http1Client::keepEarly(net::Buffer& data, bool end) {
  early_.append(data);
  early_end_ |= end;
  ended_ |= end;
}

void Http1Client::onData(net::Buffer& data, bool end) {
  ended_ |= end;
  tunnel_->onClientData(data, end);
}

void Http1Client::accept(const hbone::Http2Fields& fields) {
  connection_.write(responseOf(200, fields, ""));
}

// Envoy keeps a connection whose request was no CONNECT; here it has had its say.
void Http1Client::refuse(uint32_t status, const hbone::Http2Fields& fields, std::string body,
                         bool) {
  hbone::Http2Fields all = fields;
  if (body.empty()) {
    all.emplace_back("content-length", "0");
  }
  all.emplace_back("connection", "close");
  connection_.write(responseOf(status, all, body));
  close(net::CloseMode::kFlush);
}

// The first time, once the tunnel is open.
void Http1Client::resumeReading() {
  if (!early_.empty() || early_end_) {
    net::Buffer early = std::move(early_);
    early_ = {};
    tunnel_->onClientData(early, std::exchange(early_end_, false));
  }
  connection_.resumeReading();
}

void Http1Client::close(net::CloseMode mode) {
  connection_.close(net::CloseReason::of(net::CloseCode::kUpstreamGone), mode);
}

} // namespace culvert::http_connection_manager
