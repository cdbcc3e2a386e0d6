// SPDX-License-Identifier: Apache-2.0
#include "source/tls/context.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "source/net/socket.h"
#include "source/tls/internal/callbacks.h"
#include "source/tls/internal/certificate.h"
#include "source/tls/internal/failure.h"
#include "source/tls/internal/load.h"
#include "source/tls/internal/session.h"
#include "source/tls/internal/tls_io.h"
#include "source/tls/internal/verifier.h"

namespace culvert::tls {
namespace {

using internal::errorAt;

constexpr uint32_t kSessionSecondsDefault = 7200;

// As Envoy names a certificate that no secret named: by the digest of its name.
std::string statName(absl::string_view kind, const std::string& name) {
  if (!name.empty()) {
    return name;
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  EVP_Digest(name.data(), name.size(), digest, nullptr, EVP_sha256(), nullptr);
  return absl::StrCat("unnamed_", kind, "_",
                      absl::BytesToHexString({reinterpret_cast<const char*>(digest), 4}));
}

uint32_t secondsOf(base::Duration duration) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

int64_t secondsOf(base::WallTime time) { return std::chrono::system_clock::to_time_t(time); }

} // namespace

void Context::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Context::Context(std::shared_ptr<Stats> stats) : stats_(std::move(stats)) {}

Context::~Context() {
  for (const KeptSession& kept : sessions_) {
    SSL_SESSION_free(kept.session);
  }
  if (key_log_fd_ >= 0) {
    ::close(key_log_fd_);
  }
}

absl::StatusOr<std::shared_ptr<const Context>> Context::createServer(const ContextConfig& config,
                                                                     const ServerConfig& server,
                                                                     std::shared_ptr<Stats> stats) {
  std::shared_ptr<Context> context(new Context(std::move(stats)));
  if (absl::Status status = context->load(config, /*server=*/true); !status.ok()) {
    return status;
  }
  context->setUpServer(server);
  return context;
}

absl::StatusOr<std::shared_ptr<const Context>> Context::createClient(const ContextConfig& config,
                                                                     const ClientConfig& client,
                                                                     std::shared_ptr<Stats> stats) {
  std::shared_ptr<Context> context(new Context(std::move(stats)));
  if (absl::Status status = context->load(config, /*server=*/false); !status.ok()) {
    return status;
  }
  context->setUpClient(client);
  return context;
}

absl::Status Context::load(const ContextConfig& config, bool server) {
  context_.reset(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const ctx = context_.get();
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
                            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_read_ahead(ctx, 1);
  absl::Status status = internal::applyParams(config.params, server, *ctx);
  status.Update(status.ok() ? loadCertificates(config, server) : status);
  status.Update(status.ok() ? openKeyLog(config.key_log_path) : status);
  if (!status.ok()) {
    return status;
  }
  auto verifier = internal::Verifier::create(config.validation, *ctx, *stats_);
  if (!verifier.ok()) {
    return verifier.status();
  }
  verifier_ = *std::move(verifier);
  absl::StatusOr<std::string> alpn = internal::alpnList(config.alpn_protocols);
  if (!alpn.ok()) {
    return alpn.status();
  }
  alpn_ = *std::move(alpn);
  SSL_CTX_set_cert_verify_callback(ctx, Callbacks::verify, this);
  SSL_CTX_set_verify(ctx, verifier_->asksForCertificate() ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     nullptr);
  list(config);
  return absl::OkStatus();
}

absl::Status Context::loadCertificates(const ContextConfig& config, bool server) {
  if (server && config.certificates.empty()) {
    return errorAt("tls_certificates", "No TLS certificates found for server context");
  }
  for (const CertificateConfig& certificate : config.certificates) {
    if (server && !certificate.chain && !certificate.key && !certificate.pkcs12) {
      return errorAt(certificate.path, "Server TlsCertificates must have a certificate specified");
    }
    auto credential = internal::loadCredential(certificate);
    if (!credential.ok()) {
      return credential.status();
    }
    stats_->setExpiration(statName("cert", certificate.name),
                          secondsOf(internal::expiryOf(credential->leaf.get())));
    certificates_.push_back({certificate.chain    ? certificate.chain->name
                             : certificate.pkcs12 ? certificate.pkcs12->name
                                                  : "",
                             internal::factsOf(credential->leaf.get())});
    credentials_.push_back(*std::move(credential));
  }
  if (credentials_.size() > 1) { // The context has none then: each connection gets its own.
    SSL_CTX_set_cert_cb(context_.get(), Callbacks::selectCertificate, this);
  } else if (credentials_.size() == 1) {
    const internal::Credential& only = credentials_.front();
    if (SSL_CTX_use_cert_and_key(context_.get(), only.leaf.get(), only.key.get(), only.chain.get(),
                                 1) != 1) {
      return errorAt(config.certificates.front().path, internal::takeLoadError());
    }
  }
  return absl::OkStatus();
}

void Context::list(const ContextConfig& config) {
  if (!config.validation || !config.validation->trusted_ca) {
    return;
  }
  const Source& source = *config.validation->trusted_ca;
  const internal::InfosPtr infos = internal::readPem(source.text);
  for (size_t i = 0; i < sk_X509_INFO_num(infos.get()); i++) {
    if (X509* const root = sk_X509_INFO_value(infos.get(), i)->x509) {
      authorities_.push_back({source.name, internal::factsOf(root)});
    }
  }
  stats_->setExpiration(statName("ca_cert", config.validation->name),
                        secondsOf(authorities_.front().facts.valid_to));
}

absl::Status Context::openKeyLog(const std::string& path) {
  if (path.empty()) {
    return absl::OkStatus();
  }
  key_log_fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (key_log_fd_ < 0) {
    return errorAt("key_log.path",
                   absl::StrCat("unable to open file '", path, "': ", net::errnoText(errno)));
  }
  SSL_CTX_set_keylog_callback(context_.get(), Callbacks::logKey);
  return absl::OkStatus();
}

void Context::setUpServer(const ServerConfig& server) {
  SSL_CTX* const ctx = context_.get();
  if (server.require_client_certificate || verifier_->requiresCertificate()) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (!server.prefer_client_ciphers) {
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
  }
  require_protocol_ = server.require_protocol;
  if (!alpn_.empty()) {
    SSL_CTX_set_alpn_select_cb(ctx, Callbacks::selectProtocol, this);
  }
  // Sessions of another context must not be resumed here: its rules were others.
  unsigned char id[SSL_MAX_SID_CTX_LENGTH];
  RAND_bytes(id, sizeof(id));
  SSL_CTX_set_session_id_context(ctx, id, sizeof(id));
  const bool stateful = server.stateful_resumption;
  SSL_CTX_set_session_cache_mode(ctx, stateful ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
  if (!server.stateless_resumption) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
  }
  SSL_CTX_set_timeout(ctx, server.session_timeout ? secondsOf(*server.session_timeout)
                                                  : kSessionSecondsDefault);
}

void Context::setUpClient(const ClientConfig& client) {
  SSL_CTX* const ctx = context_.get();
  if (!alpn_.empty()) {
    SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(alpn_.data()),
                            static_cast<unsigned int>(alpn_.size()));
  }
  sessions_max_ = client.sessions_max;
  SSL_CTX_set_session_cache_mode(ctx, sessions_max_ == 0
                                          ? SSL_SESS_CACHE_OFF
                                          : SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, Callbacks::onSession);
}

std::unique_ptr<net::Io> Context::accept(event::Loop& loop,
                                         std::unique_ptr<net::Io> transport) const {
  internal::SslPtr ssl(SSL_new(context_.get()));
  SSL_set_accept_state(ssl.get());
  auto session = std::make_shared<internal::Session>(std::move(ssl), shared_from_this());
  return std::make_unique<internal::TlsIo>(loop, std::move(transport), std::move(session), false);
}

std::unique_ptr<net::Io> Context::connect(event::Loop& loop, std::unique_ptr<net::Io> transport,
                                          const std::string& server_name, WantedUris wanted) const {
  internal::SslPtr ssl(SSL_new(context_.get()));
  SSL_set_connect_state(ssl.get());
  SSL_set_enforce_rsa_key_usage(ssl.get(), 1); // TLS 1.3 always does.
  if (!server_name.empty()) {
    SSL_set_tlsext_host_name(ssl.get(), server_name.c_str());
  }
  offerSession(ssl.get(), server_name);
  auto session = std::make_shared<internal::Session>(std::move(ssl), shared_from_this());
  session->wanted = std::move(wanted);
  return std::make_unique<internal::TlsIo>(loop, std::move(transport), std::move(session), true);
}

// Sessions of TLS 1.3 are used once (RFC 8446, appendix C.4), older ones again and again; all of
// them only for the name that they were made for.
void Context::offerSession(ssl_st* ssl, const std::string& server_name) const {
  base::MutexLock lock(sessions_mutex_);
  const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](const KeptSession& kept) {
    return kept.server_name == server_name;
  });
  if (it == sessions_.end()) {
    return;
  }
  SSL_SESSION* const session = it->session;
  SSL_set_session(ssl, session);
  if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) {
    sessions_.erase(it);
    SSL_SESSION_free(session);
  }
}

