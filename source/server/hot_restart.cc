// SPDX-License-Identifier: Apache-2.0
#include "source/server/hot_restart.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"
#include "source/server/admin/admin.h"
#include "source/server/listener_manager.h"

namespace culvert::server {
namespace {

// What a child gets beyond the time that it named itself.
constexpr std::chrono::seconds kGrace(2);

} // namespace

HotRestart::HotRestart(Process process, stats::Store& store, net::Fd socket)
    : process_(std::move(process)), store_(store), socket_(std::move(socket)),
      end_timer_(process_.main, event::Timer::Callback::to<&HotRestart::endForChild>(this)),
      first_start_(process_.start) {}

HotRestart::~HotRestart() = default;

absl::Status HotRestart::join() {
  if (!socket_.valid() || process_.options.restart_epoch == 0) {
    return absl::OkStatus();
  }
  auto parent = ParentProcess::connect(process_.main, store_, process_.options);
  if (!parent.ok()) {
    if (process_.options.skip_hot_restart_on_no_parent && absl::IsUnavailable(parent.status())) {
      LOG(warning, main, "there is no process to take over from: %s",
          std::string(parent.status().message()));
      return absl::OkStatus();
    }
    return absl::Status(parent.status().code(),
                        absl::StrCat("--restart-epoch ", process_.options.restart_epoch, ": ",
                                     parent.status().message()));
  }
  parent_ = *std::move(parent);
  generation_ = parent_->generation() + 1;
  first_start_ = parent_->firstStart();
  return absl::OkStatus();
}

void HotRestart::attach(ListenerManager& listeners) {
  listeners_ = &listeners;
  if (parent_ != nullptr) {
    listeners.setInherit([this](const net::Address& address) { return parent_->sockets(address); });
  }
}

absl::Status HotRestart::start(Admin& admin) {
  admin_ = &admin;
  std::vector<net::Fd> inherited;
  if (parent_ != nullptr) {
    inherited = parent_->adminSocket(admin.address());
  }
  return admin.start(inherited.empty() ? net::Fd() : std::move(inherited.front()));
}

void HotRestart::onConfigured() {
  if (parent_ != nullptr) {
    parent_->takeAdmin();
  }
  if (socket_.valid()) {
    RestartedServer& self = *this; // Which only this class may know.
    child_ = std::make_unique<ChildProcess>(process_.main, std::move(socket_), self, store_,
                                            process_.options.restart_epoch,
                                            ChildProcess::Birth{generation_, first_start_});
  }
}

void HotRestart::onLive() {
  live_ = true;
  if (parent_ != nullptr) {
    parent_->drain();
  }
}

void HotRestart::onStopped() {
  if (child_ != nullptr) {
    child_->tellStatistics();
  }
}

std::vector<int> HotRestart::listeningSockets(const std::string& address) const {
  return listeners_->socketsAt(address);
}

std::vector<int> HotRestart::adminSocket(const std::string& address) const {
  return admin_ != nullptr && admin_->address().toString() == address
             ? std::vector<int>{admin_->socket()}
             : std::vector<int>();
}

void HotRestart::pauseAdmin(bool paused) {
  if (admin_ != nullptr) {
    admin_->pause(paused);
  }
}

// Two processes at a time are enough: the one before this one ends now.
void HotRestart::drainForChild(base::Duration shutdown_time) {
  live_ = false;
  LOG(warning, main, "terminating parent process");
  if (parent_ != nullptr) {
    parent_->terminate();
  }
  LOG(info, main, "closing and draining listeners");
  if (admin_ != nullptr) {
    admin_->stopListening();
  }
  const auto all = [](const ListenerConfig&) { return true; };
  listeners_->beginDrain(all);
  listeners_->stopListening(all);
  end_timer_.arm(shutdown_time + kGrace);
}

void HotRestart::endForChild() { process_.shut_down(); }

} // namespace culvert::server
