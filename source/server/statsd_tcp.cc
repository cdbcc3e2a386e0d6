// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <variant>

#include "source/base/log.h"
#include "source/net/buffer.h"
#include "source/net/connection.h"
#include "source/server/stats_sink.h"

namespace culvert::server {
namespace {

// What waits for a receiver that does not read; beyond it the connection is given up.
constexpr size_t kUnsentBytesMax = 16 * 1024 * 1024;

class TcpStatsd final : public StatsdTransport, private upstream::UpstreamHandler {
public:
  TcpStatsd(event::Loop& main, upstream::ThreadClusters& clusters, std::string cluster)
      : main_(main), clusters_(clusters), cluster_(std::move(cluster)) {}

  void line(absl::string_view line) override {
    pending_.append(line);
    pending_.append("\n");
  }

  void finish() override {
    if (upstream_ == nullptr) {
      connect();
    }
    if (connected_) {
      upstream_->connection().write(pending_, false);
    }
    const size_t unsent = connected_ ? upstream_->connection().unsentBytes() : pending_.size();
    if (upstream_ == nullptr || unsent > kUnsentBytesMax) {
      drop();
    }
  }

private:
  void connect() {
    upstream::ThreadCluster* const cluster = clusters_.find(cluster_);
    if (cluster == nullptr) {
      return;
    }
    auto attempt = cluster->connect(*this, context_);
    if (auto* const made = std::get_if<std::unique_ptr<upstream::Upstream>>(&attempt)) {
      upstream_ = std::move(*made);
    }
  }

  // Its counts are lost; the next flush begins with a new connection.
  void drop() {
    pending_.clear();
    connected_ = false;
    if (upstream_ != nullptr) {
      main_.deferDelete(std::move(upstream_));
    }
  }

  void onUpstreamConnected() override {
    connected_ = true;
    upstream_->connection().resumeReading(); // So that its end is seen.
    upstream_->connection().write(pending_, false);
  }
  void onUpstreamFailed(upstream::ConnectFailure) override { drop(); }
  void onUpstreamData(net::Buffer& data, bool end) override {
    data.clear(); // A receiver has nothing to say.
    if (end) {
      drop();
    }
  }
  void onUpstreamWriteBlocked(bool) override {}
  void onUpstreamClosed(const net::CloseReason&) override { drop(); }

  event::Loop& main_;
  upstream::ThreadClusters& clusters_;
  const std::string cluster_;
  const upstream::LoadBalancerContext context_;
  net::Buffer pending_;
  std::unique_ptr<upstream::Upstream> upstream_;
  bool connected_ = false;
};

} // namespace

std::unique_ptr<StatsdTransport> tcpStatsd(event::Loop& main, upstream::ThreadClusters& clusters,
                                           std::string cluster) {
  return std::make_unique<TcpStatsd>(main, clusters, std::move(cluster));
}

} // namespace culvert::server
