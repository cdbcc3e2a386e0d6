// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/base/proto.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filters/hbone_server/hbone_server.pb.h"
#include "source/hbone/connect_io.h"
#include "source/hbone/http2_session.h"
#include "source/mesh/inbound.h"
#include "source/net/internal_listeners.h"

namespace culvert {
namespace {

using Proto = filters::hbone_server::v1::HboneServer;

constexpr uint32_t kBadRequest = 400;
constexpr uint32_t kUnavailable = 503;
constexpr uint32_t kProtocolError = 1;          // RFC 9113, section 7.
constexpr std::chrono::seconds kGoodbyeTime(5); // For the peer to hear of it.

hbone::Http2Options optionsOf(const Proto& proto) {
  hbone::Http2Options options;
  options.max_concurrent_streams =
      proto.has_max_concurrent_streams() ? proto.max_concurrent_streams().value() : 200;
  options.stream_window_bytes =
      proto.has_initial_stream_window_size() ? proto.initial_stream_window_size().value() : 4 << 20;
  options.connection_window_bytes = proto.has_initial_connection_window_size()
                                        ? proto.initial_connection_window_size().value()
                                        : 16 << 20;
  options.more_settings = {{hbone::kHttp2MaxFrameSize,
                            proto.has_max_frame_size() ? proto.max_frame_size().value() : 1 << 20}};
  options.keepalive_interval = proto.has_keepalive_interval()
                                   ? base::toDuration(proto.keepalive_interval())
                                   : base::Duration(std::chrono::seconds(10));
  options.keepalive_timeout = proto.has_keepalive_timeout()
                                  ? base::toDuration(proto.keepalive_timeout())
                                  : base::Duration(std::chrono::seconds(20));
  options.bad_messages_end_streams = true; // Others of the tunnel's streams are none the worse.
  return options;
}

// Threads: built on main, then read-only on all workers.
struct Config {
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context) {
    if (context.internal_buffer_bytes == 0) {
      return absl::InvalidArgumentError(
          "internal_listener: the bootstrap has no envoy.bootstrap.internal_listener");
    }
    return std::make_shared<const Config>(proto, context.scope);
  }
  Config(const Proto& proto, stats::Scope& root)
      : listener(proto.internal_listener()), http2(optionsOf(proto)),
        scope(root.scope(absl::StrCat("hbone.", proto.stat_prefix()))),
        http2_scope(root.scope("http2")),
        http2_stats(std::make_unique<hbone::Http2Stats>(*http2_scope)),
        tunnels_total(scope->counter("tunnels_total")),
        requests_refused(scope->counter("requests_refused")),
        no_listener(scope->counter("no_listener")),
        protocol_error(scope->counter("protocol_error")) {}

  const std::string listener;
  const hbone::Http2Options http2;
  const std::unique_ptr<stats::Scope> scope;
  const std::unique_ptr<stats::Scope> http2_scope;
  const std::unique_ptr<hbone::Http2Stats> http2_stats;
  Counter& tunnels_total;
  Counter& requests_refused;
  Counter& no_listener;
  Counter& protocol_error;
};

// Takes the CONNECT requests of an HTTP/2 connection, and hands each to the internal listener as a
// connection of the same two ends.
class HboneServer final : public Filter, private hbone::Http2Handler {
public:
  static constexpr bool kTerminal = true;

  HboneServer(const Config& config, FilterContext&) : config_(config) {}

