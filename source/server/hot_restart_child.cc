// SPDX-License-Identifier: Apache-2.0
#include "source/server/hot_restart_child.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/server/hot_restart.pb.h"
#include "source/server/options.h"

namespace culvert::server {
namespace {

using hot_restart::Answer;
using hot_restart::Request;
using hot_restart::Statistics;

// A child that does not read must not stop main for long.
constexpr std::chrono::seconds kPatience(1);
constexpr std::chrono::seconds kTellInterval(1);
// Of names in one message, so that it fits.
constexpr size_t kNameBytesMax = RestartChannel::kMessageBytesMax / 2;
constexpr size_t kBytesBesideName = 16;

} // namespace

ChildProcess::ChildProcess(event::Loop& main, net::Fd listening, RestartedServer& server,
                           stats::Store& store, uint32_t epoch, Birth birth)
    : server_(server), store_(store), main_(main), epoch_(epoch), birth_(birth),
      listening_(std::move(listening)),
      connects_(main, listening_.get(),
                event::FdEvents::Callback::to<&ChildProcess::onConnect>(this)),
      tell_timer_(main, event::Timer::Callback::to<&ChildProcess::onTellTimer>(this)) {
  connects_.setRead(event::FdEvents::ReadInterest::kData);
}

ChildProcess::~ChildProcess() = default;

void ChildProcess::onConnect(uint32_t) {
  absl::StatusOr<RestartChannel> channel = RestartChannel::accept(listening_.get(), kPatience);
  if (!channel.ok()) {
    LOG(warning, main, "hot restart refused: %s", std::string(channel.status().message()));
    return;
  }
  if (!channel->valid() || channel_.has_value()) {
    return; // There is a child already: this one sees the end of its channel.
  }
  channel_ = *std::move(channel);
  events_.emplace(main_, channel_->fd(),
                  event::FdEvents::Callback::to<&ChildProcess::onReady>(this));
  events_->setRead(event::FdEvents::ReadInterest::kData);
}

// One message a turn: what one asks for is done before the next.
void ChildProcess::onReady(uint32_t) {
  Request request;
  std::vector<net::Fd> none;
  const auto got = channel_->receive(request, none, /*wait=*/false);
  if (!got.ok()) {
    onGone();
  } else if (*got == RestartChannel::Got::kMessage) {
    handle(request);
  }
}

void ChildProcess::onGone() {
  close();
  if (took_admin_ && !draining_) {
    LOG(warning, main, "the child process ended before it took over: serving on");
    took_admin_ = false;
    server_.pauseAdmin(false);
  }
}

void ChildProcess::close() {
  tell_timer_.disarm();
  tells_ = false;
  greeted_ = false;
  events_.reset();
  channel_.reset();
}

void ChildProcess::handle(const Request& request) {
  if (request.has_hello()) {
    greet(request.hello());
  } else if (!greeted_) {
    onGone();
  } else if (request.has_sockets()) {
    giveSockets(request.sockets());
  } else if (request.has_take_admin()) {
    LOG(warning, main, "shutting down admin due to child startup");
    took_admin_ = true;
    server_.pauseAdmin(true);
  } else if (request.has_drain() && !draining_) {
    draining_ = true;
    tells_ = request.drain().tell_statistics();
    server_.drainForChild(
        std::chrono::seconds(std::min<uint64_t>(request.drain().shutdown_time_s(), UINT32_MAX)));
    onTellTimer();
  } else if (request.has_terminate()) {
    LOG(info, main, "shutting down due to child request");
    server_.endForChild();
  }
}

std::string ChildProcess::whyNot(const hot_restart::Request_Hello& hello) const {
  if (hello.version() != kHotRestartVersion) {
    return absl::StrCat("the running process has hot restart version ", kHotRestartVersion,
                        ", this one ", hello.version(),
                        ": stop it and start this one with --restart-epoch 0");
  }
  if (hello.epoch() != epoch_ + 1) {
    return absl::StrCat("the running process is of epoch ", epoch_, ", so that the next one is ",
                        epoch_ + 1, ", not ", hello.epoch());
  }
  return server_.mayBeFollowed() ? "" : "the running process has not started yet, or is stopping";
}

void ChildProcess::greet(const hot_restart::Request_Hello& hello) {
  Answer greeting;
  greeting.set_refused(whyNot(hello));
  greeting.set_generation(birth_.generation);
  greeting.set_first_start_ns(
      std::chrono::nanoseconds(birth_.first_start.time_since_epoch()).count());
  greeted_ = greeting.refused().empty();
  answer(greeting);
}

void ChildProcess::giveSockets(const hot_restart::Request_Sockets& wanted) {
  const std::vector<int> all = wanted.admin() ? server_.adminSocket(wanted.address())
                                              : server_.listeningSockets(wanted.address());
  const size_t from = std::min<size_t>(wanted.from(), all.size());
  Answer given;
  given.set_sockets(static_cast<uint32_t>(all.size()));
  answer(given, absl::MakeConstSpan(all).subspan(from, RestartChannel::kDescriptorsMax));
}

void ChildProcess::answer(const Answer& answer, absl::Span<const int> descriptors) {
  if (absl::Status status = channel_->send(answer, descriptors); !status.ok()) {
    LOG(warning, main, "the child process: %s", std::string(status.message()));
    onGone();
  }
}

void ChildProcess::onTellTimer() {
  tellStatistics();
  if (tells_) {
    tell_timer_.arm(kTellInterval);
  }
}

void ChildProcess::tellStatistics() {
  if (!tells_ || !channel_.has_value()) {
    return;
  }
  Statistics statistics;
  size_t bytes = 0;
  bool sent = true;
  const auto send = [&] {
    statistics.set_connections(server_.connections());
    sent = sent && channel_->send(statistics).ok();
    statistics.clear_counters();
    bytes = 0;
  };
  for (const stats::Counter* counter : store_.counters()) {
    const uint64_t value = counter->value();
    uint64_t& told = told_[counter->name()];
    if (value > told && counter->name().size() < kNameBytesMax) {
      (*statistics.mutable_counters())[counter->name()] = value - told;
      bytes += counter->name().size() + kBytesBesideName;
    }
    told = value;
    if (bytes > kNameBytesMax) {
      send();
    }
  }
  send();
  tells_ = sent;
}

} // namespace culvert::server
