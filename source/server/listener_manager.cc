// SPDX-License-Identifier: Apache-2.0
#include "source/server/listener_manager.h"

#include <fcntl.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/log.h"

namespace culvert::server {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// `field` is where the mistake stands in the listener, what follows is Envoy's sentence.
absl::Status refused(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": error adding listener", what));
}

// With SO_REUSEPORT a second process binds the same port and the kernel gives each a share of the
// connections: rarely meant, always puzzling. A bind without the option finds out.
void warnIfServedElsewhere(const net::Address& address) {
  if (!address.isIp() || address.port() == 0) {
    return;
  }
  net::ListenOptions alone;
  alone.reuse_port = false;
  if (!net::listenOn(address, alone).ok()) {
    LOG(warning, config,
        "%s is already served by another socket of this machine; with enable_reuse_port the kernel "
        "will split connections between the two. Stop the other process, or set enable_reuse_port: "
        "false to make this an error",
        address.toString());
  }
}

} // namespace

ListenerManager::ListenerManager(event::Loop& main, stats::Scope& root, runtime::Loader& runtime,
                                 Workers& workers)
    : main_(main), root_(root), runtime_(runtime), workers_(workers),
      scope_(root.scope("listener_manager")), listener_added_(scope_->counter("listener_added")),
      listener_removed_(scope_->counter("listener_removed")),
      listener_stopped_(scope_->counter("listener_stopped")),
      listener_create_success_(scope_->counter("listener_create_success")),
      listener_create_failure_(scope_->counter("listener_create_failure")),
      total_listeners_active_(scope_->gauge("total_listeners_active")),
      workers_started_(scope_->gauge("workers_started")) {
  // Counted once listeners can change while the server runs.
  for (const char* name : {"listener_modified", "listener_in_place_updated"}) {
    scope_->counter(name);
  }
  for (const char* name : {"total_listeners_warming", "total_listeners_draining",
                           "total_filter_chains_draining", "workers_pinned"}) {
    scope_->gauge(name).set(0);
  }
  workers_started_.set(0);
}

absl::Status ListenerManager::check(const ListenerConfig& config) const {
  const std::string address = config.addresses.front().toString();
  if (config.filter_chains.empty() && config.default_filter_chain == nullptr) {
    return refused("filter_chains", absl::StrCat(" '", address, "': no filter chains specified"));
  }
  for (const auto& entry : entries_) {
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

absl::Status ListenerManager::add(ListenerConfig config, bool bind) {
  if (absl::Status status = check(config); !status.ok()) {
    return status;
  }
  auto entry = std::make_unique<Entry>();
  entry->addresses = config.addresses;
  entry->worker_fds.resize(workers_.size());
  if (bind && config.bind_to_port) {
    if (absl::Status status = bindAll(config, *entry); !status.ok()) {
      LOG(error, config, "listener '%s' failed to bind or apply socket options: %s", config.name,
          std::string(status.message()));
      listener_create_failure_.add();
      return absl::Status(status.code(), absl::StrCat("address: ", status.message()));
    }
  }
  const std::string address = config.addresses.front().toString();
  // Before `config` is moved: which argument is evaluated first is nobody's promise.
  auto limit = runtime_.watch<uint64_t>(
      absl::StrCat("envoy.resource_limits.listener.", config.name, ".connection_limit"), kNoLimit);
  auto listener = Listener::create(std::move(config), root_, static_cast<uint32_t>(workers_.size()),
                                   main_, std::move(limit));
  if (!listener.ok()) {
    const absl::string_view message = listener.status().message(); // "filter_chains[1]: ..."
    const size_t colon = message.find(": ");
    return refused(message.substr(0, colon),
                   absl::StrCat(" '", address, "': ", message.substr(colon + 2)));
  }
  entry->listener = *std::move(listener);
  entries_.push_back(std::move(entry));
  listener_added_.add();
  total_listeners_active_.set(entries_.size());
  if (started_) {
    handToWorkers(*entries_.back());
  }
  return absl::OkStatus();
}

absl::Status ListenerManager::bindAll(const ListenerConfig& config, Entry& entry) {
  entry.addresses.clear();
  for (const net::Address& address : config.addresses) {
    if (absl::Status status = bindOne(address, config.socket, entry); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

// A socket of its own for each worker; where the kernel knows no such thing, the same one for all.
absl::Status ListenerManager::bindOne(const net::Address& address,
                                      const net::ListenOptions& options, Entry& entry) {
  const bool own_sockets = options.reuse_port && address.isIp();
  if (own_sockets) {
    warnIfServedElsewhere(address);
  }
  net::Address bound = address;
  int first = -1;
  for (auto& fds : entry.worker_fds) {
    net::Fd fd;
    if (first >= 0 && !own_sockets) {
      fd = net::Fd(::fcntl(first, F_DUPFD_CLOEXEC, 0));
    } else {
      absl::StatusOr<net::Fd> opened = net::listenOn(bound, options);
      if (!opened.ok()) {
        return opened.status();
      }
      fd = *std::move(opened);
    }
    if (first < 0) {
      first = fd.get();
      bound = net::Address::localOf(first);
    }
    fds.push_back(std::move(fd));
  }
  entry.addresses.push_back(bound);
  return absl::OkStatus();
}

void ListenerManager::start() {
  started_ = true;
  workers_started_.set(1);
  for (auto& entry : entries_) {
    handToWorkers(*entry);
  }
}

void ListenerManager::handToWorkers(Entry& entry) {
  for (size_t i = 0; i < entry.worker_fds.size(); i++) {
    workers_[i]->addListener(entry.listener, std::move(entry.worker_fds[i]));
    listener_create_success_.add();
  }
  entry.worker_fds.clear();
}

void ListenerManager::stopListening(const std::function<bool(const Listener&)>& which) {
  for (auto& entry : entries_) {
    if (!entry->listening || !which(*entry->listener)) {
      continue;
    }
    entry->listening = false;
    entry->worker_fds.clear();
    for (auto& worker : workers_) {
      worker->stopListening(entry->listener);
    }
    listener_stopped_.add();
  }
}

void ListenerManager::remove(const std::string& name) {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const std::unique_ptr<Entry>& candidate) {
        return candidate->listener->config().name == name;
      });
  if (entry == entries_.end()) {
    return;
  }
  for (auto& worker : workers_) {
    worker->removeListener((*entry)->listener, net::CloseReason::of(net::CloseCode::kDrained));
  }
  entries_.erase(entry);
  listener_removed_.add();
  total_listeners_active_.set(entries_.size());
}

std::vector<ListenerManager::Info> ListenerManager::list() const {
  std::vector<Info> infos;
  for (const auto& entry : entries_) {
    infos.push_back({*entry->listener, entry->addresses, entry->listening});
  }
  return infos;
}

bool ListenerManager::serves(const std::string& listener, const net::Address& address) const {
  for (const auto& entry : entries_) {
    if (entry->listener->config().name != listener || !entry->listener->config().bind_to_port) {
      continue;
    }
    for (const net::Address& mine : entry->addresses) {
      const bool any = mine.isAny() && mine.kind() == address.kind() && address.isLoopback() &&
                       mine.port() == address.port();
      if (mine == address || any) {
        return true;
      }
    }
  }
  return false;
}

} // namespace culvert::server
