// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/config/support.h"

namespace culvert::config {

// What becomes of the fields of transport sockets that run over others.
inline constexpr absl::string_view kInternalUpstream =
    "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport";
inline constexpr absl::string_view kMetadataKind = "envoy.type.metadata.v3.MetadataKind";

inline constexpr FieldSupport kTransportFields[] = {
    {kInternalUpstream, Support::kHonoured, "passthrough_metadata transport_socket", ""},
    {"envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport."
     "MetadataValueSource",
     Support::kHonoured, "*", ""},
    {kMetadataKind, Support::kHonoured, "cluster host", ""},
    {kMetadataKind, Support::kRefused, "request route",
     "Envoy refuses it too: metadata type is not supported"},
    {"envoy.type.metadata.v3.MetadataKind.Cluster", Support::kHonoured, "*", ""},
    {"envoy.type.metadata.v3.MetadataKind.Host", Support::kHonoured, "*", ""},
};

} // namespace culvert::config
