// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/mutex.h"
#include "source/event/loop.h"
#include "source/net/io.h"
#include "source/net/tls_info.h"
#include "source/tls/config.h"
#include "source/tls/stats.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace culvert::tls {

class Revocations;

namespace internal {
class Verifier;
struct Credential;
} // namespace internal

// Names of a peer of which any will do. None at all: nobody will.
using WantedUris = std::shared_ptr<const std::vector<std::string>>;

// What the TLS connections of one listener's chain, or of one cluster, have in common:
// certificates, rules, sessions that can be resumed. New files make a new one; connections keep
// theirs. Threads: made on main, used by all workers at once. Lifetime: shared by its connections.
class Context : public std::enable_shared_from_this<Context> {
public:
  // Errors: begin with the path of the field that is wrong, and end in Envoy's sentence.
  static absl::StatusOr<std::shared_ptr<const Context>> createServer(const ContextConfig& config,
                                                                     const ServerConfig& server,
                                                                     std::shared_ptr<Stats> stats);
  static absl::StatusOr<std::shared_ptr<const Context>> createClient(const ContextConfig& config,
                                                                     const ClientConfig& client,
                                                                     std::shared_ptr<Stats> stats);
  ~Context();
  Context(const Context&) = delete;

  // TLS over `transport`, which is open, as the server.
  std::unique_ptr<net::Io> accept(event::Loop& loop, std::unique_ptr<net::Io> transport) const;
  // As the client, over `transport`, which may still have to connect. The server's certificate must
  // have one of `wanted` as a URI; null: only the rules of the configuration count.
  std::unique_ptr<net::Io> connect(event::Loop& loop, std::unique_ptr<net::Io> transport,
                                   const std::string& server_name, WantedUris wanted = {}) const;

  // For admin: what it shows to peers, and whom it trusts. Beside each where it was read from.
  struct Listed {
    std::string path;
    net::CertificateFacts facts;
  };
  const std::vector<Listed>& certificates() const { return certificates_; }
  const std::vector<Listed>& authorities() const { return authorities_; }

  // Of its connections.
  bool verifiesPeers() const;
  Revocations* revocations() const; // Null: it heeds none.
  void countHandshake(ssl_st* ssl) const;
  void countFailure(bool verification, bool no_certificate) const;

private:
  friend struct Callbacks;
  struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
  };

  explicit Context(std::shared_ptr<Stats> stats);
  absl::Status load(const ContextConfig& config, bool server);
  absl::Status loadCertificates(const ContextConfig& config, bool server);
  void list(const ContextConfig& config);
  absl::Status openKeyLog(const std::string& path);
  void setUpServer(const ServerConfig& server);
  void setUpClient(const ClientConfig& client);
  void offerSession(ssl_st* ssl, const std::string& server_name) const;
  void keepSession(ssl_st* ssl, ssl_session_st* session) const;

  const std::shared_ptr<Stats> stats_;
  std::unique_ptr<ssl_ctx_st, FreeContext> context_;
  std::unique_ptr<const internal::Verifier> verifier_;
  std::vector<internal::Credential> credentials_;
  std::string alpn_; // As the extension has them.
  std::vector<Listed> certificates_;
  std::vector<Listed> authorities_;
  int key_log_fd_ = -1;
  bool require_protocol_ = false;
  size_t sessions_max_ = 0;
  mutable base::Mutex sessions_mutex_;
  struct KeptSession {
    std::string server_name; // That was asked for.
    ssl_session_st* session;
  };
  mutable std::deque<KeptSession> sessions_ CULVERT_GUARDED_BY(sessions_mutex_);
};

} // namespace culvert::tls