void Context::keepSession(ssl_st* ssl, ssl_session_st* session) const {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  base::MutexLock lock(sessions_mutex_);
  sessions_.push_front({name == nullptr ? "" : name, session});
  if (sessions_.size() > sessions_max_) {
    SSL_SESSION_free(sessions_.back().session);
    sessions_.pop_back();
  }
}

bool Context::verifiesPeers() const { return verifier_->asksForCertificate(); }

Revocations* Context::revocations() const { return verifier_->revocations(); }

void Context::countHandshake(ssl_st* ssl) const {
  stats_->handshake.add();
  if (SSL_session_reused(ssl) == 1) {
    stats_->session_reused.add();
  }
  if (SSL_get0_peer_certificate(ssl) == nullptr) {
    stats_->no_certificate.add();
  }
  stats_->countNamed("versions", SSL_get_version(ssl));
  stats_->countNamed("ciphers", SSL_get_cipher_name(ssl));
  stats_->countNamed("curves", internal::groupName(ssl));
  stats_->countNamed("sigalgs", internal::signatureName(ssl));
}

void Context::countFailure(bool verification, bool no_certificate) const {
  if (no_certificate) {
    stats_->fail_verify_no_cert.add();
  } else if (!verification) { // The verifier counts its own.
    stats_->connection_error.add();
  }
}

} // namespace culvert::tls
