// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "source/config/support.h"

namespace culvert::config {

// What becomes of the fields of transport sockets that run over others.
inline constexpr absl::string_view kInternalUpstream =
    "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport";
inline constexpr absl::string_view kProxyUpstream =
    "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
inline constexpr absl::string_view kMetadataKind = "envoy.type.metadata.v3.MetadataKind";

inline constexpr FieldSupport kTransportFields[] = {
    {kInternalUpstream, Support::kHonoured, "passthrough_metadata transport_socket", ""},
    {"envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport."
     "MetadataValueSource",
     Support::kHonoured, "*", ""},
    {kProxyUpstream, Support::kHonoured, "config transport_socket tlv_as_pool_key", ""},
    {kProxyUpstream, Support::kNotYet, "allow_unspecified_address",
     "other addresses in PROXY headers"},
    {"envoy.config.core.v3.ProxyProtocolConfig", Support::kHonoured, "*", ""},
    {"envoy.config.core.v3.ProxyProtocolPassThroughTLVs", Support::kHonoured, "*", ""},
    {"envoy.config.core.v3.TlvEntry", Support::kHonoured, "type value", ""},
    {"envoy.config.core.v3.TlvEntry", Support::kNotYet, "format_string",
     "TLVs made of what is logged"},
    {kMetadataKind, Support::kHonoured, "cluster host", ""},
    {kMetadataKind, Support::kRefused, "request route",
     "Envoy refuses it too: metadata type is not supported"},
    {"envoy.type.metadata.v3.MetadataKind.Cluster", Support::kHonoured, "*", ""},
    {"envoy.type.metadata.v3.MetadataKind.Host", Support::kHonoured, "*", ""},
};

} // namespace culvert::config
