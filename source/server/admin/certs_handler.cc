// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "source/server/admin/endpoints.h"
#include "source/server/admin/json.h"

namespace culvert::server::admin_handlers {
namespace {

std::string timeText(base::WallTime time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

Json sansJson(const net::CertificateFacts& facts) {
  Json sans = Json::array();
  const auto add = [&](const char* kind, const std::vector<std::string>& names) {
    for (const std::string& name : names)
      sans.push_back({{kind, name}});
  };
  add("dns", facts.dns_sans);
  add("uri", facts.uri_sans);
  add("ip_address", facts.ip_sans);
  return sans;
}

// envoy.admin.v3.CertificateDetails.
Json certificateJson(const CertificateView& certificate, base::WallTime now) {
  const auto left =
      std::chrono::duration_cast<std::chrono::hours>(certificate.facts.valid_to - now);
  return {{"path", certificate.path},
          {"serial_number", certificate.facts.serial},
          {"subject_alt_names", sansJson(certificate.facts)},
          {"days_until_expiration", absl::StrCat(std::max<int64_t>(left.count() / 24, 0))},
          {"valid_from", timeText(certificate.facts.valid_from)},
          {"expiration_time", timeText(certificate.facts.valid_to)}};
}

Json listJson(const std::vector<CertificateView>& certificates, base::WallTime now) {
  Json list = Json::array();
  for (const CertificateView& certificate : certificates)
    list.push_back(certificateJson(certificate, now));
  return list;
}

} // namespace

void certs(AdminContext& context, const event::HttpRequest&, event::HttpResponse& response) {
  const base::WallTime now = context.clock.wallNow();
  Json all = Json::array();
  if (context.certificates) {
    for (const CertificatesView& one : context.certificates())
      all.push_back({{"ca_cert", listJson(one.authorities, now)},
                     {"cert_chain", listJson(one.certificates, now)}});
  }
  answerJson({{"certificates", std::move(all)}}, response);
}

} // namespace culvert::server::admin_handlers
