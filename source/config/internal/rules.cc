// SPDX-License-Identifier: Apache-2.0
#include "source/config/internal/rules.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message.h"
#include "re2/re2.h"
#include "validate/validate.pb.h"

namespace culvert::config {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using ::validate::FieldRules;

} // namespace

const Message& FieldValue::message() const {
  const Reflection& reflection = *parent.GetReflection();
  return index < 0 ? reflection.GetMessage(parent, field)
                   : reflection.GetRepeatedMessage(parent, field, index);
}

std::string FieldValue::string() const {
  const Reflection& reflection = *parent.GetReflection();
  return index < 0 ? reflection.GetString(parent, field)
                   : reflection.GetRepeatedString(parent, field, index);
}

int FieldValue::enumNumber() const {
  const Reflection& reflection = *parent.GetReflection();
  return index < 0 ? reflection.GetEnumValue(parent, field)
                   : reflection.GetRepeatedEnumValue(parent, field, index);
}

template <class T> T FieldValue::number() const {
  const Reflection& reflection = *parent.GetReflection();
  const auto get = [&](auto singular, auto repeated) {
    return static_cast<T>(index < 0 ? (reflection.*singular)(parent, field)
                                    : (reflection.*repeated)(parent, field, index));
  };
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32);
  case FieldDescriptor::CPPTYPE_INT64:
    return get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
  case FieldDescriptor::CPPTYPE_UINT32:
    return get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32);
  case FieldDescriptor::CPPTYPE_UINT64:
    return get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64);
  case FieldDescriptor::CPPTYPE_FLOAT:
    return get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat);
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble);
  default:
    return get(&Reflection::GetBool, &Reflection::GetRepeatedBool);
  }
}

namespace {

std::string text(const std::string& s) { return absl::StrCat("\"", absl::CEscape(s), "\""); }
std::string text(bool b) { return b ? "true" : "false"; }
std::string text(double d) { return absl::StrCat(d); }
template <class T, class = std::enable_if_t<std::is_integral_v<T>>> std::string text(T n) {
  return absl::StrCat(n);
}

// As Go prints a duration: 1h0m0s, 1.5s, 20ms, 0s.
std::string text(const Duration& duration) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  if (seconds == 0 && nanos != 0) {
    return nanos % 1000000 == 0 ? absl::StrCat(nanos / 1000000, "ms")
                                : absl::StrCat(nanos / 1000.0, "us");
  }
  std::string out;
  if (seconds >= 3600) {
    absl::StrAppend(&out, seconds / 3600, "h");
  }
  if (seconds >= 60) {
    absl::StrAppend(&out, seconds / 60 % 60, "m");
  }
  absl::StrAppend(&out, seconds % 60 + nanos / 1e9, "s");
  return out;
}

bool less(const Duration& a, const Duration& b) {
  return a.seconds() != b.seconds() ? a.seconds() < b.seconds() : a.nanos() < b.nanos();
}
template <class T> bool less(const T& a, const T& b) { return a < b; }

template <class List> std::string listText(const List& list) {
  std::string out;
  for (const auto& item : list) {
    absl::StrAppend(&out, out.empty() ? "" : " ", item);
  }
  return absl::StrCat("[", out, "]");
}

template <class List, class T> bool contains(const List& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

template <class Rules, class T> Violation checkRange(const Rules& rules, const T& v) {
  const bool has_low = rules.has_gt() || rules.has_gte();
  const bool has_high = rules.has_lt() || rules.has_lte();
  const auto low = rules.has_gt() ? rules.gt() : rules.gte();
  const auto high = rules.has_lt() ? rules.lt() : rules.lte();
  const bool above = rules.has_gt() ? less(low, v) : !less(v, low);
  const bool below = rules.has_lt() ? less(v, high) : !less(high, v);
  if (has_low && has_high) {
    const bool inside = less(low, high);
    if (inside ? above && below : above || below) {
      return {};
    }
    return inside ? absl::StrCat("value must be inside range ", rules.has_gt() ? "(" : "[",
                                 text(low), ", ", text(high), rules.has_lt() ? ")" : "]")
                  : absl::StrCat("value must be outside range ", rules.has_lt() ? "[" : "(",
                                 text(high), ", ", text(low), rules.has_gt() ? "]" : ")");
  }
  if (has_low && !above) {
    return absl::StrCat("value must be greater than ", rules.has_gt() ? "" : "or equal to ",
                        text(low));
  }
  if (has_high && !below) {
    return absl::StrCat("value must be less than ", rules.has_lt() ? "" : "or equal to ",
                        text(high));
  }
  return {};
}

template <class Rules, class T> Violation checkListed(const Rules& rules, const T& v) {
  if (rules.has_const_() && rules.const_() != v) {
    return "value must equal " + text(rules.const_());
  }
  if (rules.in_size() > 0 && !contains(rules.in(), v)) {
    return "value must be in list " + listText(rules.in());
  }
  if (contains(rules.not_in(), v)) {
    return "value must not be in list " + listText(rules.not_in());
  }
  return {};
}

template <class T, class Rules> Violation checkNumber(const Rules& rules, const FieldValue& value) {
  const T v = value.number<T>();
  if (rules.ignore_empty() && v == 0) {
    return {};
  }
  if (v != v) { // Envoy lets NaN through every range and fails on it later.
    return "value must be a number";
  }
  Violation violation = checkListed(rules, v);
  return violation ? violation : checkRange(rules, v);
}

uint64_t utf8Length(absl::string_view s) {
  return std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; });
}

