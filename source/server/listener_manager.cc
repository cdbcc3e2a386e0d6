// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener_manager.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "source/base/log.h"

namespace culvert::server {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// `field` is where the mistake stands in the listener, what follows is Envoy's sentence.
absl::Status refused(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": error adding listener", what));
}

using google::protobuf::util::MessageDifferencer;
using ListenerProto = envoy::config::listener::v3::Listener;

const ListenerProto& protoOf(const ListenerConfig& config) {
  return static_cast<const ListenerProto&>(*config.source);
}

// A chain that says the same goes on as it is, with the connections that go through it.
void keepSameChains(const ListenerConfig& before, ListenerConfig& now) {
  const ListenerProto& old_proto = protoOf(before);
  const ListenerProto& new_proto = protoOf(now);
  for (int i = 0; i < new_proto.filter_chains_size(); i++) {
    for (int j = 0; j < old_proto.filter_chains_size(); j++) {
      if (MessageDifferencer::Equals(new_proto.filter_chains(i), old_proto.filter_chains(j))) {
        now.filter_chains[static_cast<size_t>(i)] = before.filter_chains[static_cast<size_t>(j)];
        break;
      }
    }
  }
  if (now.default_filter_chain != nullptr && before.default_filter_chain != nullptr &&
      MessageDifferencer::Equals(new_proto.default_filter_chain(),
                                 old_proto.default_filter_chain())) {
    now.default_filter_chain = before.default_filter_chain;
  }
}

bool onlyChainsDiffer(const ListenerConfig& before, const ListenerConfig& now) {
  ListenerProto a = protoOf(before);
  ListenerProto b = protoOf(now);
  for (ListenerProto* proto : {&a, &b}) {
    proto->clear_filter_chains();
    proto->clear_default_filter_chain();
  }
  return MessageDifferencer::Equals(a, b);
}

std::vector<FilterChainPtr> allChains(const ListenerConfig& config) {
  std::vector<FilterChainPtr> chains = config.filter_chains;
  if (config.default_filter_chain != nullptr) {
    chains.push_back(config.default_filter_chain);
  }
  return chains;
}

// As configured, with the port that the kernel gave.
net::Address addressOf(const net::Address& configured, const ListenSockets& bound) {
  return configured.isIp() ? configured.withPort(bound.address().port()) : bound.address();
}

// Those of `before` that `now` has no more.
std::vector<FilterChainPtr> chainsGone(const ListenerConfig& before, const ListenerConfig& now) {
  const std::vector<FilterChainPtr> kept = allChains(now);
  std::vector<FilterChainPtr> gone;
  for (const FilterChainPtr& chain : allChains(before)) {
    if (std::find(kept.begin(), kept.end(), chain) == kept.end()) {
      gone.push_back(chain);
    }
  }
  return gone;
}

} // namespace

// What was replaced or removed, while its connections may still go on.
struct ListenerManager::Drain {
  Drain(ListenerManager& owner, std::unique_ptr<Entry> drained, std::vector<FilterChainPtr> gone)
      : manager(owner), entry(std::move(drained)), chains(std::move(gone)),
        timer(owner.main_, event::Timer::Callback::to<&Drain::onTime>(this)) {
    entry->listening = false;
    entry->sockets.clear();
    timer.arm(owner.drain_.time);
    entry->drain_end = timer.deadline();
    owner.tellChains(chains.empty() ? allChains(entry->listener->config()) : chains);
  }
  void onTime() { manager.onDrained(*this); }

  ListenerManager& manager;
  std::unique_ptr<Entry> entry;
  std::vector<FilterChainPtr> chains; // Only connections of these end; empty: all.
  event::Timer timer;
};

ListenerManager::ListenerManager(event::Loop& main, stats::Scope& root, runtime::Loader& runtime,
                                 Workers& workers, DrainOptions drain)
    : main_(main), root_(root), runtime_(runtime), workers_(workers), drain_(drain),
      scope_(root.scope("listener_manager")), listener_added_(scope_->counter("listener_added")),
      listener_modified_(scope_->counter("listener_modified")),
      listener_in_place_updated_(scope_->counter("listener_in_place_updated")),
      listener_removed_(scope_->counter("listener_removed")),
      listener_stopped_(scope_->counter("listener_stopped")),
      listener_create_success_(scope_->counter("listener_create_success")),
      listener_create_failure_(scope_->counter("listener_create_failure")),
      total_listeners_active_(scope_->gauge("total_listeners_active")),
      total_listeners_draining_(scope_->gauge("total_listeners_draining")),
      total_filter_chains_draining_(scope_->gauge("total_filter_chains_draining")),
      workers_started_(scope_->gauge("workers_started")) {
  // A listener waits for nothing before it serves, and no worker is bound to a CPU.
  for (const char* name : {"total_listeners_warming", "workers_pinned"}) {
    scope_->gauge(name).set(0);
  }
  workers_started_.set(0);
  updateGauges();
}

