// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include "google/protobuf/struct.pb.h"
#include "source/access_log/entry_for_test.h"
#include "source/base/check.h"

// Any text is a format or an error. What a format prints of peers stays on the line, and in JSON
// it stays inside the object.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using culvert::access_log::Formatter;
  const std::string format(reinterpret_cast<const char*>(data), size);
  culvert::access_log::TestSession session;
  session.info.requested_server_name = session.info.termination_details = format;
  session.info.mutableFilterState().set("k", std::make_shared<culvert::net::StringState>(format));

  std::string out;
  if (const auto formatter = Formatter::text(format); formatter.ok())
    (*formatter)->append(session.entry(), out);

  google::protobuf::Struct object;
  (*object.mutable_fields())["a"].set_string_value(format);
  (*object.mutable_fields())["b"].set_string_value(
      "%REQUESTED_SERVER_NAME%%CONNECTION_TERMINATION_DETAILS%%FILTER_STATE(k)%");
  out.clear();
  if (const auto formatter = Formatter::json(object, size % 2 == 0); formatter.ok()) {
    (*formatter)->append(session.entry(), out);
    CULVERT_CHECK(out.find('\n') == out.size() - 1 && out[out.size() - 2] == '}');
  }
  return 0;
}
