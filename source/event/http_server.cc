// SPDX-License-Identifier: Apache-2.0
#include "source/event/http_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <chrono>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "source/base/check.h"

namespace culvert::event {
namespace {

constexpr std::chrono::seconds kSilentTimeout{HttpServer::kIdleSeconds + 1};
constexpr ev_uint16_t kMethods = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                 EVHTTP_REQ_TRACE | EVHTTP_REQ_PATCH;

const char* methodName(evhttp_cmd_type method) {
  switch (method) {
  case EVHTTP_REQ_GET:
    return "GET";
  case EVHTTP_REQ_POST:
    return "POST";
  case EVHTTP_REQ_HEAD:
    return "HEAD";
  case EVHTTP_REQ_PUT:
    return "PUT";
  case EVHTTP_REQ_DELETE:
    return "DELETE";
  case EVHTTP_REQ_OPTIONS:
    return "OPTIONS";
  case EVHTTP_REQ_TRACE:
    return "TRACE";
  case EVHTTP_REQ_CONNECT:
    return "CONNECT";
  case EVHTTP_REQ_PATCH:
    return "PATCH";
  }
  return "";
}

std::string header(evhttp_request* raw, const char* name) {
  const char* const value = evhttp_find_header(evhttp_request_get_input_headers(raw), name);
  return value == nullptr ? "" : value;
}

void addParameters(absl::string_view text, HttpRequest& request) {
  for (const absl::string_view item : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(item, absl::MaxSplits('=', 1));
    request.parameters.emplace_back(percentDecode(parts.first), percentDecode(parts.second));
  }
}

std::string peerOf(evhttp_request* raw) {
  char* address = nullptr;
  ev_uint16_t port = 0;
  evhttp_connection_get_peer(evhttp_request_get_connection(raw), &address, &port);
  const absl::string_view text = address == nullptr ? "" : address;
  if (text.empty() || port == 0)
    return "";
  return absl::StrContains(text, ':') ? absl::StrCat("[", text, "]:", port)
                                      : absl::StrCat(text, ":", port);
}

HttpRequest toRequest(evhttp_request* raw) {
  HttpRequest request;
  request.method = methodName(evhttp_request_get_command(raw));
  request.target = evhttp_request_get_uri(raw);
  request.host = header(raw, "host");
  request.user_agent = header(raw, "user-agent");
  request.peer = peerOf(raw);

  const absl::string_view target(request.target);
  const size_t question = target.find('?');
  request.path = std::string(target.substr(0, question));
  if (question != absl::string_view::npos)
    addParameters(target.substr(question + 1), request);

  evbuffer* const input = evhttp_request_get_input_buffer(raw);
  request.body.resize(evbuffer_get_length(input));
  evbuffer_remove(input, request.body.data(), request.body.size());
  if (absl::StartsWithIgnoreCase(header(raw, "content-type"), "application/x-www-form-urlencoded"))
    addParameters(absl::StripAsciiWhitespace(request.body), request);
  return request;
}

// Without a copy: with thousands of hosts a page has megabytes.
void append(std::string text, evbuffer* out) {
  if (text.empty())
    return;
  auto* const kept = new std::string(std::move(text));
  const auto release = [](const void*, size_t, void* owned) {
    delete static_cast<std::string*>(owned);
  };
  evbuffer_add_reference(out, kept->data(), kept->size(), release, kept);
}

} // namespace

bool HttpRequest::has(absl::string_view name) const {
  for (const auto& parameter : parameters) {
    if (parameter.first == name)
      return true;
  }
  return false;
}

std::string HttpRequest::parameter(absl::string_view name) const {
  for (const auto& parameter : parameters) {
    if (parameter.first == name)
      return parameter.second;
  }
  return "";
}

std::string percentDecode(absl::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        absl::ascii_isxdigit(text[i + 1]) && absl::ascii_isxdigit(text[i + 2]);
    if (escape) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string httpDate(base::WallTime time) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  return absl::StrFormat("%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[tm.tm_wday], tm.tm_mday,
                         kMonths[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

const char* httpReason(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 426:
    return "Upgrade Required";
  case 500:
    return "Internal Server Error";
  case 501:
    return "Not Implemented";
  case 503:
    return "Service Unavailable";
  default:
    return "Unknown";
  }
}

HttpServer::HttpServer(Loop& loop, std::string name, Callbacks callbacks)
    : loop_(loop), name_(std::move(name)), callbacks_(std::move(callbacks)),
      http_(evhttp_new(loop.base_)),
      silent_timer_(loop, Timer::Callback::to<&HttpServer::onSilentTimer>(this)) {
  CULVERT_CHECK(http_ != nullptr);
  evhttp_set_max_headers_size(http_, kHeaderBytesMax);
  evhttp_set_max_body_size(http_, kBodyBytesMax);
  evhttp_set_timeout(http_, kIdleSeconds);
  evhttp_set_allowed_methods(http_, kMethods);
  evhttp_set_bevcb(http_, onAccept, this);
  evhttp_set_gencb(http_, onRequest, this);
}

HttpServer::~HttpServer() {
  sockets_.clear();   // evhttp frees the sockets,
  evhttp_free(http_); // then the connections: onClose.
  forgetSilentUntil(base::Instant::max());
}

void HttpServer::serve(int listening_fd) {
  // Backlog 0: it listens already.
  evconnlistener* const listener =
      evconnlistener_new(loop_.base_, nullptr, nullptr,
                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listening_fd);
  CULVERT_CHECK(listener != nullptr);
  sockets_.push_back(evhttp_bind_listener(http_, listener));
}

void HttpServer::stopListening() {
  for (evhttp_bound_socket* socket : sockets_)
    evhttp_del_accept_socket(http_, socket);
  sockets_.clear();
}

void HttpServer::pause(bool paused) {
  paused_ = paused;
  updateAccepting();
}

// evhttp asks for each new connection's buffer.
bufferevent* HttpServer::onAccept(event_base* base, void* self) {
  auto& server = *static_cast<HttpServer*>(self);
  bufferevent* const buffer = bufferevent_socket_new(base, -1, 0);
  server.silent_[buffer] = server.loop_.clock().now();
  if (server.callbacks_.opened)
    server.callbacks_.opened();
  if (!server.silent_timer_.armed())
    server.silent_timer_.arm(kSilentTimeout);
  server.updateAccepting();
  return buffer;
}

void HttpServer::onClose(evhttp_connection* connection, void* self) {
  auto& server = *static_cast<HttpServer*>(self);
  server.known_.erase(connection);
  if (server.callbacks_.closed)
    server.callbacks_.closed();
  server.updateAccepting();
}

void HttpServer::know(evhttp_connection* connection) {
  if (!known_.insert(connection).second)
    return;
  silent_.erase(evhttp_connection_get_bufferevent(connection));
  evhttp_connection_set_closecb(connection, onClose, this);
}

void HttpServer::forgetSilentUntil(base::Instant time) {
  for (auto it = silent_.begin(); it != silent_.end();) {
    if (it->second > time) {
      ++it;
      continue;
    }
    it = silent_.erase(it);
    if (callbacks_.closed)
      callbacks_.closed();
  }
}

void HttpServer::onSilentTimer() {
  forgetSilentUntil(loop_.clock().now() - kSilentTimeout);
  if (!silent_.empty())
    silent_timer_.arm(kSilentTimeout);
  updateAccepting();
}

void HttpServer::updateAccepting() {
  const bool wanted = !paused_ && connections() < kConnectionsMax;
  if (wanted == accepting_)
    return;
  accepting_ = wanted;
  for (evhttp_bound_socket* socket : sockets_) {
    evconnlistener* const listener = evhttp_bound_socket_get_listener(socket);
    static_cast<void>(wanted ? evconnlistener_enable(listener) : evconnlistener_disable(listener));
  }
}

void HttpServer::onRequest(evhttp_request* raw, void* self) {
  auto& server = *static_cast<HttpServer*>(self);
  server.know(evhttp_request_get_connection(raw));
  const HttpRequest request = toRequest(raw);
  HttpResponse response;
  if (raw->major == 1 && raw->minor == 0) {
    raw->minor = 1; // Answered in the version to upgrade to.
    response.status = 426;
    response.body = httpReason(426);
  } else {
    server.callbacks_.answer(request, response);
  }
  server.send(raw, request, std::move(response));
}

// evhttp would add some of these fields by itself, in other words and places.
void HttpServer::send(evhttp_request* raw, const HttpRequest& request, HttpResponse response) {
  evkeyvalq* const headers = evhttp_request_get_output_headers(raw);
  const bool upgrade = response.status == 426;
  if (upgrade) {
    evhttp_add_header(headers, "content-length", absl::StrCat(response.body.size()).c_str());
    evhttp_add_header(headers, "content-type", "text/plain");
  } else {
    evhttp_add_header(headers, "content-type", response.content_type.c_str());
    evhttp_add_header(headers, "cache-control", "no-cache, max-age=0");
    evhttp_add_header(headers, "x-content-type-options", "nosniff");
  }
  evhttp_add_header(headers, "date", httpDate(loop_.clock().wallNow()).c_str());
  evhttp_add_header(headers, "server", name_.c_str());
  if (upgrade) {
    evhttp_add_header(headers, "connection", "close");
  } else {
    evhttp_add_header(headers, "transfer-encoding", "chunked");
  }

  evbuffer* const body = evbuffer_new();
  if (request.method != "HEAD") {
    const bool empty = response.body.empty();
    if (!upgrade && !empty)
      evbuffer_add_printf(body, "%zx\r\n", response.body.size());
    append(std::move(response.body), body);
    if (!upgrade)
      evbuffer_add_printf(body, "%s0\r\n\r\n", empty ? "" : "\r\n");
  }
  evhttp_send_reply(raw, response.status, httpReason(response.status), body);
  evbuffer_free(body);
}

} // namespace culvert::event