  Next onData(Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClose(const CloseReason& reason) override;

private:
  void onRequest(std::unique_ptr<hbone::Http2StreamIo> stream,
                 hbone::Http2Headers headers) override;
  void onSessionEnd(hbone::Http2End end) override;

  void begin();
  void write(Buffer& data) { connection().write(data, false); }
  void leaveWithListener();
  void sayGoodbye() { session_->sayGoodbye(); }

  const Config& config_;
  std::unique_ptr<hbone::Http2Session> session_; // Null before the first bytes.
  std::unique_ptr<event::Timer> goodbye_timer_;  // Null until it is time to go.
};

Next HboneServer::onData(Buffer& data, bool end) {
  if (session_ == nullptr) {
    begin();
  }
  session_->take(data);
  if (end) { // An HTTP/2 connection has no halves, but the peer may listen yet.
    session_->sayGoodbyeAtOnce();
    connection().close(CloseReason::of(CloseCode::kPeerClosed), CloseMode::kNow);
  }
  return Next::kContinue;
}

void HboneServer::begin() {
  hbone::Http2Handler& handler = *this;
  session_ = std::make_unique<hbone::Http2Session>(hbone::Http2Role::kServer, config_.http2,
                                                   connection().transport(), *config_.http2_stats,
                                                   handler);
  if (connection().writesAreSeen()) {
    session_->writeThrough(base::Delegate<void(Buffer&)>::to<&HboneServer::write>(this));
  }
}

void HboneServer::onWriteBlocked(bool blocked) {
  if (session_ != nullptr) {
    session_->onSinkBlocked(blocked);
  }
}

void HboneServer::onRequest(std::unique_ptr<hbone::Http2StreamIo> stream,
                            hbone::Http2Headers headers) {
  leaveWithListener();
  const std::string* const authority = headers.find(":authority");
  if (authority != nullptr && mesh::isMalformedAuthority(*authority)) {
    config_.requests_refused.add();
    LOG_CONNECTION(debug, filter, connection().id(), "a request with a malformed :authority");
    stream->resetAs(kProtocolError);
    stream->close(/*reset=*/true);
    return;
  }
  const std::string* const method = headers.find(":method");
  if (method == nullptr || *method != "CONNECT") {
    config_.requests_refused.add();
    LOG_CONNECTION(debug, filter, connection().id(), "a request that is no CONNECT");
    stream->respondAndEnd(kBadRequest, {}, {});
    return;
  }
  const ConnectionInfo& info = connection().info();
  auto request = std::make_unique<net::RequestInfo>();
  request->protocol = "HTTP/2";
  request->headers = std::move(headers.fields);
  request->headers.shrink_to_fit();
  request->answer = std::make_shared<net::ConnectAnswer>();
  request->answer->refusal = kUnavailable;
  auto passed = std::make_shared<net::Passed>();
  if (info.filter_state != nullptr) {
    passed->filter_state = info.filter_state->shared();
  }
  net::InternalAcceptor::Arrival arrival;
  arrival.io = std::make_unique<hbone::ConnectIo>(std::move(stream), request->answer);
  arrival.local = info.local;
  arrival.remote = info.remote;
  arrival.passed = std::move(passed);
  arrival.request = std::move(request);
  config_.tunnels_total.add();
  if (!net::arriveAt(connection().loop(), config_.listener, std::move(arrival))) {
    config_.no_listener.add();
    LOG_CONNECTION(debug, filter, connection().id(), "no internal listener '%s'", config_.listener);
  }
}

// A listener that goes wants its clients to go elsewhere, as soon as they say something.
void HboneServer::leaveWithListener() {
  if (goodbye_timer_ == nullptr && connection().info().drains(connection().loop())) {
    session_->announceGoodbye();
    goodbye_timer_ = std::make_unique<event::Timer>(
        connection().loop(), event::Timer::Callback::to<&HboneServer::sayGoodbye>(this));
    goodbye_timer_->arm(kGoodbyeTime);
  }
}

void HboneServer::onSessionEnd(hbone::Http2End end) {
  if (end == hbone::Http2End::kGone) {
    return;
  }
  if (end == hbone::Http2End::kProtocol || end == hbone::Http2End::kFlood) {
    config_.protocol_error.add();
  }
  connection().close(CloseReason::local("http2_session_ended"), CloseMode::kFlush);
}

void HboneServer::onClose(const CloseReason&) {
  goodbye_timer_.reset();
  if (session_ != nullptr) {
    session_->onSinkClosed();
  }
}

} // namespace

CULVERT_NETWORK_FILTER(hbone_server, Proto, HboneServer, Config::create)

} // namespace culvert
