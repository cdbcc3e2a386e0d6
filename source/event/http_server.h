// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "source/base/clock.h"
#include "source/event/loop.h"

struct bufferevent;
struct evhttp_bound_socket;
struct evhttp_connection;
struct evhttp_request;

namespace culvert::event {

struct HttpRequest {
  std::string method;
  std::string target; // As the client sent it.
  std::string path;   // The target up to '?'.
  // The URL's parameters and those of a form in the body, decoded, in their order.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::string body;
  std::string host;
  std::string user_agent;
  std::string peer; // "127.0.0.1:4711"; empty for a unix socket's peer.

  bool has(absl::string_view name) const;
  // The first of that name, or an empty text.
  std::string parameter(absl::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=UTF-8";
  std::string body;
};

// "%2B" to "+"; what is no escape stays as it is.
std::string percentDecode(absl::string_view text);
// As in the field "date" (RFC 9110, section 5.6.7), in English whatever the locale.
std::string httpDate(base::WallTime time);
// "Not Found" for 404.
const char* httpReason(int status);

// A small HTTP/1.1 server on libevent's evhttp, for the admin page and its like: answers come whole
// from one callback. Writes header fields in Envoy's order and spelling (envoy-compat B.1).
//
// Bounds: kHeaderBytesMax, kBodyBytesMax, kConnectionsMax, kIdleSeconds. At the last but one it
// stops accepting, so that clients wait in the backlog.
// Threads: the loop's. Lifetime: the callbacks may not destroy it.
class HttpServer {
public:
  static constexpr size_t kHeaderBytesMax = 60 * 1024;
  static constexpr size_t kBodyBytesMax = 1024 * 1024;
  static constexpr size_t kConnectionsMax = 256;
  static constexpr int kIdleSeconds = 300;

  struct Callbacks {
    std::function<void(const HttpRequest&, HttpResponse&)> answer;
    std::function<void()> opened; // A connection was accepted,
    std::function<void()> closed; // and is gone.
  };

  // `name` goes into the header field "server".
  HttpServer(Loop& loop, std::string name, Callbacks callbacks);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;

  // Serves a listening, non-blocking stream socket; takes it over.
  void serve(int listening_fd);
  // Closes the listening sockets; connections stay.
  void stopListening();
  // Accepts no more for now; who waits, waits in the backlog.
  void pause(bool paused);

  size_t connections() const { return silent_.size() + known_.size(); }

private:
  static bufferevent* onAccept(event_base* base, void* self);
  static void onRequest(evhttp_request* raw, void* self);
  static void onClose(evhttp_connection* connection, void* self);

  void know(evhttp_connection* connection);
  void forgetSilentUntil(base::Instant time);
  void updateAccepting();
  void onSilentTimer();
  void send(evhttp_request* raw, const HttpRequest& request, HttpResponse response);

  Loop& loop_;
  const std::string name_;
  const Callbacks callbacks_;
  evhttp* http_;
  std::vector<evhttp_bound_socket*> sockets_;
  bool accepting_ = true;
  bool paused_ = false;

  // evhttp tells of a connection's end only once it sent a request. Those that did not yet are
  // known by their buffer, and taken for gone when evhttp will have timed them out.
  std::map<bufferevent*, base::Instant> silent_;
  std::set<evhttp_connection*> known_;
  Timer silent_timer_;
};

} // namespace culvert::event