// Shared by strings (in characters) and bytes.
template <class Rules>
Violation checkLength(const Rules& rules, uint64_t length, absl::string_view unit) {
  if (rules.has_len() ||
      (rules.has_min_len() && rules.has_max_len() && rules.min_len() == rules.max_len())) {
    const uint64_t want = rules.has_len() ? rules.len() : rules.min_len();
    if (length != want) {
      return absl::StrCat(unit == "bytes" ? "value length must be " : "value must be ", want, " ",
                          unit);
    }
    return {};
  }
  const bool low = rules.has_min_len() && length < rules.min_len();
  const bool high = rules.has_max_len() && length > rules.max_len();
  if ((low || high) && rules.has_min_len() && rules.has_max_len()) {
    return unit == "bytes" ? absl::StrCat("value length must be between ", rules.min_len(), " and ",
                                          rules.max_len(), " bytes, inclusive")
                           : absl::StrCat("value must have between ", rules.min_len(), " and ",
                                          rules.max_len(), " characters inclusive");
  }
  if (low) {
    return absl::StrCat("value length must be at least ", rules.min_len(), " ", unit);
  }
  if (high) {
    return absl::StrCat("value length must be at most ", rules.max_len(), " ", unit);
  }
  return {};
}

Violation checkPattern(const std::string& pattern, const std::string& v) {
  if (!RE2::FullMatch(v, RE2(pattern))) {
    return absl::StrCat("value does not match regex pattern ", text(pattern));
  }
  return {};
}

template <class Rules> Violation checkAffixes(const Rules& rules, const std::string& v) {
  if (rules.has_prefix() && !absl::StartsWith(v, rules.prefix())) {
    return "value does not have prefix " + text(rules.prefix());
  }
  if (rules.has_suffix() && !absl::EndsWith(v, rules.suffix())) {
    return "value does not have suffix " + text(rules.suffix());
  }
  if (rules.has_contains() && !absl::StrContains(v, rules.contains())) {
    return "value does not contain substring " + text(rules.contains());
  }
  return rules.has_pattern() ? checkPattern(rules.pattern(), v) : Violation();
}

Violation checkString(const ::validate::StringRules& rules, const std::string& v) {
  if (rules.ignore_empty() && v.empty()) {
    return {};
  }
  if (Violation violation = checkListed(rules, v)) {
    return violation;
  }
  if (Violation violation = checkLength(rules, utf8Length(v), "characters")) {
    return violation;
  }
  if (rules.has_min_bytes() && v.size() < rules.min_bytes()) {
    return absl::StrCat("value length must be at least ", rules.min_bytes(), " bytes");
  }
  if (rules.has_max_bytes() && v.size() > rules.max_bytes()) {
    return absl::StrCat("value length must be at most ", rules.max_bytes(), " bytes");
  }
  if (rules.has_not_contains() && absl::StrContains(v, rules.not_contains())) {
    return "value contains substring " + text(rules.not_contains());
  }
  if (rules.has_well_known_regex()) {
    // What is not strict is the same for names and values: an empty one is fine.
    const bool name = rules.well_known_regex() == ::validate::HTTP_HEADER_NAME;
    return checkPattern(!rules.strict() ? "^[^\\x00\\n\\r]*$"
                        : name          ? "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$"
                                        : "^[^\\x00-\\x08\\x0A-\\x1F\\x7F]*$",
                        v);
  }
  return checkAffixes(rules, v);
}

