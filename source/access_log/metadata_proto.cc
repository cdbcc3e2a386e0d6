// SPDX-License-Identifier: Apache-2.0
#include "source/access_log/metadata_proto.h"

#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/struct.pb.h"

namespace culvert::access_log {

using google::protobuf::Value;

std::shared_ptr<const net::Metadata> toMetadata(const envoy::config::core::v3::Metadata& proto) {
  if (proto.filter_metadata().empty())
    return nullptr;
  auto metadata = std::make_shared<net::Metadata>();
  for (const auto& [filter, fields] : proto.filter_metadata())
    metadata->set(filter, toFields(fields));
  return metadata;
}

net::Value toValue(const Value& proto) {
  switch (proto.kind_case()) {
  case Value::kBoolValue:
    return {proto.bool_value()};
  case Value::kNumberValue:
    return {proto.number_value()};
  case Value::kStringValue:
    return {proto.string_value()};
  case Value::kStructValue:
    return {toFields(proto.struct_value())};
  case Value::kListValue: {
    net::Value::List list;
    for (const Value& member : proto.list_value().values())
      list.push_back(toValue(member));
    return {std::move(list)};
  }
  case Value::kNullValue:
  case Value::KIND_NOT_SET:
    break;
  }
  return {};
}

net::Value::Fields toFields(const google::protobuf::Struct& proto) {
  net::Value::Fields fields;
  for (const auto& [key, value] : proto.fields())
    fields.emplace(key, toValue(value));
  return fields;
}

} // namespace culvert::access_log
