// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/direct_response/v3/config.pb.h"
#include "source/filter_api/filter.h"

namespace culvert {
namespace {

using Proto = envoy::extensions::filters::network::direct_response::v3::Config;

struct Response {
  std::string bytes;
};

// Sends fixed bytes to whoever connects, then closes.
class DirectResponse final : public Filter {
public:
  static constexpr bool kTerminal = true;
  static constexpr const char* kNames[] = {"envoy.filters.network.direct_response"};

  DirectResponse(const Response& response, FilterContext&) : response_(response) {}

  Next onOpen() override {
    connection().info().response_code_details = "direct_response";
    connection().write(response_.bytes);
    return connection().close(CloseReason::local(""));
  }

private:
  const Response& response_;
};

absl::StatusOr<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::InvalidArgumentError(absl::StrCat("response.filename: Invalid path: ", path));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::StatusOr<std::shared_ptr<const Response>> makeResponse(const Proto& proto, FactoryContext&) {
  const auto& source = proto.response();
  auto response = std::make_shared<Response>();
  if (source.has_filename()) {
    auto bytes = readFile(source.filename());
    if (!bytes.ok()) {
      return bytes.status();
    }
    response->bytes = *std::move(bytes);
  } else {
    response->bytes = source.has_inline_bytes() ? source.inline_bytes() : source.inline_string();
  }
  return response;
}

} // namespace

CULVERT_NETWORK_FILTER(direct_response, Proto, DirectResponse, makeResponse)

} // namespace culvert
