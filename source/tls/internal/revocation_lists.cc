// SPDX-License-Identifier: Apache-2.0
#include "source/tls/internal/revocation_lists.h"

#include <openssl/err.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace culvert::tls::internal {
namespace {

constexpr size_t kBytesMax = 64 << 20;

std::string nameOf(X509_EXTENSION* extension) {
  char name[80];
  OBJ_obj2txt(name, sizeof(name), X509_EXTENSION_get_object(extension), 0);
  return name;
}

// A list with an extension that must be understood, and is not, says nothing (RFC 5280, sections
// 5.2 and 5.3).
absl::Status checkExtensions(const STACK_OF(X509_EXTENSION) * extensions,
                             std::initializer_list<int> known) {
  for (size_t i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
    X509_EXTENSION* const extension = sk_X509_EXTENSION_value(extensions, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (X509_EXTENSION_get_critical(extension) == 1 &&
        std::find(known.begin(), known.end(), kind) == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a critical extension that is not supported: ", nameOf(extension)));
    }
  }
  return absl::OkStatus();
}

// Which part of its issuer's certificates a list is about (issuingDistributionPoint) changes
// nothing: what it names is revoked, and of others it says nothing.
absl::Status checkExtensions(X509_CRL& crl) {
  absl::Status status =
      checkExtensions(X509_CRL_get0_extensions(&crl),
                      {NID_issuing_distribution_point, NID_authority_key_identifier});
  const STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(&crl);
  for (size_t i = 0; status.ok() && i < sk_X509_REVOKED_num(entries); i++) {
    status = checkExtensions(X509_REVOKED_get0_extensions(sk_X509_REVOKED_value(entries, i)),
                             {NID_certificate_issuer});
  }
  return status;
}

// Whether `issuer` is who an authorityKeyIdentifier (RFC 5280, section 4.2.1.1) means; what either
// does not say makes no difference.
bool isId(const AUTHORITY_KEYID& id, X509& issuer) {
  const ASN1_OCTET_STRING* const key = X509_get0_subject_key_id(&issuer);
  if (id.keyid != nullptr && key != nullptr && ASN1_OCTET_STRING_cmp(id.keyid, key) != 0) {
    return false;
  }
  if (id.serial != nullptr && ASN1_INTEGER_cmp(id.serial, X509_get0_serialNumber(&issuer)) != 0) {
    return false;
  }
  for (size_t i = 0; i < sk_GENERAL_NAME_num(id.issuer); i++) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(id.issuer, i);
    if (name->type == GEN_DIRNAME) {
      return X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(&issuer)) == 0;
    }
  }
  return true;
}

template <class Finds> bool anyBelowRoot(const STACK_OF(X509) * chain, Finds finds) {
  for (size_t i = 0; i + 1 < sk_X509_num(chain); i++) {
    if (finds(static_cast<int>(i), *sk_X509_value(chain, i), *sk_X509_value(chain, i + 1))) {
      return true;
    }
  }
  return false;
}

} // namespace

absl::StatusOr<std::unique_ptr<const RevocationList>> RevocationList::create(CrlPtr crl) {
  absl::Status status = checkExtensions(*crl);
  if (!status.ok()) {
    return status;
  }
  constexpr int kAbsent = -1;
  int found = kAbsent;
  KeyIdPtr signer_id(static_cast<AUTHORITY_KEYID*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_authority_key_identifier, &found, nullptr)));
  if (signer_id == nullptr && found != kAbsent) {
    ERR_clear_error();
    return absl::InvalidArgumentError("has a damaged authorityKeyIdentifier");
  }
  sk_X509_REVOKED_sort(X509_CRL_get_REVOKED(crl.get())); // Now, not on the workers.
  return std::unique_ptr<const RevocationList>(
      new RevocationList(std::move(crl), std::move(signer_id)));
}

bool RevocationList::claimsToBeOf(X509& issuer) const {
  return X509_NAME_cmp(X509_CRL_get_issuer(crl_.get()), X509_get_subject_name(&issuer)) == 0 &&
         (signer_id_ == nullptr || isId(*signer_id_, issuer));
}

