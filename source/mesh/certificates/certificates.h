// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "source/base/mutex.h"
#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/mesh/certificates/certificate_source.h"
#include "source/stats/store.h"
#include "source/tls/contexts.h"
#include "source/tls/revocations.h"

namespace culvert::mesh {

// The TLS of a mesh: what both ends of a tunnel insist on.
struct TlsRules {
  bool allow_tls12 = false;
  bool post_quantum_only = false;                // Keys are agreed on by X25519MLKEM768 only.
  std::shared_ptr<tls::Revocations> revocations; // Null: nobody is.
};

// The certificates of the identities that this process acts as. Each is asked for when it is first
// needed, and again when half of its time is over; when that fails the old one stays in use as long
// as it is valid, and the source is asked again after 1 s, then after ever longer pauses up to
// 150 s. Connections keep what they were made with.
//
// A server wants a client with a certificate of its own trust domain; a client says per connection
// whom it wants. Both speak TLS 1.3 and "h2".
//
// Threads: main; find() any. Lifetime: outlives what it found.
class Certificates {
public:
  // Threads: any. Lifetime: shared.
  struct Secured {
    std::shared_ptr<const tls::ContextSlot> server;
    std::shared_ptr<const tls::ContextSlot> client;
  };

  Certificates(tls::Contexts& contexts, std::unique_ptr<CertificateSource> source,
               const TlsRules& rules, stats::Scope& scope);
  ~Certificates();

  // Has a certificate of `identity` from now on, as soon as the source gives one.
  void keep(const std::string& identity);

  // Null: there is none (yet); then main is told to keep one.
  std::shared_ptr<const Secured> find(const std::string& identity);
  // What the source said last of an identity that has no certificate; empty: nothing, or it has.
  std::string failure(const std::string& identity) const;

  // Null: nobody is revoked. Any thread.
  tls::Revocations* revocations() const { return rules_.revocations.get(); }

private:
  struct Entry;
  struct Handle {
    Certificates* certificates;
  };

  void request(Entry& entry);
  void take(Entry& entry, const absl::StatusOr<IssuedCertificate>& answer);
  absl::Status install(Entry& entry);
  absl::StatusOr<std::shared_ptr<const Secured>> makeIdentity(Entry& entry);
  base::Duration refreshDelay(const IssuedCertificate& issued) const;
  base::Duration retryDelay(Entry& entry);

  event::Loop& main_;
  tls::Contexts& contexts_;
  const std::unique_ptr<CertificateSource> source_;
  const TlsRules rules_;
  const std::unique_ptr<stats::Scope> server_scope_;
  const std::unique_ptr<stats::Scope> client_scope_;
  const std::shared_ptr<tls::Stats> server_stats_;
  const std::shared_ptr<tls::Stats> client_stats_;
  base::Random random_;
  const std::shared_ptr<Handle>
      handle_; // Through which workers' words, and the source's, find this.
  std::map<std::string, std::unique_ptr<Entry>> entries_;

  mutable base::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<const Secured>>
      found_ CULVERT_GUARDED_BY(mutex_);
};

} // namespace culvert::mesh
