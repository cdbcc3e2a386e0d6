// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"

#include "source/config/internal/tree.h"

namespace culvert::config {

// Why a value does not fit its field: our explanation and the words of Envoy's JSON parser.
struct Misfit {
  std::string text;
  std::string envoy;
};

template <class T> using Decoded = std::variant<T, Misfit>;

// A duration as protobuf holds it.
struct Span {
  int64_t seconds = 0;
  int32_t nanos = 0;
};

// The proto3 JSON rules, as leniently as Envoy applies them: numbers may be quoted, integers
// may be written 1e3 or 5.0, booleans may be "yes" or "1", base64 may be web-safe and unpadded.
Decoded<int64_t> decodeInt(const Node& node, int64_t min, int64_t max);
Decoded<uint64_t> decodeUint(const Node& node, uint64_t max);
Decoded<double> decodeDouble(const Node& node);
Decoded<bool> decodeBool(const Node& node);
Decoded<std::string> decodeString(const Node& node);
Decoded<std::string> decodeBytes(const Node& node);
Decoded<Span> decodeDuration(const Node& node);

// What stands there, in an operator's words: "a list", "the number 5", "the text 'x'".
std::string describe(const Node& node);

// What Envoy's JSON parser says when a value starts with the wrong character.
std::string unexpectedCharacter(const Node& node, char expected);

} // namespace culvert::config