int RevocationList::trustedBy(X509& issuer) const {
  if ((X509_get_key_usage(&issuer) & KU_CRL_SIGN) == 0) { // All are set where none is said.
    return X509_V_ERR_KEYUSAGE_NO_CRL_SIGN;
  }
  return signedBy(issuer) ? X509_V_OK : X509_V_ERR_CRL_SIGNATURE_FAILURE;
}

// It has one signer, who is asked for in each handshake: that he is, is remembered.
bool RevocationList::signedBy(X509& issuer) const {
  {
    base::MutexLock lock(mutex_);
    if (signer_ != nullptr && X509_cmp(signer_.get(), &issuer) == 0) {
      return true;
    }
  }
  if (X509_CRL_verify(crl_.get(), X509_get0_pubkey(&issuer)) != 1) {
    ERR_clear_error();
    return false;
  }
  X509_up_ref(&issuer);
  X509Ptr signer(&issuer);
  base::MutexLock lock(mutex_);
  signer_.swap(signer);
  return true;
}

bool RevocationList::names(X509& certificate) const {
  X509_REVOKED* entry = nullptr;
  return X509_CRL_get0_by_cert(crl_.get(), &entry, &certificate) == 1;
}

absl::StatusOr<std::shared_ptr<const RevocationLists>>
RevocationLists::parse(absl::string_view text) {
  if (text.size() > kBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("larger than ", kBytesMax >> 20, " MiB"));
  }
  auto lists = std::make_shared<RevocationLists>();
  const absl::Status status = absl::StripAsciiWhitespace(text).empty() ? absl::OkStatus()
                              : absl::StrContains(text, "-----BEGIN ") ? lists->addPem(text)
                                                                       : lists->addDer(text);
  return status.ok() ? absl::StatusOr<std::shared_ptr<const RevocationLists>>(std::move(lists))
                     : status;
}

absl::Status RevocationLists::addPem(absl::string_view text) {
  const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  absl::Status status;
  while (X509_CRL* const crl = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    status.Update(add(CrlPtr(crl)));
  }
  const uint32_t end = ERR_peek_last_error();
  if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
    status.Update(unreadable());
  }
  ERR_clear_error();
  return status;
}

absl::Status RevocationLists::addDer(absl::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  CrlPtr crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(text.size())));
  if (crl == nullptr) {
    return unreadable();
  }
  return at == end ? add(std::move(crl)) : absl::InvalidArgumentError("bytes behind the list");
}

absl::Status RevocationLists::add(CrlPtr crl) {
  auto list = RevocationList::create(std::move(crl));
  if (!list.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("list ", size() + 1, " ", list.status().message()));
  }
  lists_.push_back(*std::move(list));
  return absl::OkStatus();
}

// What the library said of the list that comes next.
absl::Status RevocationLists::unreadable() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(
      "list ", size() + 1, " cannot be read: ", reason == nullptr ? "no list" : reason));
}

RevocationLists::Verdict RevocationLists::check(const STACK_OF(X509) * chain) const {
  Verdict verdict;
  anyBelowRoot(chain, [&](int depth, X509& certificate, X509& issuer) {
    verdict = {check(certificate, issuer), depth};
    return verdict.error != X509_V_OK;
  });
  return verdict;
}

int RevocationLists::check(X509& certificate, X509& issuer) const {
  for (const auto& list : lists_) {
    if (!list->claimsToBeOf(issuer)) {
      continue;
    }
    const int error = list->trustedBy(issuer);
    if (error != X509_V_OK || list->names(certificate)) {
      return error != X509_V_OK ? error : X509_V_ERR_CERT_REVOKED;
    }
  }
  return X509_V_OK;
}

bool RevocationLists::revoke(const STACK_OF(X509) * chain) const {
  return anyBelowRoot(
      chain, [this](int, X509& certificate, X509& issuer) { return revoke(certificate, issuer); });
}

// Signatures are looked at last: there may be many chains, and nearly none is named.
bool RevocationLists::revoke(X509& certificate, X509& issuer) const {
  return std::any_of(lists_.begin(), lists_.end(), [&](const auto& list) {
    return list->claimsToBeOf(issuer) && list->names(certificate) &&
           list->trustedBy(issuer) == X509_V_OK;
  });
}

} // namespace culvert::tls::internal