ListenerManager::~ListenerManager() = default;

void ListenerManager::updateGauges() {
  total_listeners_active_.set(entries_.size());
  size_t listeners = 0;
  size_t chains = 0;
  for (const auto& drain : drains_) {
    listeners += drain->chains.empty();
    chains += drain->chains.size();
  }
  total_listeners_draining_.set(listeners);
  total_filter_chains_draining_.set(chains);
}

absl::Status ListenerManager::checkAlone(const ListenerConfig& config) {
  const std::string address = config.addresses.front().toString();
  if (config.filter_chains.empty() && config.default_filter_chain == nullptr) {
    return refused("filter_chains", absl::StrCat(" '", address, "': no filter chains specified"));
  }
  const auto matcher =
      FilterChainMatcher::create(config.filter_chains, config.default_filter_chain);
  if (!matcher.ok()) {
    const absl::string_view message = matcher.status().message(); // "filter_chains[1]: ..."
    const size_t colon = message.find(": ");
    return refused(message.substr(0, colon),
                   absl::StrCat(" '", address, "': ", message.substr(colon + 2)));
  }
  return absl::OkStatus();
}

absl::Status ListenerManager::check(const ListenerConfig& config, const Entry* replaced) const {
  const std::string address = config.addresses.front().toString();
  for (const auto& entry : entries_) {
    if (entry.get() == replaced) {
      continue;
    }
    const ListenerConfig& other = entry->listener->config();
    if (other.name == config.name) {
      return refused("name",
                     absl::StrCat(" '", address, "': duplicate listener name '", config.name,
                                  "' (Envoy would silently ignore the second one)"));
    }
    for (const net::Address& mine : config.addresses) {
      if (config.bind_to_port && mine.port() == 0 && mine.isIp()) {
        continue;
      }
      if (std::find(other.addresses.begin(), other.addresses.end(), mine) !=
          other.addresses.end()) {
        return refused(
            "address",
            absl::StrCat(": '", config.name, "' has duplicate address '", mine.toString(),
                         "' as existing listener, to check if the listener has duplicated "
                         "addresses with other "
                         "listeners or 'enable_reuse_port' is set to 'false' for the listener"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ListenerManager::Entry>>
ListenerManager::make(ListenerConfig config, const Entry* replaced, bool bind) {
  absl::Status status = checkAlone(config);
  status.Update(status.ok() ? check(config, replaced) : status);
  if (!status.ok()) {
    return status;
  }
  auto entry = std::make_unique<Entry>();
  entry->addresses = config.addresses;
  entry->updated = main_.clock().wallNow();
  if (bind && config.bind_to_port) {
    if (status = bindAll(config, replaced, *entry); !status.ok()) {
      LOG(error, config, "listener '%s' failed to bind or apply socket options: %s", config.name,
          std::string(status.message()));
      listener_create_failure_.add();
      return absl::Status(status.code(), absl::StrCat("address: ", status.message()));
    }
  }
  // Before `config` is moved: which argument is evaluated first is nobody's promise.
  auto limit = runtime_.watch<uint64_t>(
      absl::StrCat("envoy.resource_limits.listener.", config.name, ".connection_limit"), kNoLimit);
  auto listener = Listener::create(std::move(config), root_, static_cast<uint32_t>(workers_.size()),
                                   main_, std::move(limit),
                                   replaced == nullptr ? nullptr : replaced->listener->load());
  if (!listener.ok()) {
    return listener.status();
  }
  entry->listener = *std::move(listener);
  tellHealth(entry->listener->config());
  return entry;
}

absl::Status ListenerManager::add(ListenerConfig config, bool bind) {
  auto entry = make(std::move(config), nullptr, bind);
  if (!entry.ok()) {
    return entry.status();
  }
  entries_.push_back(*std::move(entry));
  listener_added_.add();
  updateGauges();
  if (started_) {
    handToWorkers(*entries_.back(), nullptr);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ListenerManager::addOrUpdate(ListenerConfig config) {
  const auto old = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry->listener->config().name == config.name;
  });
  if (std::any_of(stopped_.begin(), stopped_.end(), [&](const auto& of) { return of(config); })) {
    return false;
  }
  if (old == entries_.end()) {
    absl::Status status = add(std::move(config), true);
    return status.ok() ? absl::StatusOr<bool>(true) : status;
  }
  const ListenerConfig& before = (*old)->listener->config();
  if (before.source == nullptr || MessageDifferencer::Equals(*before.source, *config.source)) {
    return false;
  }
  const bool in_place = onlyChainsDiffer(before, config);
  if (in_place) {
    keepSameChains(before, config);
  }
  auto entry = make(std::move(config), old->get(), true);
  if (!entry.ok()) {
    return entry.status();
  }
  listener_modified_.add();
  replace(*old, *std::move(entry), in_place);
  return true;
}

void ListenerManager::replace(std::unique_ptr<Entry>& old, std::unique_ptr<Entry> entry,
                              bool in_place) {
  if (started_) {
    handToWorkers(*entry, old.get());
  }
  const ListenerConfig& before = old->listener->config();
  const ListenerConfig& now = entry->listener->config();
  std::vector<FilterChainPtr> gone = in_place ? chainsGone(before, now) : allChains(before);
  std::swap(old, entry);
  if (in_place) {
    listener_in_place_updated_.add();
  }
  if (!in_place || !gone.empty()) {
    drain(std::move(entry), in_place ? std::move(gone) : std::vector<FilterChainPtr>());
  }
  updateGauges();
}

bool ListenerManager::remove(absl::string_view name) {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const auto& candidate) {
    return candidate->listener->config().name == name;
  });
  if (entry == entries_.end() || (*entry)->listener->config().source == nullptr) {
    return false;
  }
  for (auto& worker : workers_) {
    worker->stopListening((*entry)->listener);
  }
  drain(std::move(*entry), {});
  entries_.erase(entry);
  listener_removed_.add();
  updateGauges();
  return true;
}

// Connections that ask are told; who is still there when the time is over is closed.
void ListenerManager::drain(std::unique_ptr<Entry> entry, std::vector<FilterChainPtr> chains) {
  drains_.push_back(std::make_unique<Drain>(*this, std::move(entry), std::move(chains)));
}

void ListenerManager::onDrained(Drain& drain) {
  const std::shared_ptr<Listener>& listener = drain.entry->listener;
  std::vector<const FilterChain*> chains;
  for (const FilterChainPtr& chain : drain.chains) {
    chains.push_back(chain.get());
  }
  const auto reason = net::CloseReason::of(net::CloseCode::kDrained);
  for (auto& worker : workers_) {
    chains.empty() ? worker->removeListener(listener, reason)
                   : worker->closeChains(listener, chains, reason);
  }
  drains_.erase(std::find_if(drains_.begin(), drains_.end(),
                             [&](const auto& candidate) { return candidate.get() == &drain; }));
  updateGauges();
}

absl::Status ListenerManager::bindAll(const ListenerConfig& config, const Entry* replaced,
                                      Entry& entry) {
  entry.addresses.clear();
  for (size_t i = 0; i < config.addresses.size(); i++) {
    if (const ListenSockets* const kept = inheritable(config, i, replaced)) {
      entry.inherited.push_back(kept->address());
      entry.addresses.push_back(addressOf(config.addresses[i], *kept));
      entry.sockets.push_back(*kept);
      continue;
    }
    absl::StatusOr<ListenSockets> bound = bindOne(config.addresses[i], config.socket);
    if (!bound.ok()) {
      return bound.status();
    }
    entry.addresses.push_back(addressOf(config.addresses[i], *bound));
    entry.sockets.push_back(*std::move(bound));
  }
  return absl::OkStatus();
}

// The sockets of the one before, if they will do.
const ListenSockets* ListenerManager::inheritable(const ListenerConfig& config, size_t index,
                                                  const Entry* replaced) const {
  if (replaced == nullptr || !started_ || !replaced->listening) {
    return nullptr;
  }
  const ListenerConfig& before = replaced->listener->config();
  if (!before.bind_to_port || !(before.socket == config.socket)) {
    return nullptr;
  }
  for (size_t i = 0; i < before.addresses.size(); i++) {
    if (before.addresses[i] == config.addresses[index] &&
        before.addresses[i].takesIpv4() == config.addresses[index].takesIpv4()) {
      return &replaced->sockets[i];
    }
  }
  return nullptr;
}

absl::StatusOr<ListenSockets> ListenerManager::bindOne(const net::Address& address,
                                                       const net::ListenOptions& options) const {
  const auto workers = static_cast<uint32_t>(workers_.size());
  std::vector<net::Fd> inherited = inherit_ ? inherit_(address) : std::vector<net::Fd>();
  return inherited.empty() ? ListenSockets::bind(address, options, workers)
                           : ListenSockets::inherit(options, workers, std::move(inherited));
}

std::vector<int> ListenerManager::socketsAt(const std::string& address) const {
  std::vector<int> found;
  for (const auto& entry : entries_) {
    for (size_t i = 0; i < entry->sockets.size(); i++) {
      if (entry->addresses[i].toString() != address) {
        continue;
      }
      for (const ListenSocket& socket : entry->sockets[i].all()) {
        found.push_back(socket->get());
      }
    }
  }
  return found;
}

void ListenerManager::start() {
  started_ = true;
  workers_started_.set(1);
  for (const bool serves_others : {true, false}) {
    for (auto& entry : entries_) {
      if (entry->listener->config().servesOthers() == serves_others) {
        handToWorkers(*entry, nullptr);
      }
    }
  }
}

void ListenerManager::handToWorkers(Entry& entry, const Entry* replaced) {
  const auto kept = [&](const net::Address& address) {
    return std::find(entry.inherited.begin(), entry.inherited.end(), address) !=
           entry.inherited.end();
  };
  for (size_t i = 0; i < workers_.size(); i++) {
    std::vector<ListenSocket> mine;
    for (ListenSockets& sockets : entry.sockets) {
      if (!kept(sockets.address())) {
        const std::vector<ListenSocket> more = sockets.ofWorker(static_cast<uint32_t>(i));
        mine.insert(mine.end(), more.begin(), more.end());
      }
    }
    if (replaced == nullptr) {
      workers_[i]->addListener(entry.listener, std::move(mine));
    } else {
      workers_[i]->replaceListener(replaced->listener, entry.listener, std::move(mine),
                                   entry.inherited);
    }
    listener_create_success_.add();
  }
}

void ListenerManager::beginDrain(const Which& which) {
  for (auto& entry : entries_) {
    if (!which(entry->listener->config())) {
      continue;
    }
    tellChains(allChains(entry->listener->config()));
    if (!entry->drain_end.has_value()) {
      entry->drain_end = main_.now() + drain_.time;
    }
  }
}

void ListenerManager::tellChains(const std::vector<FilterChainPtr>& chains) {
  for (const FilterChainPtr& chain : chains) {
    chain->drain->begin(main_.now(), drain_.time, drain_.gradual);
  }
}

void ListenerManager::setUnhealthy(bool unhealthy) {
  unhealthy_ = unhealthy;
  for (auto& entry : entries_) {
    tellHealth(entry->listener->config());
  }
}

void ListenerManager::tellHealth(const ListenerConfig& config) {
  for (const FilterChainPtr& chain : allChains(config)) {
    chain->drain->setUnhealthy(unhealthy_ && config.drains_when_unhealthy);
  }
}

void ListenerManager::stopListening(const Which& which) {
  stopped_.push_back(which);
  for (auto& entry : entries_) {
    if (!entry->listening || !which(entry->listener->config())) {
      continue;
    }
    entry->listening = false;
    entry->sockets.clear();
    for (auto& worker : workers_) {
      worker->stopListening(entry->listener);
    }
    listener_stopped_.add();
  }
}

ListenerManager::Info ListenerManager::infoOf(const Entry& entry) const {
  Info info{*entry.listener, entry.addresses, entry.listening, entry.updated, std::nullopt};
  if (entry.drain_end.has_value()) {
    info.drain_remaining = std::max(base::Duration(0), *entry.drain_end - main_.clock().now());
  }
  return info;
}

std::vector<ListenerManager::Info> ListenerManager::list() const {
  std::vector<Info> infos;
  for (const auto& entry : entries_) {
    infos.push_back(infoOf(*entry));
  }
  return infos;
}

std::vector<ListenerManager::Info> ListenerManager::draining() const {
  std::vector<Info> infos;
  for (const auto& drain : drains_) {
    if (drain->chains.empty()) {
      infos.push_back(infoOf(*drain->entry));
    }
  }
  return infos;
}

bool ListenerManager::serves(const std::string& listener, const net::Address& address) const {
  for (const auto& entry : entries_) {
    const ListenerConfig& config = entry->listener->config();
    if (config.name != listener) {
      continue;
    }
    if (config.isInternal() && address.kind() == net::Address::Kind::kInternal) {
      return absl::StartsWith(address.path(), config.name + "/");
    }
    if (!config.bind_to_port) {
      continue;
    }
    for (const net::Address& mine : entry->addresses) {
      if (mine == address || (mine.covers(address) && address.isLoopback())) {
        return true;
      }
    }
  }
  return false;
}

} // namespace culvert::server
