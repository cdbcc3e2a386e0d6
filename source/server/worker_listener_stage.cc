// SPDX-License-Identifier: Apache-2.0
// How a connection goes through the listener filters, and from there to its chain or its end.
#include <chrono>
#include <utility>

#include "source/base/log.h"
#include "source/server/worker.h"
#include "source/server/worker_listener.h"

namespace culvert::server {

void WorkerListener::adoptRestored(IoPtr io, ConnectionInfo info, const Detected& detected) {
  listener_->add(worker_.index());
  if (listener_->countsForProcess()) {
    worker_.cap_.add();
  }
  own(info);
  filterOrEstablish(std::move(io), info, detected);
}

void WorkerListener::filterOrEstablish(IoPtr io, ConnectionInfo& info, const Detected& detected) {
  if (listener_->config().listener_filters.empty()) {
    establish(std::move(io), info, detected);
  } else {
    filter(std::move(io), std::move(info), detected);
  }
}

// What has come with the connection often is enough; only what has to wait joins the list.
void WorkerListener::filter(IoPtr io, ConnectionInfo info, const Detected& detected) {
  const ListenerConfig& config = listener_->config();
  StageOwner& owner = *this;
  auto stage = std::make_unique<ListenerStage>(worker_.loop(), std::move(io), std::move(info),
                                               config.listener_filters, owner);
  stage->detected() = detected;
  if (const std::optional<StageEnd> end = stage->run()) {
    leaveStage(*stage, *end);
    return;
  }
  stage->wait(config.listener_filters_timeout);
  stats_.downstream_pre_cx_active.add();
  stages_.pushBack(*stage.release());
}

std::unique_ptr<ListenerStage> WorkerListener::takeStage(ListenerStage& stage) {
  stage.unlink();
  stats_.downstream_pre_cx_active.sub();
  return std::unique_ptr<ListenerStage>(&stage);
}

void WorkerListener::onStageEnd(ListenerStage& stage, StageEnd end) {
  std::unique_ptr<ListenerStage> ended = takeStage(stage);
  leaveStage(*ended, end);
  worker_.loop().deferDelete(std::move(ended));
}

void WorkerListener::leaveStage(ListenerStage& stage, StageEnd end) {
  switch (end) {
  case StageEnd::kReady:
    return leaveForChain(stage);
  case StageEnd::kRefused:
    return endStage(stage, net::CloseCode::kFilter);
  case StageEnd::kPeerClosed:
    stats_.downstream_listener_filter_remote_close.add();
    return endStage(stage, net::CloseCode::kPeerClosed);
  case StageEnd::kPeerReset:
    stats_.downstream_listener_filter_error.add();
    return endStage(stage, net::CloseCode::kPeerReset);
  case StageEnd::kTimedOut:
    stats_.downstream_pre_cx_timeout.add();
    tellOfSilence(stage);
    if (listener_->config().continue_on_listener_filters_timeout) {
      return leaveForChain(stage);
    }
    return endStage(stage, net::CloseCode::kListenerFilterTimeout);
  }
}

// With use_original_dst a redirected connection goes to the listener of the address that it was
// meant for, once: whatever that one's filters find, it stays there.
void WorkerListener::leaveForChain(ListenerStage& stage) {
  ConnectionInfo& info = stage.info();
  if (listener_->config().use_original_dst && stage.restoredHere()) {
    WorkerListener* const other = worker_.findByAddress(info.local);
    if (other != nullptr && other != this) {
      uncount();
      other->adoptRestored(stage.takeIo(), std::move(info), stage.detected());
      return;
    }
  }
  establish(stage.takeIo(), info, stage.detected());
}

// The socket closes: with FIN, or with RST when the peer's bytes were left unread.
void WorkerListener::endStage(ListenerStage& stage, net::CloseCode code) {
  ConnectionInfo& info = stage.info();
  info.close_reason = net::CloseReason::of(code);
  info.end = worker_.loop().now();
  LOG(debug, conn_handler, "closing connection from %s: %s", info.remote.toString(),
      std::string(info.close_reason.sentence()));
  stage.takeIo();
  log(info);
  uncount();
}

void WorkerListener::tellOfSilence(const ListenerStage& stage) {
  if (!stage.heardNothing() || !listener_->mayTellOfSilence(worker_.loop().now())) {
    return;
  }
  const ListenerConfig& config = listener_->config();
  LOG(warning, conn_handler,
      "listener '%s': a client sent nothing while listener filter %s waited for its first bytes "
      "(listener_filters_timeout, %d ms). Protocols in which the server speaks first need a "
      "listener without this filter, filter_disabled for their ports, or a short timeout with "
      "continue_on_listener_filters_timeout",
      config.name, stage.waiting(),
      std::chrono::duration_cast<std::chrono::milliseconds>(*config.listener_filters_timeout)
          .count());
}

} // namespace culvert::server
