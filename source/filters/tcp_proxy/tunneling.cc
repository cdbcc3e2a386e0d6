// SPDX-License-Identifier: Apache-2.0
#include "source/filters/tcp_proxy/tunneling.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "source/base/field_error.h"

namespace culvert::tcp_proxy {
namespace {

using access_log::Formatter;
using envoy::config::core::v3::HeaderValueOption;
using upstream::HttpFields;

HttpFields::iterator find(HttpFields& fields, absl::string_view name) {
  return std::find_if(fields.begin(), fields.end(),
                      [&](const auto& field) { return field.first == name; });
}

} // namespace

absl::StatusOr<std::unique_ptr<const Tunneling>> Tunneling::create(
    const envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy_TunnelingConfig& proto) {
  auto tunneling = std::make_unique<Tunneling>();
  absl::StatusOr<Formatter::Ptr> hostname = Formatter::text(proto.hostname());
  if (!hostname.ok()) {
    return base::errorAt("hostname", hostname.status().message());
  }
  tunneling->hostname_ = *std::move(hostname);
  if (!proto.use_post() && !proto.post_path().empty()) {
    return base::errorAt("post_path", "Can't set a post path when POST method isn't used");
  }
  if (proto.use_post()) {
    tunneling->post_path_ = proto.post_path().empty() ? "/" : proto.post_path();
  }
  for (int i = 0; i < proto.headers_to_add_size(); ++i) {
    const absl::Status status = tunneling->readHeader(proto.headers_to_add(i));
    if (!status.ok()) {
      return base::errorWithin(absl::StrCat("headers_to_add[", i, "].header"), status);
    }
  }
  tunneling->keeps_answer_ = proto.propagate_response_headers();
  return tunneling;
}

template <class Option> absl::Status Tunneling::readHeader(const Option& option) {
  const std::string name = absl::AsciiStrToLower(option.header().key());
  if (name == "host" || absl::StartsWith(name, ":")) {
    return base::errorAt("key", ":-prefixed or host headers may not be modified");
  }
  const std::string& text =
      option.header().value().empty() ? option.header().raw_value() : option.header().value();
  absl::StatusOr<Formatter::Ptr> value = Formatter::text(text, true);
  if (!value.ok()) {
    return base::errorAt("value", value.status().message());
  }
  const bool overwrites = option.append_action() == HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD ||
                          (option.has_append() && !option.append().value()); // Its older spelling.
  // The request has no headers but these, so nothing is there to be overwritten by the other one.
  if (option.append_action() != HeaderValueOption::OVERWRITE_IF_EXISTS) {
    headers_.push_back({name, *std::move(value), overwrites, option.keep_empty_value()});
  }
  return absl::OkStatus();
}

// As in Envoy, what overwrites comes first, and sees nothing of what is only added.
upstream::TunnelRequest Tunneling::request(const access_log::Entry& entry) const {
  upstream::TunnelRequest request;
  hostname_->append(entry, request.authority);
  request.post_path = post_path_;
  HttpFields added;
  for (const Header& header : headers_) {
    std::string value;
    header.value->append(entry, value);
    if (value.empty() && !header.keep_empty) {
      continue;
    }
    const auto there = find(request.headers, header.name);
    if (!header.overwrites) {
      added.emplace_back(header.name, std::move(value));
    } else if (there != request.headers.end()) {
      there->second = std::move(value);
    } else {
      request.headers.emplace_back(header.name, std::move(value));
    }
  }
  std::move(added.begin(), added.end(), std::back_inserter(request.headers));
  return request;
}

net::Value TunnelAnswer::typed() const {
  net::Value::List headers;
  for (const auto& [name, value] : fields_) {
    headers.push_back({net::Value::Fields{{"key", {name}}, {"value", {value}}}});
  }
  return {net::Value::Fields{{"headers", {std::move(headers)}}}};
}

} // namespace culvert::tcp_proxy
