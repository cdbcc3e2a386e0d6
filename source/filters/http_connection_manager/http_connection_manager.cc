// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filters/http_connection_manager/config.h"
#include "source/filters/http_connection_manager/http1_client.h"
#include "source/filters/http_connection_manager/http1_request.h"
#include "source/filters/http_connection_manager/stream_client.h"
#include "source/filters/http_connection_manager/tunnel.h"
#include "source/net/tls_info.h"

namespace culvert {
namespace http_connection_manager {
namespace {

// What every HTTP/2 client begins with (RFC 9113, section 3.4), as far as it tells it from HTTP/1.
constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n";

// What is known of the connection, for the record of a request of it.
net::ConnectionInfo recordOf(const ConnectionInfo& connection, event::Loop& loop) {
  net::ConnectionInfo info;
  info.id = connection.id;
  info.remote = connection.remote;
  info.local = connection.local;
  info.direct_remote = connection.direct_remote;
  info.direct_local = connection.direct_local;
  info.start = loop.now();
  info.start_wall = loop.clock().wallNow();
  info.local_restored = connection.local_restored;
  info.listener = connection.listener;
  info.filter_chain = connection.filter_chain;
  info.requested_server_name = connection.requested_server_name;
  info.tls = connection.tls;
  if (connection.filter_state != nullptr) {
    info.filter_state = std::make_unique<net::FilterState>(*connection.filter_state);
  }
  if (connection.dynamic_metadata != nullptr) {
    info.dynamic_metadata = std::make_unique<net::Metadata>(*connection.dynamic_metadata);
  }
  info.request = std::make_unique<net::RequestInfo>();
  return info;
}

// Takes CONNECT requests of a connection, HTTP/2 or HTTP/1, and makes a tunnel of each.
class HttpConnectionManager final : public Filter,
                                    private hbone::Http2Handler,
                                    private TunnelOwner {
public:
  static constexpr bool kTerminal = true;
  static constexpr const char* kNames[] = {"envoy.filters.network.http_connection_manager",
                                           "envoy.http_connection_manager"};

  HttpConnectionManager(const Config& config, FilterContext& context)
      : config_(config), stats_(config.stats()), clusters_(context.clusters()) {}

  Next onOpen() override;
  Next onData(Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClose(const CloseReason& reason) override;

private:
  // hbone::Http2Handler
  void onRequest(std::unique_ptr<hbone::Http2StreamIo> stream,
                 hbone::Http2Headers headers) override;
  void onSessionEnd(hbone::Http2End end) override;

  void onTunnelAnswer() override;
  void onTunnelEnd(Tunnel& tunnel) override;

  bool chooseCodec(absl::string_view begin);
  void beginHttp2();
  void takeHttp1(Buffer& data, bool end);
  void rejectHttp1(Http1Request::State state);
  void beginTunnel(std::unique_ptr<Client> client, absl::string_view protocol,
                   net::RequestInfo::Fields headers);
  void write(Buffer& data) { connection().write(data, false); }
  void armIdle();
  void beginGoodbye();
  void onTimer();
  void countBytes();
  void countGone(const CloseReason& reason);

  const Config& config_;
  Stats& stats_;
  upstream::ThreadClusters* const clusters_;
  std::unique_ptr<hbone::Http2Session> session_;
  base::IntrusiveList<Tunnel> tunnels_;
  std::unique_ptr<event::Timer> timer_; // Without tunnels, or while it says goodbye.
  Http1Client* http1_ = nullptr;        // Of the one tunnel that is the connection.
  Codec codec_ = Codec::kAuto;          // kAuto: not known yet.
  uint64_t counted_received_bytes_ = 0;
  uint64_t counted_sent_bytes_ = 0;
  size_t tunnel_count_ = 0;
  bool opened_ = false;
  bool saying_goodbye_ = false;
};

Next HttpConnectionManager::onOpen() {
  opened_ = true;
  stats_.downstream_cx_total.add();
  stats_.downstream_cx_active.add();
  if (connection().info().tls != nullptr) {
    stats_.downstream_cx_ssl_total.add();
    stats_.downstream_cx_ssl_active.add();
  }
  timer_ = std::make_unique<event::Timer>(
      connection().loop(), event::Timer::Callback::to<&HttpConnectionManager::onTimer>(this));
  armIdle();
  return Next::kContinue;
}

void HttpConnectionManager::armIdle() {
  if (timer_ != nullptr && !saying_goodbye_ && config_.idle_timeout > base::Duration::zero()) {
    timer_->arm(config_.idle_timeout);
  }
}

Next HttpConnectionManager::onData(Buffer& data, bool end) {
  countBytes();
  if (codec_ == Codec::kAuto && !chooseCodec(data.peek(kPreface.size()))) {
    if (end) {
      connection().close(CloseReason::of(CloseCode::kPeerClosed), CloseMode::kNow);
    }
    return end ? Next::kContinue : Next::kStop; // It comes again with the next bytes.
  }
  if (codec_ == Codec::kHttp1) {
    takeHttp1(data, end);
    return data.empty() ? Next::kContinue : Next::kStop;
  }
  session_->take(data);
  if (end) { // An HTTP/2 connection has no halves.
    connection().close(CloseReason::of(CloseCode::kPeerClosed), CloseMode::kNow);
  }
  return Next::kContinue;
}

// False: not enough has come to tell.
bool HttpConnectionManager::chooseCodec(absl::string_view begin) {
  const net::TlsInfo* const tls = connection().info().tls;
  const bool agreed = tls != nullptr && tls->facts().protocol == "h2";
  if (config_.codec == Codec::kHttp2 || (config_.codec == Codec::kAuto && agreed)) {
    beginHttp2();
    return true;
  }
  if (config_.codec == Codec::kHttp1 || begin != kPreface.substr(0, begin.size())) {
    codec_ = Codec::kHttp1;
    stats_.downstream_cx_http1_total.add();
    stats_.downstream_cx_http1_active.add();
    return true;
  }
  if (begin.size() < kPreface.size()) {
    return false;
  }
  beginHttp2();
  return true;
}

void HttpConnectionManager::beginHttp2() {
  codec_ = Codec::kHttp2;
  stats_.downstream_cx_http2_total.add();
  stats_.downstream_cx_http2_active.add();
  hbone::Http2Handler& handler = *this;
  session_ = std::make_unique<hbone::Http2Session>(hbone::Http2Role::kServer, config_.http2,
                                                   connection().transport(), config_.http2Stats(),
                                                   handler);
  if (connection().writesAreSeen()) {
    session_->writeThrough(base::Delegate<void(Buffer&)>::to<&HttpConnectionManager::write>(this));
  }
}

void HttpConnectionManager::onWriteBlocked(bool blocked) {
  if (session_ != nullptr) {
    session_->onSinkBlocked(blocked);
  } else if (http1_ != nullptr && tunnels_.front() != nullptr) {
    tunnels_.front()->onClientBlocked(blocked);
  }
}

void HttpConnectionManager::onRequest(std::unique_ptr<hbone::Http2StreamIo> stream,
                                      hbone::Http2Headers headers) {
  stats_.downstream_rq_http2_total.add();
  auto client =
      std::make_unique<StreamClient>(connection().loop(), std::move(stream), connection().id());
  beginTunnel(std::move(client), "HTTP/2", std::move(headers.fields));
}

void HttpConnectionManager::beginTunnel(std::unique_ptr<Client> client, absl::string_view protocol,
                                        net::RequestInfo::Fields headers) {
  net::ConnectionInfo record = recordOf(connection().info(), connection().loop());
  record.request->protocol = protocol;
  record.request->headers = std::move(headers);
  auto* const tunnel = new Tunnel(config_, std::move(record), std::move(client),
                                  connection().loop(), *clusters_, *this);
  tunnels_.pushBack(*tunnel);
  tunnel_count_++;
  if (!saying_goodbye_) {
    timer_->disarm();
  }
  tunnel->start(); // It may be over now.
}

void HttpConnectionManager::onTunnelEnd(Tunnel& tunnel) {
  tunnel.unlink();
  connection().loop().deferDelete(std::unique_ptr<Tunnel>(&tunnel));
  http1_ = nullptr;
  if (--tunnel_count_ == 0) {
    armIdle();
  }
}

// A listener that goes wants its clients to go elsewhere, as soon as they say something.
void HttpConnectionManager::onTunnelAnswer() {
  if (session_ != nullptr && !saying_goodbye_ && connection().info().drains(connection().loop())) {
    stats_.downstream_cx_drain_close.add();
    beginGoodbye();
  }
}

// First the client is told to open no more streams, and then, when it has had time to hear it, that
// the connection ends with the last of them.
void HttpConnectionManager::beginGoodbye() {
  saying_goodbye_ = true;
  session_->announceGoodbye();
  timer_->arm(config_.drain_timeout);
}

void HttpConnectionManager::onTimer() {
  if (saying_goodbye_) {
    session_->sayGoodbye();
    return;
  }
  stats_.downstream_cx_idle_timeout.add();
  if (session_ != nullptr) {
    beginGoodbye();
  } else {
    connection().close(CloseReason::of(CloseCode::kIdleTimeout), CloseMode::kFlush);
  }
}

void HttpConnectionManager::onSessionEnd(hbone::Http2End end) {
  if (end == hbone::Http2End::kGone) {
    return;
  }
  const bool faulty = end == hbone::Http2End::kProtocol || end == hbone::Http2End::kFlood;
  stats_.downstream_cx_protocol_error.add(end == hbone::Http2End::kProtocol ? 1 : 0);
  while (Tunnel* tunnel = tunnels_.front()) {
    tunnel->cut(faulty ? net::kDownstreamProtocolError : net::kDownstreamConnectionTermination,
                faulty ? "codec_error" : "downstream_local_disconnect");
  }
  connection().close(CloseReason::local("http2_session_ended"), CloseMode::kFlush);
}

void HttpConnectionManager::takeHttp1(Buffer& data, bool end) {
  if (http1_ != nullptr) {
    http1_->onData(data, end);
    return;
  }
  Http1Request request =
      parseHttp1(data.toString(), config_.http2.header_bytes_max, config_.http2.header_count_max);
  if (request.state == Http1Request::State::kMore) {
    if (end) {
      data.clear();
      connection().close(CloseReason::of(CloseCode::kPeerClosed), CloseMode::kNow);
    }
    return;
  }
  data.drain(request.bytes);
  if (request.state != Http1Request::State::kComplete) {
    data.clear();
    rejectHttp1(request.state);
    return;
  }
  auto client = std::make_unique<Http1Client>(connection());
  http1_ = client.get();
  client->keepEarly(data, end);
  connection().pauseReading();
  stats_.downstream_rq_http1_total.add();
  beginTunnel(std::move(client), request.protocol, std::move(request.fields));
}

void HttpConnectionManager::rejectHttp1(Http1Request::State state) {
  stats_.downstream_cx_protocol_error.add();
  const bool large = state == Http1Request::State::kTooLarge;
  const std::string body = large ? "" : "Bad Request";
  connection().write(Http1Client::responseOf(large ? 431 : 400,
                                             {{"content-length", std::to_string(body.size())},
                                              {"content-type", "text/plain"},
                                              {"connection", "close"}},
                                             body));
  connection().close(CloseReason::local("http1.codec_error"), CloseMode::kFlush);
}

void HttpConnectionManager::onClose(const CloseReason& reason) {
  timer_.reset();
  if (!opened_) {
    return;
  }
  countBytes();
  countGone(reason);
  const bool remote = reason.side == net::Side::kDownstream;
  while (Tunnel* tunnel = tunnels_.front()) {
    tunnel->cut(net::kDownstreamConnectionTermination,
                remote ? "downstream_remote_disconnect" : "downstream_local_disconnect");
  }
  if (session_ != nullptr) {
    session_->onSinkClosed();
  }
}

void HttpConnectionManager::countBytes() {
  const net::Connection& transport = connection().transport();
  stats_.downstream_cx_rx_bytes_total.add(transport.bytesReceived() - counted_received_bytes_);
  stats_.downstream_cx_tx_bytes_total.add(transport.bytesSent() - counted_sent_bytes_);
  counted_received_bytes_ = transport.bytesReceived();
  counted_sent_bytes_ = transport.bytesSent();
}

void HttpConnectionManager::countGone(const CloseReason& reason) {
  const bool remote = reason.side == net::Side::kDownstream;
  const bool busy = tunnel_count_ > 0;
  stats_.downstream_cx_destroy.add();
  (remote ? stats_.downstream_cx_destroy_remote : stats_.downstream_cx_destroy_local).add();
  if (busy) {
    stats_.downstream_cx_destroy_active_rq.add();
    (remote ? stats_.downstream_cx_destroy_remote_active_rq
            : stats_.downstream_cx_destroy_local_active_rq)
        .add();
  }
  stats_.downstream_cx_active.sub();
  stats_.downstream_cx_http1_active.sub(codec_ == Codec::kHttp1 ? 1 : 0);
  stats_.downstream_cx_http2_active.sub(codec_ == Codec::kHttp2 ? 1 : 0);
  stats_.downstream_cx_ssl_active.sub(connection().info().tls != nullptr ? 1 : 0);
  stats_.downstream_cx_length_ms.record(
      base::toMilliseconds(connection().loop().now() - connection().info().start));
}

} // namespace
} // namespace http_connection_manager

CULVERT_NETWORK_FILTER(
    http_connection_manager,
    envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager,
    http_connection_manager::HttpConnectionManager, http_connection_manager::Config::create)

} // namespace culvert
