// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/fd_events.h"
#include "source/filter_api/listener_stage.h"
#include "source/filter_api/session.h"
#include "source/net/internal_listeners.h"
#include "source/net/socket.h"
#include "source/server/handshake_deadlines.h"
#include "source/server/listen_sockets.h"
#include "source/server/listener.h"

namespace culvert::server {

class Worker;

// One worker's share of a listener: its sockets, what waits in its listener filters, its sessions.
// Threads: the worker's. Lifetime: owned by the worker; outlives its sessions.
class WorkerListener final : public event::Deferred, private SessionOwner, private StageOwner {
public:
  WorkerListener(Worker& worker, std::shared_ptr<Listener> listener,
                 std::vector<ListenSocket> sockets);
  ~WorkerListener() override;

  Listener& listener() { return *listener_; }
  void closeSessions(const net::CloseReason& reason);
  void closeChains(const std::vector<const FilterChain*>& chains, const net::CloseReason& reason);

  // Takes the sockets of `old` that are bound to `addresses`.
  void inherit(WorkerListener& old, const std::vector<net::Address>& addresses);
  void setAccepting(bool accepting);
  // It was replaced or removed: accepts no more, and is of no use once its connections are over.
  void retire();
  bool retired() const { return retired_; }
  bool unused() const { return retired_ && stages_.empty() && sessions_.empty(); }

  // A connection that another worker accepted; it is already counted for this one.
  void adopt(net::Fd fd, const net::Address& peer);
  // A connection that another listener of this worker accepted, with what its filters found; not
  // counted for this one yet.
  void adoptRestored(std::unique_ptr<net::AcceptedIo> io, ConnectionInfo info,
                     const Detected& detected);

private:
  // One listening socket.
  struct Acceptor {
    Acceptor(WorkerListener& owner, ListenSocket socket);
    Acceptor(WorkerListener& owner, Acceptor& old);
    ~Acceptor();
    void onReady(uint32_t readiness);

    WorkerListener& owner;
    ListenSocket socket;
    net::Address address;
    event::FdEvents events;
  };

  using IoPtr = std::unique_ptr<net::AcceptedIo>;

  void onAccepted(net::Fd fd, const net::Address& peer, const net::Address& bound);
  void open(net::Fd fd, const net::Address& peer, const net::Address& bound);
  void onInternal(net::InternalAcceptor::Arrival arrival);
  ConnectionInfo describe(const net::Address& peer, const net::Address& local) const;
  void own(ConnectionInfo& info) const;
  void filterOrEstablish(IoPtr io, ConnectionInfo& info, const Detected& detected);
  void filter(IoPtr io, ConnectionInfo info, const Detected& detected);
  std::unique_ptr<ListenerStage> takeStage(ListenerStage& stage);
  void onStageEnd(ListenerStage& stage, StageEnd end) override;
  void leaveStage(ListenerStage& stage, StageEnd end);
  void leaveForChain(ListenerStage& stage);
  void endStage(ListenerStage& stage, net::CloseCode code);
  void tellOfSilence(const ListenerStage& stage);
  void establish(IoPtr io, ConnectionInfo& info, const Detected& detected);
  std::unique_ptr<net::Connection> connection(IoPtr accepted, const FilterChain& chain,
                                              ConnectionInfo& info);
  void refuse(ConnectionInfo& info);
  void uncount();
  void log(ConnectionInfo& info);
  void onSessionClosed(Session& session) override;

  Worker& worker_;
  const std::shared_ptr<Listener> listener_;
  ListenerStats& stats_;
  ListenerStats::PerWorker& worker_stats_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unique_ptr<net::InternalAcceptor> internal_acceptor_; // Of an internal listener.
  base::IntrusiveList<ListenerStage> stages_;                // Those that wait.
  base::IntrusiveList<Session> sessions_;
  HandshakeDeadlines handshake_deadlines_;
  bool retired_ = false;
};

} // namespace culvert::server