Violation checkBytes(const ::validate::BytesRules& rules, const std::string& v) {
  if (rules.ignore_empty() && v.empty()) {
    return {};
  }
  Violation violation = checkLength(rules, v.size(), "bytes");
  return violation ? violation : checkAffixes(rules, v);
}

Violation checkEnum(const ::validate::EnumRules& rules, const FieldValue& value) {
  const int v = value.enumNumber();
  if (Violation violation = checkListed(rules, v)) {
    return violation;
  }
  if (rules.defined_only() && value.field->enum_type()->FindValueByNumber(v) == nullptr) {
    return "value must be one of the defined enum values";
  }
  return {};
}

struct Bound {
  bool set;
  uint64_t count;
};

Violation checkSize(uint64_t size, Bound min, Bound max, absl::string_view unit) {
  if ((!min.set || size >= min.count) && (!max.set || size <= max.count)) {
    return {};
  }
  if (min.set && max.set) {
    return min.count == max.count
               ? absl::StrCat("value must contain exactly ", min.count, " ", unit, "(s)")
               : absl::StrCat("value must contain between ", min.count, " and ", max.count, " ",
                              unit, "s, inclusive");
  }
  return min.set ? absl::StrCat("value must contain at least ", min.count, " ", unit, "(s)")
                 : absl::StrCat("value must contain no more than ", max.count, " ", unit, "(s)");
}

} // namespace

Violation checkValue(const FieldRules& rules, const FieldValue& value) {
  switch (rules.type_case()) {
  case FieldRules::kFloat:
    return checkNumber<float>(rules.float_(), value);
  case FieldRules::kDouble:
    return checkNumber<double>(rules.double_(), value);
  case FieldRules::kInt32:
    return checkNumber<int32_t>(rules.int32(), value);
  case FieldRules::kInt64:
    return checkNumber<int64_t>(rules.int64(), value);
  case FieldRules::kUint32:
    return checkNumber<uint32_t>(rules.uint32(), value);
  case FieldRules::kUint64:
    return checkNumber<uint64_t>(rules.uint64(), value);
  case FieldRules::kBool:
    if (rules.bool_().has_const_() && value.number<bool>() != rules.bool_().const_()) {
      return "value must equal " + text(rules.bool_().const_());
    }
    return {};
  case FieldRules::kString:
    return checkString(rules.string(), value.string());
  case FieldRules::kBytes:
    return checkBytes(rules.bytes(), value.string());
  case FieldRules::kEnum:
    return checkEnum(rules.enum_(), value);
  case FieldRules::kDuration: {
    Duration duration;
    duration.CopyFrom(value.message());
    if (rules.duration().has_const_() &&
        (less(duration, rules.duration().const_()) || less(rules.duration().const_(), duration))) {
      return "value must equal " + text(rules.duration().const_());
    }
    return checkRange(rules.duration(), duration);
  }
  case FieldRules::kAny: {
    google::protobuf::Any any;
    any.CopyFrom(value.message());
    if (rules.any().in_size() > 0 && !contains(rules.any().in(), any.type_url())) {
      return "type URL must be in list " + listText(rules.any().in());
    }
    if (contains(rules.any().not_in(), any.type_url())) {
      return "type URL must not be in list " + listText(rules.any().not_in());
    }
    return {};
  }
  default:
    return {};
  }
}

Violation checkCount(const FieldRules& rules, uint64_t size) {
  if (rules.has_map()) {
    const auto& map = rules.map();
    return size == 0 && map.ignore_empty()
               ? Violation()
               : checkSize(size, {map.has_min_pairs(), map.min_pairs()},
                           {map.has_max_pairs(), map.max_pairs()}, "pair");
  }
  const auto& list = rules.repeated();
  return size == 0 && list.ignore_empty()
             ? Violation()
             : checkSize(size, {list.has_min_items(), list.min_items()},
                         {list.has_max_items(), list.max_items()}, "item");
}

std::string uniqueKey(const FieldValue& value) {
  switch (value.field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_STRING:
    return value.string();
  case FieldDescriptor::CPPTYPE_ENUM:
    return absl::StrCat(value.enumNumber());
  case FieldDescriptor::CPPTYPE_MESSAGE:
    return value.message().SerializeAsString();
  default:
    return absl::StrCat(value.number<double>());
  }
}

} // namespace culvert::config
