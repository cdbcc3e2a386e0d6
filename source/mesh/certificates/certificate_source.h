// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "source/base/clock.h"

namespace culvert::mesh {

// What proves an identity, and whom it trusts. All texts are PEM.
struct IssuedCertificate {
  std::string chain; // The certificate first, then what is between it and a root.
  std::string key;
  std::string roots;
  base::WallTime valid_from;
  base::WallTime valid_until;
};

// Where certificates come from: a control plane, or an authority of a lab's own.
// Threads: main. Lifetime: its Certificates'.
class CertificateSource {
public:
  using Done = std::function<void(absl::StatusOr<IssuedCertificate>)>;

  virtual ~CertificateSource() = default;

  // Asks for a certificate of `identity`, "spiffe://...". `done` is called once, on main, now or
  // later, but not after the end of this. Errors: for people.
  virtual void request(const std::string& identity, Done done) = 0;
};

} // namespace culvert::mesh
