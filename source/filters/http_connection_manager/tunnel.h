// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "source/base/intrusive_list.h"
#include "source/event/timer_heap.h"
#include "source/filters/http_connection_manager/client.h"
#include "source/filters/http_connection_manager/config.h"
#include "source/net/connection_info.h"
#include "source/upstream/upstream.h"

namespace culvert::http_connection_manager {

class Tunnel;

// Who keeps tunnels.
class TunnelOwner {
public:
  // It is about to be answered with 200.
  virtual void onTunnelAnswer() = 0;
  // It is over and logged. The owner destroys it through Loop::deferDelete.
  virtual void onTunnelEnd(Tunnel& tunnel) = 0;

protected:
  ~TunnelOwner() = default;
};

// One CONNECT request: finds its route, connects to the route's cluster, answers, and then moves
// bytes both ways, with back-pressure, ends and resets. The upstream's end is the end of all, as in
// Envoy; the client may end its own direction before.
// Threads: the worker's. Lifetime: as its owner and the client's connection say.
class Tunnel final : public event::Deferred,
                     public base::ListNode<Tunnel>,
                     private upstream::UpstreamHandler,
                     private upstream::LoadBalancerContext {
public:
  // `record` is the request's own, with the request in it.
  Tunnel(const Config& config, net::ConnectionInfo record, std::unique_ptr<Client> client,
         event::Loop& loop, upstream::ThreadClusters& clusters, TunnelOwner& owner);
  ~Tunnel() override;

  void start();
  // The client's connection is over, for this reason.
  void cut(net::ResponseFlag flag, absl::string_view details);

  // The client's calls.
  void onClientData(net::Buffer& data, bool end);
  void onClientBlocked(bool blocked);
  void onClientClosed(const net::CloseReason& reason);

private:
  enum class State : uint8_t { kConnecting, kOpen, kClosing, kOver };

  // The upstream side's calls.
  void onUpstreamConnected() override;
  void onUpstreamFailed(upstream::ConnectFailure failure) override;
  void onUpstreamData(net::Buffer& data, bool end) override;
  void onUpstreamWriteBlocked(bool blocked) override;
  void onUpstreamClosed(const net::CloseReason& reason) override;

  const net::ConnectionInfo* downstream() const override { return &info_; }

  void route();
  void connect(upstream::ThreadCluster& cluster);
  void fail(upstream::ConnectFailure failure);
  void refuse(uint32_t status, uint32_t flags, std::string details, std::string body = "");
  void accept();
  net::RequestInfo::Fields standardFields() const;
  void countAnswer(uint32_t status);
  void releaseUpstream(net::CloseMode mode);
  void setDetails(std::string details);
  void end();

  base::Duration idleTimeout() const;
  void onIdle();
  void onTimeout();
  void timeOut(uint32_t flag, absl::string_view details);

  const Config& config_;
  Stats& stats_;
  net::ConnectionInfo info_;
  const std::unique_ptr<Client> client_;
  event::Loop& loop_;
  upstream::ThreadClusters& clusters_;
  TunnelOwner& owner_;
  const Route* route_ = nullptr;
  std::unique_ptr<upstream::Upstream> upstream_;
  event::Timer idle_timer_;
  std::unique_ptr<event::Timer> timeout_; // Since the client has ended.
  base::Instant last_activity_;
  State state_ = State::kConnecting;
  bool client_paused_ = false; // Because the upstream takes no more.
  bool answered_ = false;
  bool reset_ = false; // Either end was.
};

} // namespace culvert::http_connection_manager
