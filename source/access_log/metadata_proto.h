// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "source/net/metadata.h"

namespace google::protobuf {
class Struct;
class Value;
} // namespace google::protobuf
namespace envoy::config::core::v3 {
class Metadata;
}

namespace culvert::access_log {

// What formats and filters print and ask, from the configuration's messages. Null when there is
// nothing; typed_filter_metadata is not looked at.
// Threads: any.
std::shared_ptr<const net::Metadata> toMetadata(const envoy::config::core::v3::Metadata& proto);

net::Value toValue(const google::protobuf::Value& proto);
net::Value::Fields toFields(const google::protobuf::Struct& proto);

} // namespace culvert::access_log
