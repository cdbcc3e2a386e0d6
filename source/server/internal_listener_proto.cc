// SPDX-License-Identifier: Apache-2.0
#include "source/server/internal_listener_proto.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/config/listener/v3/listener.pb.h"

namespace culvert::server {
namespace {

using envoy::config::listener::v3::Listener;

constexpr absl::string_view kNoSocket = "an internal listener has no socket";

// Reports in Envoy's words, which name the listener.
struct Reporter {
  void error(absl::string_view field, absl::string_view what, absl::string_view sentence) const {
    problems.error(absl::StrCat(path, ".", field), what,
                   absl::StrCat("error adding listener ", sentence));
  }

  const absl::string_view path;
  config::Problems& problems;
};

void checkAddresses(const Listener& proto, const Reporter& reporter) {
  const std::string sentence =
      absl::StrCat("'", proto.name(),
                   "': address should not be used when an internal listener config is provided");
  if (proto.has_address()) {
    reporter.error("address", "an internal listener is found by its name", sentence);
  }
  if (!proto.additional_addresses().empty()) {
    reporter.error("additional_addresses", "an internal listener has one name", sentence);
  }
}

void checkSocket(const Listener& proto, const Reporter& reporter) {
  for (const auto& [field, set] :
       {std::pair("connection_balance_config.exact_balance",
                  proto.connection_balance_config().has_exact_balance()),
        std::pair("enable_reuse_port", proto.has_enable_reuse_port()),
        std::pair("freebind", proto.freebind().value()),
        std::pair("tcp_backlog_size", proto.has_tcp_backlog_size()),
        std::pair("tcp_fast_open_queue_length", proto.has_tcp_fast_open_queue_length()),
        std::pair("transparent", proto.transparent().value())}) {
    if (set) {
      reporter.error(
          field, kNoSocket,
          absl::StrCat("named '", proto.name(), "': has unsupported tcp listener feature"));
    }
  }
  if (!proto.socket_options().empty()) {
    reporter.error("socket_options", kNoSocket,
                   absl::StrCat("named '", proto.name(), "': does not support socket option"));
  }
}

} // namespace

void readInternalListener(const Listener& proto, absl::string_view path, size_t buffer_bytes,
                          config::Problems& problems, ListenerConfig& config) {
  const Reporter reporter{path, problems};
  if (buffer_bytes == 0) {
    reporter.error("internal_listener",
                   "bootstrap_extensions must name envoy.bootstrap.internal_listener",
                   absl::StrCat("named '", proto.name(),
                                "': InternalListener bootstrap extension is mandatory"));
  }
  checkAddresses(proto, reporter);
  checkSocket(proto, reporter);
  config.addresses = {net::Address::internal(config.name, "")};
  config.bind_to_port = false;
  config.internal_buffer_bytes = buffer_bytes;
}

} // namespace culvert::server
