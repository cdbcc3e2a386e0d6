// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/base/clock.h"

namespace culvert::tls {

// A certificate with its private key, both PEM.
struct KeyedCertificate {
  std::string chain;
  std::string key;
};

// An authority that signs certificates for URIs, for labs that have no other. Keys are ECDSA P-256.
// Threads: one at a time. Errors: the library could not, or the text is not what text() gave.
class Authority {
public:
  // A new one, which signs itself, valid until `until`.
  static absl::StatusOr<std::unique_ptr<const Authority>>
  create(const std::string& name, base::WallTime from, base::WallTime until);
  // What text() gave.
  static absl::StatusOr<std::unique_ptr<const Authority>> load(const std::string& text);
  ~Authority();

  // Its certificate and its key: a secret.
  absl::StatusOr<std::string> text() const;
  // Its certificate, for those who shall trust it.
  absl::StatusOr<std::string> certificate() const;

  // A certificate for servers and clients whose only name is `uri`.
  absl::StatusOr<KeyedCertificate> issue(const std::string& uri, base::WallTime from,
                                         base::WallTime until) const;

private:
  struct Parts;
  explicit Authority(std::unique_ptr<Parts> parts);

  const std::unique_ptr<const Parts> parts_;
};

} // namespace culvert::tls
