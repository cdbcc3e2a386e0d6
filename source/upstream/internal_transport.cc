// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/internal_transport.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/net/internal_listeners.h"
#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

class InternalTransport final : public TransportSocketFactory {
public:
  explicit InternalTransport(InternalTransportConfig config)
      : config_(std::move(config)),
        no_metadata_(config_.scope->counter("internal_upstream.no_metadata")) {}

  absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const LoadBalancerContext& context) const override {
    net::ConnectOptions with = options;
    with.passed = std::make_shared<net::Passed>();
    with.passed->metadata = pickMetadata(host);
    const net::ConnectionInfo* const downstream = context.downstream();
    if (downstream != nullptr && downstream->filter_state != nullptr) {
      with.passed->filter_state = downstream->filter_state->shared();
    }
    return config_.transport->connect(loop, host, with, context);
  }
  bool secure() const override { return config_.transport->secure(); }
  std::string sharingKey(const LoadBalancerContext& context) const override {
    const net::ConnectionInfo* const downstream = context.downstream();
    const bool own = downstream != nullptr && downstream->filter_state != nullptr &&
                     downstream->filter_state->shared() != nullptr;
    std::string key = config_.transport->sharingKey(context);
    return own ? absl::StrCat(key, "|", downstream->id) : key;
  }

private:
  std::unique_ptr<net::Metadata> pickMetadata(const net::HostDescription& host) const {
    std::unique_ptr<net::Metadata> picked;
    for (const InternalTransportConfig::Source& source : config_.metadata) {
      const net::Metadata* const from =
          source.of_host ? host.metadata.get() : config_.cluster_metadata.get();
      const net::Value::Fields* const fields = from == nullptr ? nullptr : from->find(source.name);
      if (fields == nullptr) {
        no_metadata_.add();
        continue;
      }
      if (picked == nullptr) {
        picked = std::make_unique<net::Metadata>();
      }
      picked->set(source.name, *fields);
    }
    return picked;
  }

  const InternalTransportConfig config_;
  stats::Counter& no_metadata_;
};

} // namespace

std::shared_ptr<TransportSocketFactory> makeInternalTransport(InternalTransportConfig config) {
  return std::make_shared<InternalTransport>(std::move(config));
}

} // namespace culvert::upstream
