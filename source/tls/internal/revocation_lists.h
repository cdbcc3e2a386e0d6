// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/x509v3.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "source/base/mutex.h"
#include "source/tls/internal/openssl.h"

namespace culvert::tls::internal {

using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;

// One list of revoked certificates (RFC 5280, section 5). Threads: made on main, then any.
class RevocationList {
public:
  // Errors: why it must not be used.
  static absl::StatusOr<std::unique_ptr<const RevocationList>> create(CrlPtr crl);

  // Whether it says that it comes from `issuer`, and whether that is so: X509_V_OK, or the
  // library's number for what is wrong.
  bool claimsToBeOf(X509& issuer) const;
  int trustedBy(X509& issuer) const;
  // Of a certificate of its issuer.
  bool names(X509& certificate) const;

private:
  using KeyIdPtr = std::unique_ptr<AUTHORITY_KEYID, Freer<AUTHORITY_KEYID_free>>;

  RevocationList(CrlPtr crl, KeyIdPtr signer_id)
      : crl_(std::move(crl)), signer_id_(std::move(signer_id)) {}
  bool signedBy(X509& issuer) const;

  const CrlPtr crl_;
  const KeyIdPtr signer_id_; // Null where the list does not say.
  mutable base::Mutex mutex_;
  mutable X509Ptr signer_ CULVERT_GUARDED_BY(mutex_); // Found to be, by the last who asked.
};

// Lists of any number of issuers. What a list names is revoked, however old the list is; of an
// issuer without a list nothing is known. Immutable. Threads: made on main, then any.
class RevocationLists {
public:
  // PEM with any number of lists, other blocks being skipped; one list in DER; or nothing.
  // Errors: which list is of no use, and why.
  static absl::StatusOr<std::shared_ptr<const RevocationLists>> parse(absl::string_view text);

  size_t size() const { return lists_.size(); }

  // What is wrong with a chain that is good otherwise, by the library's number, and where in it.
  struct Verdict {
    int error = X509_V_OK;
    int depth = 0;
  };
  // `chain` ends with what is trusted whatever lists say. A list that is not from whom it says
  // makes all that its issuer signed doubtful.
  Verdict check(const STACK_OF(X509) * chain) const;
  // Only whether somebody in it is revoked for sure. Null: nobody was verified.
  bool revoke(const STACK_OF(X509) * chain) const;

private:
  absl::Status addPem(absl::string_view text);
  absl::Status addDer(absl::string_view text);
  absl::Status add(CrlPtr crl);
  absl::Status unreadable();
  int check(X509& certificate, X509& issuer) const;
  bool revoke(X509& certificate, X509& issuer) const;

  std::vector<std::unique_ptr<const RevocationList>> lists_;
};

} // namespace culvert::tls::internal
