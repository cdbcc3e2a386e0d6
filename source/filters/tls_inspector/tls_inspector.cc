// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "source/filter_api/listener_filter.h"
#include "source/filters/tls_inspector/client_hello.h"
#include "source/stats/store.h"

namespace culvert {
namespace tls_inspector {
namespace {

using Proto = envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;

constexpr absl::string_view kMetadata = "envoy.filters.listener.tls_inspector";
constexpr uint32_t kHelloBytesMax = 16384;
constexpr size_t kRecordHeaderBytes = 5;

// The statistics tls_inspector.* (envoy-compat D); all inspectors share them.
struct Stats {
  explicit Stats(stats::Scope& scope)
      : alpn_found(scope.counter("alpn_found")), alpn_not_found(scope.counter("alpn_not_found")),
        client_hello_too_large(scope.counter("client_hello_too_large")),
        sni_found(scope.counter("sni_found")), sni_not_found(scope.counter("sni_not_found")),
        tls_found(scope.counter("tls_found")), tls_not_found(scope.counter("tls_not_found")),
        bytes_processed(scope.histogram("bytes_processed", stats::Unit::kBytes)) {}

  stats::Counter& alpn_found;
  stats::Counter& alpn_not_found;
  stats::Counter& client_hello_too_large;
  stats::Counter& sni_found;
  stats::Counter& sni_not_found;
  stats::Counter& tls_found;
  stats::Counter& tls_not_found;
  stats::Histogram& bytes_processed;
};

struct Config {
  std::unique_ptr<stats::Scope> scope;
  std::unique_ptr<Stats> stats;
  uint32_t first_look_bytes = kHelloBytesMax;
  uint32_t hello_bytes_max = kHelloBytesMax;
  bool close_what_is_no_hello = false;
};

// Looks at a TLS client's first message, without taking it: what host it wants and which protocols
// it speaks, for the choice of the filter chain.
class TlsInspector final : public ListenerFilter {
public:
  static constexpr const char* kNames[] = {"envoy.filters.listener.tls_inspector",
                                           "envoy.listener.tls_inspector"};

  explicit TlsInspector(const Config& config)
      : config_(config), stats_(*config.stats),
        look_bytes_(std::min(config.first_look_bytes, config.hello_bytes_max)) {}

  Verdict onAccept() override { return Verdict::kWait; }
  Verdict onData(absl::string_view bytes) override;
  size_t maxBytes() const override { return look_bytes_; }

private:
  Verdict onHello(const ParsedHello& hello);
  Verdict onNoHello(const ParsedHello& parsed);
  Verdict onTooLarge(size_t bytes);
  void leaveReason(const char* reason);

  const Config& config_;
  Stats& stats_;
  size_t look_bytes_;
  size_t needed_bytes_ = kRecordHeaderBytes; // With less nothing is decided, as by Envoy.
};

Verdict TlsInspector::onData(absl::string_view bytes) {
  if (bytes.size() >= needed_bytes_) {
    const ParsedHello parsed = parseClientHello(bytes);
    if (parsed.kind == ParsedHello::Kind::kHello) {
      return onHello(parsed);
    }
    if (parsed.kind == ParsedHello::Kind::kNoHello) {
      return onNoHello(parsed);
    }
    if (parsed.bytes > config_.hello_bytes_max) {
      return onTooLarge(bytes.size());
    }
    needed_bytes_ = parsed.bytes;
  }
  if (bytes.size() >= look_bytes_) {
    look_bytes_ =
        std::min<size_t>(std::max(look_bytes_ * 2, needed_bytes_), config_.hello_bytes_max);
  }
  return Verdict::kWait;
}

Verdict TlsInspector::onHello(const ParsedHello& hello) {
  stats_.bytes_processed.record(hello.bytes);
  stats_.tls_found.add();
  (hello.server_name.empty() ? stats_.sni_not_found : stats_.sni_found).add();
  (hello.application_protocols.empty() ? stats_.alpn_not_found : stats_.alpn_found).add();
  connection().info().requested_server_name = absl::AsciiStrToLower(hello.server_name);
  connection().detected() = {"tls", hello.application_protocols};
  return Verdict::kContinue;
}

Verdict TlsInspector::onNoHello(const ParsedHello& parsed) {
  stats_.bytes_processed.record(parsed.bytes);
  stats_.tls_not_found.add();
  connection().info().transport_failure_reason =
      absl::StrCat("TLS_error|error:", parsed.why.number,
                   ":SSL routines:OPENSSL_internal:", parsed.why.words, ":TLS_error_end");
  leaveReason("ClientHelloNotDetected");
  return config_.close_what_is_no_hello ? Verdict::kClose : Verdict::kContinue;
}

Verdict TlsInspector::onTooLarge(size_t bytes) {
  stats_.bytes_processed.record(bytes);
  stats_.client_hello_too_large.add();
  leaveReason("ClientHelloTooLarge");
  return Verdict::kClose;
}

void TlsInspector::leaveReason(const char* reason) {
  connection().info().mutableDynamicMetadata().set(kMetadata,
                                                   {{"failure_reason", {std::string(reason)}}});
}

absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto, FactoryContext& context) {
  auto config = std::make_shared<Config>();
  config->scope = context.scope.scope("tls_inspector");
  config->stats = std::make_unique<Stats>(*config->scope);
  if (proto.has_initial_read_buffer_size()) {
    config->first_look_bytes = proto.initial_read_buffer_size().value();
  }
  if (proto.has_max_client_hello_size()) {
    config->hello_bytes_max = proto.max_client_hello_size().value();
  }
  config->close_what_is_no_hello = proto.close_connection_on_client_hello_parsing_errors();
  return config;
}

} // namespace
} // namespace tls_inspector

CULVERT_LISTENER_FILTER(tls_inspector, tls_inspector::Proto, tls_inspector::TlsInspector,
                        tls_inspector::create)

} // namespace culvert
