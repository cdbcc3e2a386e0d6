// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "source/base/clock.h"
#include "source/mesh/certificates/certificate_source.h"

namespace culvert::mesh {

// Signs certificates itself, for labs. The authority's certificate and key are in `file`, which
// whoever comes first makes, for its own user only: processes that name one file trust one another.
// Certificates are valid for `validity`.
// Threads: main. Errors: the file cannot be made or read, is not the user's own, or is open to
// others.
absl::StatusOr<std::unique_ptr<CertificateSource>>
makeLabSource(const std::string& file, base::Duration validity, const base::Clock& clock);

// What labs name if they name nothing: one file for each user of the machine, in $TMPDIR or /tmp.
std::string defaultLabFile();

} // namespace culvert::mesh
