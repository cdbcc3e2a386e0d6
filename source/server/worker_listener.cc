// SPDX-License-Identifier: Apache-2.0
#include "source/server/worker_listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "source/base/clock.h"
#include "source/base/log.h"
#include "source/net/socket_io.h"
#include "source/server/worker.h"

namespace culvert::server {
namespace {

// Of a connection that no listener filter looked at.
const Detected& nothingDetected() {
  static const auto* const nothing = new Detected;
  return *nothing;
}

} // namespace

WorkerListener::Acceptor::Acceptor(WorkerListener& listener, ListenSocket listening)
    : owner(listener), socket(std::move(listening)), address(net::Address::localOf(socket->get())),
      events(listener.worker_.loop(), socket->get(),
             event::FdEvents::Callback::to<&Acceptor::onReady>(this)) {
  events.setRead(event::FdEvents::ReadInterest::kData);
}

WorkerListener::Acceptor::Acceptor(WorkerListener& listener, Acceptor& old)
    : owner(listener), socket(std::move(old.socket)), address(old.address),
      events(listener.worker_.loop(), socket->get(),
             event::FdEvents::Callback::to<&Acceptor::onReady>(this)) {
  old.events.setRead(event::FdEvents::ReadInterest::kNone);
  events.setRead(event::FdEvents::ReadInterest::kData);
}

// Others may share the listening socket, so its descriptor is let go when the kernel has been told
// that this loop waits for it no more.
WorkerListener::Acceptor::~Acceptor() {
  events.setRead(event::FdEvents::ReadInterest::kNone);
  owner.worker_.loop().post([closing = std::move(socket)] {});
}

void WorkerListener::Acceptor::onReady(uint32_t) {
  uint32_t accepted = 0;
  const uint32_t limit = owner.listener_->config().accepts_per_event_max;
  while (accepted < limit) {
    sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    net::Fd fd(::accept4(socket->get(), reinterpret_cast<sockaddr*>(&storage), &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
        LOG(warning, conn_handler, "cannot accept on %s: %s", address.toString(),
            net::errnoText(errno));
      }
      break;
    }
    accepted++;
    owner.onAccepted(std::move(fd), net::Address::fromSockaddr(storage, length), address);
  }
  if (accepted > 0) {
    owner.stats_.connections_accepted_per_socket_event.record(accepted);
  }
}

WorkerListener::WorkerListener(Worker& worker, std::shared_ptr<Listener> listener,
                               std::vector<ListenSocket> sockets)
    : worker_(worker), listener_(std::move(listener)), stats_(listener_->stats()),
      worker_stats_(stats_.workers[worker.index()]),
      handshake_deadlines_(stats_.downstream_cx_transport_socket_connect_timeout) {
  for (ListenSocket& socket : sockets) {
    acceptors_.push_back(std::make_unique<Acceptor>(*this, std::move(socket)));
  }
  const ListenerConfig& config = listener_->config();
  if (config.isInternal()) {
    internal_acceptor_ = std::make_unique<net::InternalAcceptor>(
        worker_.loop(), config.name, config.internal_buffer_bytes,
        net::InternalAcceptor::Callback::to<&WorkerListener::onInternal>(this));
  }
}

WorkerListener::~WorkerListener() {
  internal_acceptor_.reset(); // May still hand over.
  closeSessions(net::CloseReason::of(net::CloseCode::kShutdown));
}

void WorkerListener::closeSessions(const net::CloseReason& reason) {
  while (ListenerStage* stage = stages_.front()) {
    endStage(*takeStage(*stage), reason.code);
  }
  while (Session* session = sessions_.front()) {
    session->close(reason, CloseMode::kNow); // Takes it off the list.
  }
}

void WorkerListener::closeChains(const std::vector<const FilterChain*>& chains,
                                 const net::CloseReason& reason) {
  std::vector<Session*> closing; // None of them ends another.
  sessions_.forEach([&](Session& session) {
    if (std::find(chains.begin(), chains.end(), session.info().filter_chain) != chains.end()) {
      closing.push_back(&session);
    }
  });
  for (Session* session : closing) {
    session->close(reason, CloseMode::kNow);
  }
}

void WorkerListener::inherit(WorkerListener& old, const std::vector<net::Address>& addresses) {
  for (auto& acceptor : old.acceptors_) {
    if (std::find(addresses.begin(), addresses.end(), acceptor->address) != addresses.end()) {
      acceptors_.push_back(std::make_unique<Acceptor>(*this, *acceptor));
    }
  }
}

// While it does not, connections wait in the kernel.
void WorkerListener::setAccepting(bool accepting) {
  const bool wanted = accepting || listener_->config().bypass_overload_manager;
  for (auto& acceptor : acceptors_) {
    acceptor->events.setRead(wanted ? event::FdEvents::ReadInterest::kData
                                    : event::FdEvents::ReadInterest::kNone);
  }
}

void WorkerListener::retire() {
  retired_ = true;
  acceptors_.clear();
  internal_acceptor_.reset();
}

// Limits first: what is refused here costs nothing else.
void WorkerListener::onAccepted(net::Fd fd, const net::Address& peer, const net::Address& bound) {
  if (!listener_->config().bypass_overload_manager && worker_.cap_.rejectsNow(worker_.random_)) {
    stats_.downstream_cx_overload_reject.add();
    return;
  }
  if (listener_->countsForProcess() && !worker_.cap_.tryAdd()) {
    stats_.downstream_global_cx_overflow.add();
    return;
  }
  if (!listener_->tryAdd(worker_.index())) {
    stats_.downstream_cx_overflow.add();
    if (listener_->countsForProcess()) {
      worker_.cap_.remove();
    }
    return;
  }
  if (listener_->config().exact_balance) {
    const uint32_t chosen = listener_->addToLeastLoaded();
    if (chosen != worker_.index()) {
      worker_.handOver(listener_, chosen, std::move(fd), peer);
      return;
    }
  }
  open(std::move(fd), peer, bound);
}

void WorkerListener::adopt(net::Fd fd, const net::Address& peer) {
  const net::Address bound = net::Address::localOf(fd.get());
  open(std::move(fd), peer, bound);
}

void WorkerListener::uncount() {
  listener_->remove(worker_.index());
  if (listener_->countsForProcess()) {
    worker_.cap_.remove();
  }
  if (retired_) {
    worker_.forgetIfUnused(*this);
  }
}

void WorkerListener::open(net::Fd fd, const net::Address& peer, const net::Address& bound) {
  // Only a socket bound to any address does not know where its connections came in.
  ConnectionInfo info = describe(peer, bound.isAny() ? net::Address::localOf(fd.get()) : bound);
  auto io = std::make_unique<net::SocketIo>(worker_.loop(), std::move(fd), /*connecting=*/false);
  filterOrEstablish(std::move(io), info, nothingDetected());
}

// Limits were checked where the client came in.
void WorkerListener::onInternal(net::InternalAcceptor::Arrival arrival) {
  listener_->add(worker_.index());
  ConnectionInfo info = describe(arrival.remote, arrival.local);
  info.tls = arrival.io->tlsInfo().get();
  info.request = std::move(arrival.request);
  if (arrival.passed != nullptr) {
    info.dynamic_metadata = std::move(arrival.passed->metadata);
    info.filter_state = std::move(arrival.passed->filter_state);
  }
  filterOrEstablish(std::move(arrival.io), info, nothingDetected());
}

ConnectionInfo WorkerListener::describe(const net::Address& peer, const net::Address& local) const {
  event::Loop& loop = worker_.loop();
  ConnectionInfo info;
  info.start = loop.now();
  info.start_wall = loop.clock().wallNow();
  info.remote = info.direct_remote = peer;
  info.local = info.direct_local = local;
  own(info);
  return info;
}

void WorkerListener::own(ConnectionInfo& info) const {
  info.listener = &listener_->config();
  info.logged = !listener_->config().access_logs.empty();
}

void WorkerListener::establish(IoPtr io, ConnectionInfo& info, const Detected& detected) {
  const FilterChain* const chain = listener_->matcher().find(
      {info.local, info.remote, info.direct_remote, info.requested_server_name,
       detected.transport_protocol, detected.application_protocols});
  if (chain == nullptr) {
    refuse(info);
    return;
  }
  info.id = net::nextConnectionId();
  info.filter_chain = chain;
  LOG_CONNECTION(debug, conn_handler, info.id, "new connection from %s", info.remote.toString());
  stats_.downstream_cx_total.add();
  stats_.downstream_cx_active.add();
  worker_stats_.downstream_cx_total.add();
  worker_stats_.downstream_cx_active.add();

  std::unique_ptr<net::Connection> transport = connection(std::move(io), *chain, info);
  auto* const session = new Session(std::move(transport), std::move(info), *this);
  sessions_.pushBack(*session);
  if (chain->filters.empty()) { // Legal, and of no use but to be seen in the counter.
    stats_.network_extension_config_missing.add();
  }
  session->start(chain->filters, worker_.clusters(), listener_);
  if (chain->filters.empty()) {
    session->close(net::CloseReason::of(net::CloseCode::kNoFilterChain), CloseMode::kNow);
  } else if (chain->transport_timeout > base::Duration::zero() && chain->transport != nullptr &&
             !session->transport().closed()) {
    handshake_deadlines_.add(*session, chain->transport_timeout);
  }
}

// The socket, and above it what the chain wants its connections to run over.
std::unique_ptr<net::Connection>
WorkerListener::connection(IoPtr accepted, const FilterChain& chain, ConnectionInfo& info) {
  event::Loop& loop = worker_.loop();
  std::unique_ptr<net::Io> io = std::move(accepted);
  const bool opening = chain.transport != nullptr;
  if (opening) {
    io = chain.transport->accept(loop, std::move(io));
    info.tls = io->tlsInfo().get();
  }
  auto made = std::make_unique<net::Connection>(loop, std::move(io), info.id, opening);
  made->setReadLimit(listener_->config().per_connection_buffer_limit_bytes);
  return made;
}

// No chain matched: the transport closes as it goes out of scope.
void WorkerListener::refuse(ConnectionInfo& info) {
  LOG(debug, conn_handler, "closing connection from %s: no matching filter chain found",
      info.remote.toString());
  stats_.no_filter_chain_match.add();
  info.response_flags |= net::kNoRouteFound;
  info.response_code_details = "filter_chain_not_found";
  info.close_reason = net::CloseReason::of(net::CloseCode::kNoFilterChain);
  info.end = info.start;
  log(info);
  uncount();
}

void WorkerListener::log(ConnectionInfo& info) {
  if (listener_->config().access_logs.empty()) {
    return;
  }
  const base::Clock& clock = worker_.loop().clock();
  const access_log::Entry entry{info, access_log::Type::kNotSet, clock.now(), clock.wallNow()};
  for (const auto& logger : listener_->config().access_logs) {
    logger->log(entry);
  }
}

void WorkerListener::onSessionClosed(Session& session) {
  ConnectionInfo& info = session.info();
  stats_.downstream_cx_destroy.add();
  stats_.downstream_cx_active.sub();
  worker_stats_.downstream_cx_active.sub();
  stats_.downstream_cx_length_ms.record(base::toMilliseconds(info.end - info.start));
  uncount();
  log(info);
  handshake_deadlines_.remove(session);
  static_cast<base::ListNode<Session>&>(session).unlink();
  worker_.loop().deferDelete(std::unique_ptr<Session>(&session));
}

} // namespace culvert::server
