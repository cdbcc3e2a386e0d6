// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/base/field_error.h"
#include "source/net/address.h"
#include "source/upstream/config.h"

namespace envoy::config::core::v3 {
class Address;
}
namespace envoy::config::endpoint::v3 {
class ClusterLoadAssignment;
}

namespace culvert::upstream {

using base::errorAt;

// An address in digits, a unix socket's path or an internal listener's name. `hint` ends the
// sentence when it is none of them. Errors: begin with the path of the field inside `proto`.
absl::StatusOr<net::Address> parseAddress(const envoy::config::core::v3::Address& proto,
                                          absl::string_view hint = {});

// The endpoints of a cluster; with `resolve`, addresses are names for DNS (digits are names too).
// Errors: begin with the path inside `proto`, "endpoints[0].lb_endpoints[1].endpoint...".
absl::StatusOr<std::vector<LocalityConfig>>
parseEndpoints(const envoy::config::endpoint::v3::ClusterLoadAssignment& proto, bool resolve);

} // namespace culvert::upstream
