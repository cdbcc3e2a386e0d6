// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/http2_probes.h"

#include <utility>

#include "absl/strings/match.h"
#include "google/protobuf/unknown_field_set.h"
#include "source/hbone/http2_client.h"

namespace culvert::upstream {
namespace {

using hbone::Http2Client;
using hbone::Http2Fields;
using hbone::Http2Response;

Http2Fields fieldsOf(const std::string& method, absl::string_view authority,
                     const std::string& path, const HealthHeaders& headers) {
  Http2Fields fields = {{":method", method},
                        {":scheme", "http"},
                        {":authority", std::string(authority)},
                        {":path", path}};
  fields.insert(fields.end(), headers.begin(), headers.end());
  return fields;
}

// One request on each check, all of them on one connection.
class Http2Probe : public HealthProbe {
public:
  Http2Probe(Http2Fields fields, std::string body)
      : fields_(std::move(fields)), body_(std::move(body)) {}

  void connected() override { client_ = std::make_unique<Http2Client>(); }
  std::string begin() override {
    client_->request(fields_, body_);
    return client_->output();
  }
  Verdict take(absl::string_view bytes, bool end) override {
    if (!client_->take(bytes)) {
      return Verdict::kBroken;
    }
    switch (client_->response().state) {
    case Http2Response::State::kIncomplete:
      return end ? Verdict::kBroken : Verdict::kMore;
    case Http2Response::State::kReset:
      return Verdict::kBroken;
    case Http2Response::State::kComplete:
      break;
    }
    return judge(client_->response());
  }
  bool takeUnasked(absl::string_view bytes) override {
    return client_->take(bytes) && client_->reusable();
  }
  std::string reply() override { return client_->output(); }
  bool reusable() const override { return client_->reusable(); }
  bool needsConnection() const override { return false; }

protected:
  virtual Verdict judge(const Http2Response& response) const = 0;
  const Http2Response& response() const { return client_->response(); }

private:
  const Http2Fields fields_;
  const std::string body_;
  std::unique_ptr<Http2Client> client_; // Of the connection; null before the first.
};

class HttpProbe final : public Http2Probe {
public:
  HttpProbe(const HttpCheckConfig& config, absl::string_view authority)
      : Http2Probe(fieldsOf(config.method, authority, config.path, config.headers), ""),
        config_(config) {}

  uint32_t status() const override { return response().status; }

private:
  Verdict judge(const Http2Response& response) const override {
    return judgeStatus(config_, response.status, response.find("x-envoy-degraded") != nullptr);
  }

  const HttpCheckConfig& config_;
};

// gRPC's frame: not compressed, four bytes of length, the message.
constexpr size_t kFrameHeadBytes = 5;

// A grpc.health.v1.HealthCheckRequest, whose field 1 is the service.
std::string grpcRequest(const std::string& service) {
  google::protobuf::UnknownFieldSet message;
  if (!service.empty()) {
    message.AddLengthDelimited(1, service);
  }
  std::string bytes;
  message.SerializeToString(&bytes);
  std::string frame(kFrameHeadBytes, '\0');
  for (size_t i = 1, left = bytes.size(); i < kFrameHeadBytes; ++i, left >>= 8) {
    frame[kFrameHeadBytes - i] = static_cast<char>(left & 0xff);
  }
  return frame + bytes;
}

// Whether `body` is one grpc.health.v1.HealthCheckResponse, whose field 1 is SERVING.
bool isServing(absl::string_view body) {
  constexpr uint64_t kServing = 1;
  if (body.size() < kFrameHeadBytes || body[0] != 0) {
    return false;
  }
  size_t size = 0;
  for (size_t i = 1; i < kFrameHeadBytes; ++i) {
    size = size << 8 | static_cast<uint8_t>(body[i]);
  }
  body.remove_prefix(kFrameHeadBytes);
  google::protobuf::UnknownFieldSet message;
  if (size != body.size() || !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return false;
  }
  uint64_t status = 0;
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::UnknownField& field = message.field(i);
    if (field.number() == 1 && field.type() == google::protobuf::UnknownField::TYPE_VARINT) {
      status = field.varint(); // The last one counts.
    }
  }
  return status == kServing;
}

class GrpcProbe final : public Http2Probe {
public:
  GrpcProbe(const GrpcCheckConfig& config, absl::string_view authority)
      : Http2Probe(fieldsOf("POST", authority, "/grpc.health.v1.Health/Check", config.headers),
                   grpcRequest(config.service)) {}

private:
  Verdict judge(const Http2Response& response) const override {
    const std::string* const type = response.find("content-type");
    const std::string* const status = response.find("grpc-status");
    const bool good = response.status == 200 && type != nullptr &&
                      absl::StartsWith(*type, "application/grpc") && status != nullptr &&
                      *status == "0" && isServing(response.body);
    return good ? Verdict::kPass : Verdict::kRefused;
  }
};

} // namespace

std::unique_ptr<HealthProbe> makeHttp2Probe(const HttpCheckConfig& config,
                                            absl::string_view authority) {
  return std::make_unique<HttpProbe>(config, authority);
}

std::unique_ptr<HealthProbe> makeGrpcProbe(const GrpcCheckConfig& config,
                                           absl::string_view authority) {
  return std::make_unique<GrpcProbe>(config, authority);
}

} // namespace culvert::upstream
