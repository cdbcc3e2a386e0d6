// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/event/timer_heap.h"
#include "source/filter_api/filter.h"
#include "source/filter_api/proto_fields.h"
#include "source/filters/socks5/messages.h"
#include "source/filters/socks5/socks5.pb.h"
#include "source/stats/store.h"

namespace culvert {
namespace socks5 {
namespace {

using Proto = filters::socks5::v1::Socks5;

constexpr std::chrono::seconds kTimeoutDefault(10);

// Why a client is refused. The first ones are the mistakes of messages.h, in their order.
struct Refusal {
  const char* detail; // Of the close reason; the counter is what is behind "socks5_".
  ReplyCode code;
  const char* sentence;
};
constexpr size_t kName = 4, kEnded = 5, kTimeout = 6;
constexpr Refusal kRefusals[] = {
    {"socks5_refused_version", ReplyCode::kCommandNotSupported, "it does not speak SOCKS5"},
    {"socks5_refused_method", ReplyCode::kCommandNotSupported, "it wants to authenticate itself"},
    {"socks5_refused_command", ReplyCode::kCommandNotSupported, "its command is not CONNECT"},
    {"socks5_refused_address_type", ReplyCode::kCommandNotSupported, "its address is of no type"},
    {"socks5_refused_name", ReplyCode::kCommandNotSupported, "names are not looked up"},
    {"socks5_refused_ended", ReplyCode::kGeneralFailure, "it ended before it had said all"},
    {"socks5_refused_timeout", ReplyCode::kGeneralFailure, "it took longer than its time"},
};

// Threads: built on main, then read-only on all workers.
struct Config {
  static absl::StatusOr<std::shared_ptr<const Config>> create(const Proto& proto,
                                                              FactoryContext& context) {
    return std::make_shared<const Config>(proto, context.scope);
  }
  Config(const Proto& proto, stats::Scope& root)
      : timeout(proto.has_negotiation_timeout() ? toDuration(proto.negotiation_timeout())
                                                : base::Duration(kTimeoutDefault)),
        scope(root.scope(absl::StrCat("socks5.", proto.stat_prefix()))),
        negotiated(scope->counter("negotiated")) {
    for (size_t i = 0; i < refused.size(); i++) {
      refused[i] = &scope->counter(absl::string_view(kRefusals[i].detail).substr(7));
    }
  }

  const base::Duration timeout; // 0: none.
  const std::unique_ptr<stats::Scope> scope;
  Counter& negotiated;
  std::array<Counter*, std::size(kRefusals)> refused;
};

// Asks a client where its connection goes, and makes it one to there.
class Socks5 final : public Filter {
public:
  Socks5(const Config& config, FilterContext&) : config_(config) {}

  Next onOpen() override;
  Next onData(Buffer& data, bool end) override;
  void onClose(const CloseReason&) override { timer_.reset(); }

private:
  Next accept(const Message& request);
  Next refuse(size_t why);
  void onTimeout() { refuse(kTimeout); }

  const Config& config_;
  std::unique_ptr<event::Timer> timer_; // While a client has a limited time to say more.
  bool greeted_ = false;
};

Next Socks5::onOpen() {
  if (config_.timeout > base::Duration::zero()) {
    timer_ = std::make_unique<event::Timer>(connection().loop(),
                                            event::Timer::Callback::to<&Socks5::onTimeout>(this));
    timer_->arm(config_.timeout);
  }
  return Next::kStop;
}

// A client may send its request, and what follows, without waiting for answers.
Next Socks5::onData(Buffer& data, bool end) {
  for (;;) {
    const std::string stream = data.peek(kMessageBytesMax);
    const Message message = greeted_ ? readRequest(stream) : readGreeting(stream);
    if (message.kind == Message::Kind::kWrong) {
      return refuse(static_cast<size_t>(message.mistake));
    }
    if (message.kind == Message::Kind::kNeedMore) {
      return end ? refuse(kEnded) : Next::kStop;
    }
    data.drain(message.bytes);
    if (greeted_) {
      return accept(message);
    }
    greeted_ = true;
    connection().write(kNoAuthentication);
  }
}

Next Socks5::accept(const Message& request) {
  if (!request.destination.isIp()) {
    LOG_CONNECTION(debug, filter, connection().id(), "SOCKS5: asked for '%s', port %d",
                   absl::CHexEscape(request.name), request.port);
    return refuse(kName);
  }
  timer_.reset();
  config_.negotiated.add();
  LOG_CONNECTION(debug, filter, connection().id(), "SOCKS5: to %s", request.destination.toString());
  ConnectionInfo& info = connection().info();
  info.local = request.destination;
  info.local_restored = true;
  connection().write(reply(ReplyCode::kSucceeded));
  bypass();
  resume();
  return Next::kContinue;
}

Next Socks5::refuse(size_t why) {
  timer_.reset();
  config_.refused[why]->add();
  const Refusal& refusal = kRefusals[why];
  LOG_CONNECTION(debug, filter, connection().id(), "SOCKS5: refused: %s", refusal.sentence);
  connection().info().termination_details = refusal.detail;
  connection().write(reply(refusal.code));
  return connection().close(CloseReason::local(refusal.detail));
}

} // namespace
} // namespace socks5

CULVERT_NETWORK_FILTER(socks5, socks5::Proto, socks5::Socks5, socks5::Config::create)

} // namespace culvert
