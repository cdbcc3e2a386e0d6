// SPDX-License-Identifier: Apache-2.0
#include "source/mesh/certificates/certificates.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/mesh/identity.h"

namespace culvert::mesh {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstRetry(1);
constexpr seconds kLongestRetry(150);
constexpr int kDoublingsMax = 8; // Beyond the longest already.
constexpr double kJitter = 0.2;  // Each way.

constexpr char kSuites13[] = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
constexpr const char* kSuites12[] = {"ECDHE-ECDSA-AES256-GCM-SHA384",
                                     "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
                                     "ECDHE-RSA-AES128-GCM-SHA256"};
constexpr const char* kPostQuantumGroup = "X25519MLKEM768";
constexpr const char* kGroups[] = {"X25519", "P-256", "P-384", kPostQuantumGroup};

// All SPIFFE identities of the trust domain that `identity` is of; nothing: it is none.
absl::StatusOr<tls::SanMatcher> trustDomainOf(const std::string& identity) {
  const std::optional<Identity> parsed = Identity::parse(identity);
  if (!parsed.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("'", identity, "' is no SPIFFE identity"));
  }
  auto match = match::StringMatch::create(
      match::StringMatch::Kind::kRegex,
      absl::StrCat("spiffe://", RE2::QuoteMeta(parsed->trust_domain.string()),
                   "/ns/[^/]*/sa/[^/]*"));
  if (!match.ok()) {
    return match.status();
  }
  return tls::SanMatcher{tls::SanType::kUri, *std::move(match)};
}

tls::ContextConfig configOf(const IssuedCertificate& issued, const TlsRules& rules) {
  tls::ContextConfig config;
  config.params.min = rules.allow_tls12 ? tls::Version::k1_2 : tls::Version::k1_3;
  config.params.max = tls::Version::k1_3;
  config.params.tls13_suites = kSuites13;
  config.params.cipher_suites.assign(std::begin(kSuites12), std::end(kSuites12));
  if (rules.post_quantum_only) {
    config.params.groups = {kPostQuantumGroup};
  } else {
    config.params.groups.assign(std::begin(kGroups), std::end(kGroups));
  }
  config.alpn_protocols = {"h2"};
  tls::CertificateConfig certificate;
  certificate.chain = tls::Source{issued.chain, "<mesh>"};
  certificate.key = tls::Source{issued.key, "<mesh>"};
  certificate.path = "certificate";
  config.certificates.push_back(std::move(certificate));
  tls::ValidationConfig validation;
  validation.trusted_ca = tls::Source{issued.roots, "<mesh>"};
  validation.path = "roots";
  validation.revocations = rules.revocations;
  config.validation = std::move(validation);
  return config;
}

} // namespace

// One identity, on main.
struct Certificates::Entry {
  Entry(Certificates& all, std::string name)
      : owner(all), identity(std::move(name)),
        timer(all.main_, event::Timer::Callback::to<&Entry::onTimer>(this)) {}
  void onTimer() { owner.request(*this); }

  Certificates& owner;
  const std::string identity;
  IssuedCertificate issued; // Empty: none yet.
  std::string failure;      // Of the last request.
  int failures = 0;         // In a row.
  std::shared_ptr<tls::ContextSlot> server;
  std::shared_ptr<tls::ContextSlot> client;
  event::Timer timer;
};

Certificates::Certificates(tls::Contexts& contexts, std::unique_ptr<CertificateSource> source,
                           const TlsRules& rules, stats::Scope& scope)
    : main_(contexts.main()), contexts_(contexts), source_(std::move(source)), rules_(rules),
      server_scope_(scope.scope("mesh.inbound")), client_scope_(scope.scope("mesh.outbound")),
      server_stats_(tls::Stats::create(main_, *server_scope_, "server")),
      client_stats_(tls::Stats::create(main_, *client_scope_, "client")),
      handle_(std::make_shared<Handle>(Handle{this})) {}

Certificates::~Certificates() { handle_->certificates = nullptr; }

void Certificates::keep(const std::string& identity) {
  std::unique_ptr<Entry>& entry = entries_[identity];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>(*this, identity);
    request(*entry);
  }
}

