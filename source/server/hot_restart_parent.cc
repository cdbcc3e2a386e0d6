// SPDX-License-Identifier: Apache-2.0
#include "source/server/hot_restart_parent.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/server/base_id.h"
#include "source/server/hot_restart.pb.h"

namespace culvert::server {
namespace {

using hot_restart::Answer;
using hot_restart::Request;
using hot_restart::Statistics;

constexpr std::chrono::seconds kPatience(5);

} // namespace

absl::StatusOr<std::unique_ptr<ParentProcess>>
ParentProcess::connect(event::Loop& main, stats::Store& store, const Options& options) {
  auto channel =
      RestartChannel::connect(restartSocket(options, options.restart_epoch - 1), kPatience);
  if (!channel.ok()) {
    return channel.status();
  }
  std::unique_ptr<ParentProcess> parent(
      new ParentProcess(main, store, options, *std::move(channel)));
  if (absl::Status status = parent->greet(); !status.ok()) {
    return status;
  }
  return parent;
}

ParentProcess::ParentProcess(event::Loop& main, stats::Store& store, const Options& options,
                             RestartChannel channel)
    : store_(store), options_(options), channel_(std::move(channel)),
      events_(main, channel_.fd(), event::FdEvents::Callback::to<&ParentProcess::onReady>(this)),
      shutdown_timer_(main, event::Timer::Callback::to<&ParentProcess::onShutdownTime>(this)) {}

ParentProcess::~ParentProcess() = default;

absl::Status ParentProcess::greet() {
  Request request;
  request.mutable_hello()->set_version(kHotRestartVersion);
  request.mutable_hello()->set_epoch(options_.restart_epoch);
  std::vector<net::Fd> none;
  const auto answer = roundTrip(request, none);
  if (!answer.ok()) {
    return answer.status();
  }
  if (!answer->refused().empty()) {
    return absl::FailedPreconditionError(answer->refused());
  }
  generation_ = answer->generation();
  first_start_ = base::Instant(std::chrono::nanoseconds(answer->first_start_ns()));
  return absl::OkStatus();
}

absl::StatusOr<Answer> ParentProcess::roundTrip(const Request& request,
                                                std::vector<net::Fd>& descriptors) {
  Answer answer;
  if (absl::Status status = channel_.send(request); !status.ok()) {
    return status;
  }
  const auto got = channel_.receive(answer, descriptors, /*wait=*/true);
  return got.ok() ? absl::StatusOr<Answer>(std::move(answer)) : got.status();
}

std::vector<net::Fd> ParentProcess::ask(const net::Address& address, bool admin) {
  std::vector<net::Fd> sockets;
  Request request;
  request.mutable_sockets()->set_address(address.toString());
  request.mutable_sockets()->set_admin(admin);
  while (!gone_ && !draining_) {
    request.mutable_sockets()->set_from(static_cast<uint32_t>(sockets.size()));
    std::vector<net::Fd> some;
    const auto answer = roundTrip(request, some);
    if (!answer.ok()) {
      LOG(warning, main, "cannot take the sockets of %s over: %s", address.toString(),
          std::string(answer.status().message()));
      gone_ = true;
      break;
    }
    const bool none = some.empty();
    std::move(some.begin(), some.end(), std::back_inserter(sockets));
    if (none || sockets.size() >= answer->sockets()) {
      break;
    }
  }
  return sockets;
}

void ParentProcess::tell(const Request& request) {
  if (gone_) {
    return;
  }
  if (absl::Status status = channel_.send(request); !status.ok()) {
    LOG(warning, main, "the parent process: %s", std::string(status.message()));
    gone_ = true;
  }
}

void ParentProcess::takeAdmin() {
  Request request;
  request.mutable_take_admin();
  tell(request);
}

void ParentProcess::drain() {
  draining_ = true;
  Request request;
  request.mutable_drain()->set_shutdown_time_s(options_.parent_shutdown_time_s);
  request.mutable_drain()->set_tell_statistics(!options_.skip_hot_restart_parent_stats);
  tell(request);
  events_.setRead(event::FdEvents::ReadInterest::kData);
  shutdown_timer_.arm(std::chrono::seconds(options_.parent_shutdown_time_s));
}

void ParentProcess::terminate() {
  shutdown_timer_.disarm();
  Request request;
  request.mutable_terminate();
  tell(request);
}

void ParentProcess::onShutdownTime() {
  LOG(info, main, "shutting down parent after drain");
  terminate();
}

// Statistics, one packet a turn, then the end.
void ParentProcess::onReady(uint32_t) {
  Statistics statistics;
  std::vector<net::Fd> none;
  const auto got = channel_.receive(statistics, none, /*wait=*/false);
  if (!got.ok()) {
    events_.setRead(event::FdEvents::ReadInterest::kNone);
    shutdown_timer_.disarm();
    gone_ = true;
    connections_ = 0;
    return;
  }
  if (*got == RestartChannel::Got::kNothing) {
    return;
  }
  for (const auto& [name, count] : statistics.counters()) {
    store_.root().counter(name).add(count);
  }
  connections_ = statistics.connections();
}

} // namespace culvert::server
