// SPDX-License-Identifier: Apache-2.0
#include "source/server/worker.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/thread_slot.h"
#include "source/server/worker_listener.h"

namespace culvert::server {

Worker::Worker(uint32_t index, const base::Clock& clock, ConnectionCap& cap)
    : index_(index), cap_(cap), loop_(absl::StrCat("worker_", index), clock) {}

Worker::~Worker() = default;

void Worker::setClusters(std::unique_ptr<upstream::ThreadClusters> clusters) {
  clusters_ = std::move(clusters);
}

void Worker::setPeers(const std::vector<std::unique_ptr<Worker>>& peers) {
  for (const auto& peer : peers) {
    peers_.push_back(peer.get());
  }
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  base::thread_slot = index_ + 1;
  pthread_setname_np(pthread_self(), absl::StrCat("wrk:", loop_.name()).c_str());
  loop_.run();
}

void Worker::stop() {
  onWorker([this] {
    listeners_.clear(); // Closes their connections.
    loop_.post([this] { loop_.exit(); });
  });
  thread_.join();
}

void Worker::onWorker(std::function<void()> work) { loop_.post(std::move(work)); }

void Worker::addListener(std::shared_ptr<Listener> listener, std::vector<ListenSocket> sockets) {
  onWorker([this, listener = std::move(listener), sockets = std::move(sockets)]() mutable {
    take(std::make_unique<WorkerListener>(*this, listener, std::move(sockets)));
  });
}

void Worker::take(std::unique_ptr<WorkerListener> listener) {
  listener->setAccepting(accepting_);
  listeners_.push_back(std::move(listener));
}

void Worker::setAccepting(bool accepting) {
  onWorker([this, accepting] {
    accepting_ = accepting;
    for (const auto& mine : listeners_) {
      mine->setAccepting(accepting);
    }
  });
}

void Worker::replaceListener(std::shared_ptr<Listener> old, std::shared_ptr<Listener> listener,
                             std::vector<ListenSocket> sockets,
                             std::vector<net::Address> inherited) {
  onWorker([this, old = std::move(old), listener = std::move(listener),
            sockets = std::move(sockets), inherited = std::move(inherited)]() mutable {
    auto made = std::make_unique<WorkerListener>(*this, listener, std::move(sockets));
    if (WorkerListener* const replaced = find(*old)) {
      made->inherit(*replaced, inherited);
      replaced->retire();
      forgetIfUnused(*replaced);
    }
    take(std::move(made));
  });
}

void Worker::stopListening(std::shared_ptr<Listener> listener) {
  onWorker([this, listener = std::move(listener)] {
    if (WorkerListener* const mine = find(*listener)) {
      mine->retire();
      forgetIfUnused(*mine);
    }
  });
}

void Worker::removeListener(std::shared_ptr<Listener> listener, net::CloseReason reason) {
  onWorker([this, listener = std::move(listener), reason] {
    const auto mine = std::find_if(listeners_.begin(), listeners_.end(),
                                   [&](const auto& l) { return &l->listener() == listener.get(); });
    if (mine != listeners_.end()) {
      (*mine)->closeSessions(reason);
      loop_.deferDelete(std::move(*mine));
      listeners_.erase(mine);
    }
  });
}

// The listener keeps the chains, and is itself let go on main.
void Worker::closeChains(std::shared_ptr<Listener> listener, std::vector<const FilterChain*> chains,
                         net::CloseReason reason) {
  onWorker([this, listener = std::move(listener), chains = std::move(chains), reason] {
    if (WorkerListener* const mine = find(*listener)) {
      mine->closeChains(chains, reason);
    }
  });
}

// In a later turn: it may be in the middle of something.
void Worker::forgetIfUnused(const WorkerListener& listener) {
  onWorker([this, wanted = &listener] {
    const auto mine = std::find_if(listeners_.begin(), listeners_.end(),
                                   [&](const auto& l) { return l.get() == wanted; });
    if (mine != listeners_.end() && (*mine)->unused()) {
      listeners_.erase(mine);
    }
  });
}

WorkerListener* Worker::find(const Listener& listener) {
  for (const auto& mine : listeners_) {
    if (&mine->listener() == &listener) {
      return mine.get();
    }
  }
  return nullptr;
}

WorkerListener* Worker::findByAddress(const net::Address& address) {
  WorkerListener* any = nullptr;
  for (const auto& mine : listeners_) {
    if (mine->retired()) {
      continue;
    }
    for (const net::Address& candidate : mine->listener().config().addresses) {
      if (candidate == address) {
        return mine.get();
      }
      if (any == nullptr && candidate.covers(address)) {
        any = mine.get();
      }
    }
  }
  return any;
}

// To a worker with fewer connections; the descriptor travels with the message.
void Worker::handOver(const std::shared_ptr<Listener>& listener, uint32_t worker, net::Fd fd,
                      net::Address peer) {
  Worker& other = *peers_[worker];
  auto shared = std::make_shared<net::Fd>(std::move(fd));
  other.onWorker([&other, listener, shared, peer = std::move(peer)] {
    if (WorkerListener* const theirs = other.find(*listener)) {
      theirs->adopt(std::move(*shared), peer);
    } else { // Removed meanwhile.
      listener->remove(other.index());
      if (listener->countsForProcess()) {
        other.cap_.remove();
      }
    }
  });
}

} // namespace culvert::server
