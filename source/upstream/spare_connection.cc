// SPDX-License-Identifier: Apache-2.0
#include "source/upstream/spare_connection.h"

#include <utility>

#include "source/upstream/connection_counts.h"
#include "source/upstream/host_pool.h"
#include "source/upstream/worker_clusters.h"

namespace culvert::upstream {

SpareConnection::SpareConnection(HostPool& pool, std::unique_ptr<net::Io> io, bool local_failure)
    : pool_(pool), loop_(pool.cluster().owner().loop()), io_(std::move(io)),
      timer_(loop_, event::Timer::Callback::to<&SpareConnection::onTimer>(this)),
      start_(loop_.now()),
      failure_(local_failure ? ConnectFailure::kLocal : ConnectFailure::kRefused) {
  countConnection(pool_.cluster().info(), pool_.host()->state());
}

SpareConnection::~SpareConnection() {
  if (io_ != nullptr && !ended_) {
    end(false);
  }
}

void SpareConnection::start() {
  io_->setReadyCallback(net::Io::ReadyCallback::to<&SpareConnection::onReady>(this));
  io_->setWrite(true);
  timer_.arm(pool_.cluster().info().config.connect_timeout);
}

// Its end is noticed though it is not read: what a host says first is for who takes it.
void SpareConnection::keep() {
  io_->setWrite(false);
  io_->setRead(event::FdEvents::ReadInterest::kPeer);
  const base::Duration idle_timeout = pool_.cluster().info().config.spare_idle_timeout;
  if (idle_timeout > base::Duration::zero()) {
    timer_.arm(idle_timeout);
  }
}

std::unique_ptr<net::Io> SpareConnection::release() {
  timer_.disarm();
  io_->setRead(event::FdEvents::ReadInterest::kNone);
  return std::move(io_);
}

// Its callback may be on the stack: the transport goes with this, at the end of the turn.
void SpareConnection::end(bool by_peer) {
  ended_ = true;
  timer_.disarm();
  io_->close(false);
  countConnectionEnd(pool_.cluster().info(), pool_.host()->state(), {connected_, by_peer, false},
                     loop_.now() - start_);
}

void SpareConnection::onReady(uint32_t) {
  if (ended_ || io_ == nullptr) {
    return;
  }
  if (!connected_) {
    onOpening();
  } else if (endedByPeer()) {
    pool_.onSpareEnded(*this, true);
  }
}

// Without reading: within TLS an end is seen by who takes it.
bool SpareConnection::endedByPeer() {
  const auto* const socket = dynamic_cast<const net::AcceptedIo*>(io_.get());
  return io_->peerReset() || (socket != nullptr && socket->peerEnded());
}

void SpareConnection::onOpening() {
  const net::IoStatus status = io_->open().status;
  if (status == net::IoStatus::kMore) {
    return;
  }
  timer_.disarm();
  if (status != net::IoStatus::kOk) {
    pool_.onSpareFailed(*this, failure_);
    return;
  }
  connected_ = true;
  countConnected(pool_.cluster().info(), loop_.now() - start_);
  pool_.onSpareConnected(*this);
}

void SpareConnection::onTimer() {
  ClusterStats& stats = pool_.cluster().info().stats;
  if (connected_) {
    stats.upstream_cx_idle_timeout.add();
    pool_.onSpareEnded(*this, false);
  } else {
    stats.upstream_cx_connect_timeout.add();
    pool_.onSpareFailed(*this, ConnectFailure::kTimeout);
  }
}

} // namespace culvert::upstream
