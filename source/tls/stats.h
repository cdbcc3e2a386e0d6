// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "source/event/loop.h"
#include "source/stats/store.h"

namespace culvert::tls {

// The statistics `<listener or cluster>.ssl.*` (envoy-compat D.1).
// Threads: made on main; workers count. Lifetime: shared by the contexts that were configured one
// after the other; whoever lets go last, it is destroyed on main.
class Stats : public std::enable_shared_from_this<Stats> {
public:
  // `scope` is the listener's or cluster's; `side` "server" or "client".
  static std::shared_ptr<Stats> create(event::Loop& main, stats::Scope& scope,
                                       absl::string_view side);

  // ssl.versions.TLSv1.3, ssl.ciphers.*, ssl.curves.*, ssl.sigalgs.*: they appear when they first
  // happen. Names that the library has no business to say are not counted.
  void countNamed(absl::string_view kind, absl::string_view name);

  // Threads: main.
  void setExpiration(const std::string& certificate, int64_t unix_seconds);

private:
  Stats(event::Loop& main, std::unique_ptr<stats::Scope> scope, absl::string_view side);

  // A counter that is made, on main, once it is needed.
  struct Named {
    std::string name;
    std::atomic<stats::Counter*> counter{nullptr};
    std::atomic<uint64_t> early{0}; // Counted while there was no counter.
    std::atomic<bool> asked{false};
  };
  void addNamed(absl::string_view kind, absl::Span<const absl::string_view> names);
  void make(Named& named);

  event::Loop& main_;
  const std::unique_ptr<stats::Scope> scope_;
  absl::flat_hash_map<std::string, std::unique_ptr<Named>> named_;

public:
  stats::Counter& handshake;
  stats::Counter& connection_error;
  stats::Counter& session_reused;
  stats::Counter& no_certificate;
  stats::Counter& fail_verify_no_cert;
  stats::Counter& fail_verify_error;
  stats::Counter& fail_verify_san;
  stats::Counter& fail_verify_cert_hash;
  stats::Counter& ocsp_staple_failed;
  stats::Counter& ocsp_staple_omitted;
  stats::Counter& ocsp_staple_responses;
  stats::Counter& ocsp_staple_requests;
  stats::Counter& ssl_context_update_by_sds;
  stats::Counter& upstream_context_secrets_not_ready;
  stats::Counter& downstream_context_secrets_not_ready;
};

} // namespace culvert::tls
