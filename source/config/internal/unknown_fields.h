// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "source/config/problems.h"

namespace google::protobuf {
class Message;
} // namespace google::protobuf

namespace culvert::config {

// Fields of a serialized message that its type does not have, at any depth: they come from
// another version of the API, and to ignore them would be to ignore what was asked for.
void reportUnknownFields(const google::protobuf::Message& message, const std::string& path,
                         Problems& problems);

} // namespace culvert::config
