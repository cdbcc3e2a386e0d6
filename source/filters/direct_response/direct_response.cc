// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "envoy/extensions/filters/network/direct_response/v3/config.pb.h"
#include "source/base/data_source.h"
#include "source/base/field_error.h"
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

absl::StatusOr<std::shared_ptr<const Response>> makeResponse(const Proto& proto, FactoryContext&) {
  auto response = std::make_shared<Response>();
  if (proto.has_response()) {
    auto bytes = base::readDataSource(proto.response());
    if (!bytes.ok()) {
      return base::errorAt("response", bytes.status().message());
    }
    response->bytes = *std::move(bytes);
  }
  return response;
}

} // namespace

CULVERT_NETWORK_FILTER(direct_response, Proto, DirectResponse, makeResponse)

} // namespace culvert
