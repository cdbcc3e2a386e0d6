// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/proxy_header_transport.h"

#include <utility>

#include "source/upstream/upstream.h"

namespace culvert::upstream {
namespace {

using net::ProxyHeader;

class ProxyHeaderTransport final : public TransportSocketFactory {
public:
  explicit ProxyHeaderTransport(ProxyHeaderTransportConfig config)
      : config_(std::move(config)),
        tlvs_exceed_(config_.scope->counter("upstream.proxyprotocol.v2_tlvs_exceed_max_length")),
        tx_bytes_(config_.scope->counter("upstream_cx_tx_bytes_total")) {}

  absl::StatusOr<std::unique_ptr<net::Io>>
  connect(event::Loop& loop, const net::HostDescription& host, const net::ConnectOptions& options,
          const LoadBalancerContext& context) const override {
    net::ConnectOptions with = options;
    with.preamble = headerFor(context.downstream());
    auto io = config_.transport->connect(loop, host, with, context);
    if (io.ok()) {
      tx_bytes_.add(with.preamble.size());
    }
    return io;
  }
  bool secure() const override { return config_.transport->secure(); }
  std::string sharingKey(const LoadBalancerContext& context) const override {
    return headerFor(context.downstream());
  }

private:
  // What a PROXY header in front of the client's bytes said goes before what its socket says.
  std::string headerFor(const net::ConnectionInfo* downstream) const {
    if (downstream == nullptr) {
      return net::encodeProxyHeader(config_.version, {}, {}, {});
    }
    const ProxyHeader* const read =
        downstream->filter_state == nullptr
            ? nullptr
            : downstream->filter_state->find<ProxyHeader>(ProxyHeader::kKey);
    return read == nullptr ? net::encodeProxyHeader(config_.version, downstream->remote,
                                                    downstream->local, tlvsFor({}))
                           : net::encodeProxyHeader(config_.version, read->source,
                                                    read->destination, tlvsFor(read->tlvs));
  }

  // A type that is added here is not passed on, too. What does not fit is left out.
  std::vector<ProxyHeader::Tlv> tlvsFor(const std::vector<ProxyHeader::Tlv>& read) const {
    std::vector<ProxyHeader::Tlv> tlvs;
    size_t bytes = 0;
    const auto add = [&](const ProxyHeader::Tlv& tlv) {
      if (bytes + net::tlvBytes(tlv) > net::kTlvBytesMax) {
        tlvs_exceed_.add();
        return;
      }
      bytes += net::tlvBytes(tlv);
      tlvs.push_back(tlv);
    };
    std::bitset<256> passed = config_.passed;
    for (const ProxyHeader::Tlv& tlv : config_.added) {
      passed.reset(tlv.type);
      add(tlv);
    }
    for (const ProxyHeader::Tlv& tlv : read) {
      if (passed[tlv.type]) {
        add(tlv);
      }
    }
    return tlvs;
  }

  const ProxyHeaderTransportConfig config_;
  stats::Counter& tlvs_exceed_;
  stats::Counter& tx_bytes_;
};

} // namespace

std::shared_ptr<TransportSocketFactory>
makeProxyHeaderTransport(ProxyHeaderTransportConfig config) {
  return std::make_shared<ProxyHeaderTransport>(std::move(config));
}

} // namespace culvert::upstream