std::shared_ptr<const Certificates::Secured> Certificates::find(const std::string& identity) {
  {
    base::MutexLock lock(mutex_);
    const auto it = found_.find(identity);
    if (it != found_.end()) {
      return it->second;
    }
  }
  main_.post([handle = handle_, identity] {
    if (handle->certificates != nullptr) {
      handle->certificates->keep(identity);
    }
  });
  return nullptr;
}

std::string Certificates::failure(const std::string& identity) const {
  const auto it = entries_.find(identity);
  return it == entries_.end() ? "" : it->second->failure;
}

void Certificates::request(Entry& entry) {
  source_->request(entry.identity, [handle = handle_, identity = entry.identity](
                                       const absl::StatusOr<IssuedCertificate>& answer) {
    if (handle->certificates != nullptr) {
      handle->certificates->take(*handle->certificates->entries_.at(identity), answer);
    }
  });
}

void Certificates::take(Entry& entry, const absl::StatusOr<IssuedCertificate>& answer) {
  absl::Status status = answer.status();
  if (status.ok()) {
    const IssuedCertificate before = std::exchange(entry.issued, *answer);
    status = install(entry);
    if (!status.ok()) {
      entry.issued = before;
    }
  }
  if (!status.ok()) {
    entry.failure = std::string(status.message());
    const base::Duration delay = retryDelay(entry);
    LOG(warning, secret, "no certificate for %s, asking again in %d s: %s", entry.identity,
        std::chrono::duration_cast<seconds>(delay).count(), entry.failure);
    entry.timer.arm(delay);
    return;
  }
  entry.failure.clear();
  entry.failures = 0;
  entry.timer.arm(refreshDelay(entry.issued));
}

// Into the slots there are, or new ones with the first certificate.
absl::Status Certificates::install(Entry& entry) {
  if (entry.server == nullptr) {
    auto identity = makeIdentity(entry);
    if (!identity.ok()) {
      return identity.status();
    }
    base::MutexLock lock(mutex_);
    found_[entry.identity] = *std::move(identity);
    return absl::OkStatus();
  }
  auto server = entry.server->make();
  auto client = entry.client->make();
  if (!server.ok() || !client.ok()) {
    return server.ok() ? client.status() : server.status();
  }
  entry.server->put(*std::move(server));
  entry.client->put(*std::move(client));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Certificates::Secured>>
Certificates::makeIdentity(Entry& entry) {
  const auto domain = trustDomainOf(entry.identity);
  if (!domain.ok()) {
    return domain.status();
  }
  auto server = contexts_.add(
      [this, &entry, domain = *domain] {
        tls::ContextConfig config = configOf(entry.issued, rules_);
        config.validation->sans = {domain};
        tls::ServerConfig server;
        server.require_client_certificate = server.require_protocol = true;
        server.stateless_resumption = server.stateful_resumption = false;
        return tls::Context::createServer(config, server, server_stats_);
      },
      server_stats_, {});
  auto client = contexts_.add(
      [this, &entry] {
        tls::ClientConfig client;
        client.sessions_max = 0;
        return tls::Context::createClient(configOf(entry.issued, rules_), client, client_stats_);
      },
      client_stats_, {});
  if (!server.ok() || !client.ok()) {
    return server.ok() ? client.status() : server.status();
  }
  entry.server = *std::move(server);
  entry.client = *std::move(client);
  return std::make_shared<const Secured>(Secured{entry.server, entry.client});
}

// Until half of its time is over.
base::Duration Certificates::refreshDelay(const IssuedCertificate& issued) const {
  const auto half = (issued.valid_until - issued.valid_from) / 2;
  const auto left = issued.valid_from + half - main_.clock().wallNow();
  return std::max(std::chrono::duration_cast<base::Duration>(left), base::Duration(kFirstRetry));
}

base::Duration Certificates::retryDelay(Entry& entry) {
  const int doublings = std::min(entry.failures++, kDoublingsMax);
  const auto delay = std::min<seconds>(kFirstRetry * (1 << doublings), kLongestRetry);
  const double share = 1 + kJitter * (2 * random_.fraction() - 1);
  return std::chrono::duration_cast<base::Duration>(delay * share);
}

} // namespace culvert::mesh
