// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/health_probe.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/upstream/http2_probes.h"
#include "source/upstream/http_response.h"

namespace culvert::upstream {
namespace {

// More of an answer than this cannot be meant.
constexpr size_t kAnswerBytesMax = 64 * 1024;

class TcpProbe final : public HealthProbe {
public:
  explicit TcpProbe(const HealthCheckConfig& config) : config_(config) {}

  std::string begin() override {
    received_.clear();
    return config_.send;
  }
  Verdict take(absl::string_view bytes, bool end) override {
    absl::StrAppend(&received_, bytes);
    if (matches()) {
      received_.clear();
      return Verdict::kPass;
    }
    return end || received_.size() > kAnswerBytesMax ? Verdict::kBroken : Verdict::kMore;
  }
  bool connectOnly() const override { return config_.receive.empty(); }

private:
  // Other bytes may stand between the wanted ones.
  bool matches() const {
    size_t from = 0;
    for (const std::string& wanted : config_.receive) {
      const size_t at = received_.find(wanted, from);
      if (at == std::string::npos) {
        return false;
      }
      from = at + wanted.size();
    }
    return true;
  }

  const HealthCheckConfig& config_;
  std::string received_;
};

bool within(uint32_t status, const std::vector<StatusRange>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const StatusRange& range) {
    return status >= range.start && status < range.end;
  });
}

std::string linesOf(const HealthHeaders& headers) {
  std::string lines;
  for (const auto& [name, value] : headers) {
    absl::StrAppend(&lines, name, ": ", value, "\r\n");
  }
  return lines;
}

class Http1Probe final : public HealthProbe {
public:
  Http1Probe(const HttpCheckConfig& config, absl::string_view host)
      : config_(config),
        request_(absl::StrCat(config.method, " ", config.path, " HTTP/1.1\r\nhost: ", host, "\r\n",
                              linesOf(config.headers), "\r\n")) {}

  std::string begin() override {
    response_ = HttpResponse(config_.method == "HEAD");
    return request_;
  }
  Verdict take(absl::string_view bytes, bool end) override {
    switch (response_.take(bytes, end)) {
    case HttpResponse::State::kIncomplete:
      return Verdict::kMore;
    case HttpResponse::State::kBroken:
      return Verdict::kBroken;
    case HttpResponse::State::kComplete:
      break;
    }
    return judgeStatus(config_, response_.status(), response_.degraded());
  }
  bool takeUnasked(absl::string_view bytes) override { return bytes.empty(); }
  uint32_t status() const override { return response_.status(); }
  bool reusable() const override { return response_.keepAlive(); }
  bool needsConnection() const override { return false; }

private:
  const HttpCheckConfig& config_;
  const std::string request_;
  HttpResponse response_{false};
};

} // namespace

std::unique_ptr<HealthProbe> makeTcpProbe(const HealthCheckConfig& config) {
  return std::make_unique<TcpProbe>(config);
}

std::unique_ptr<HealthProbe> makeHttpProbe(const HttpCheckConfig& config,
                                           absl::string_view authority) {
  return config.http2 ? makeHttp2Probe(config, authority)
                      : std::make_unique<Http1Probe>(config, authority);
}

HealthProbe::Verdict judgeStatus(const HttpCheckConfig& config, uint32_t status, bool degraded) {
  using Verdict = HealthProbe::Verdict;
  if (within(status, config.expected)) {
    return degraded ? Verdict::kDegraded : Verdict::kPass;
  }
  return within(status, config.retriable) ? Verdict::kRetry : Verdict::kRefused;
}

} // namespace culvert::upstream
