// SPDX-License-Identifier: Apache-2.0
#include "source/net/dns_resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/check.h"
#include "source/base/log.h"

namespace culvert::net {
namespace {

// The families to ask for, one after the other, until one has addresses.
std::vector<int> familiesOf(DnsFamily family) {
  switch (family) {
  case DnsFamily::kAuto:
    return {AF_INET, AF_INET6}; // From the back.
  case DnsFamily::kV4Only:
    return {AF_INET};
  case DnsFamily::kV6Only:
    return {AF_INET6};
  case DnsFamily::kV4Preferred:
    return {AF_INET6, AF_INET};
  case DnsFamily::kAll:
    return {AF_UNSPEC};
  }
  return {};
}

bool wants(DnsFamily family, const Address& address) {
  return !(family == DnsFamily::kV4Only && address.kind() == Address::Kind::kIpv6) &&
         !(family == DnsFamily::kV6Only && address.kind() == Address::Kind::kIpv4);
}

std::vector<DnsAddress> addressesOf(const ares_addrinfo* result) {
  std::vector<DnsAddress> addresses;
  for (const ares_addrinfo_node* node = result == nullptr ? nullptr : result->nodes;
       node != nullptr; node = node->ai_next) {
    sockaddr_storage storage{};
    memcpy(&storage, node->ai_addr, node->ai_addrlen);
    addresses.push_back({Address::fromSockaddr(storage, node->ai_addrlen).withPort(0),
                         std::chrono::seconds(node->ai_ttl)});
  }
  return addresses;
}

} // namespace

struct CaresResolver::Stats {
  explicit Stats(stats::Scope& scope)
      : resolve_total(scope.counter("resolve_total")), not_found(scope.counter("not_found")),
        timeouts(scope.counter("timeouts")), get_addr_failure(scope.counter("get_addr_failure")),
        reinits(scope.counter("reinits")), pending_resolutions(scope.gauge("pending_resolutions")) {
  }

  stats::Counter& resolve_total;
  stats::Counter& not_found;
  stats::Counter& timeouts;
  stats::Counter& get_addr_failure;
  stats::Counter& reinits;
  stats::Gauge& pending_resolutions;
};

struct CaresResolver::Lookup {
  CaresResolver* resolver;
  std::string name;
  std::vector<int> families; // Still to be asked for, the next one last.
  Done done;                 // Null once nobody waits any more.
};

class CaresResolver::Handle final : public DnsQuery {
public:
  explicit Handle(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}
  ~Handle() override { lookup_->done = nullptr; }

private:
  const std::shared_ptr<Lookup> lookup_;
};

// Readiness of one of c-ares's sockets.
class CaresResolver::Watch {
public:
  Watch(CaresResolver& owner, int fd)
      : owner_(owner), fd_(fd),
        events_(owner.loop_, fd, event::FdEvents::Callback::to<&Watch::onReady>(this)) {}

  void want(bool read, bool write) {
    using ReadInterest = event::FdEvents::ReadInterest;
    events_.setRead(read ? ReadInterest::kData : ReadInterest::kNone);
    events_.setWrite(write);
  }

private:
  void onReady(uint32_t readiness) { owner_.onReady(fd_, readiness); }

  CaresResolver& owner_;
  const int fd_;
  event::FdEvents events_;
};

CaresResolver::CaresResolver(event::Loop& loop, stats::Scope& stats, std::vector<Address> servers)
    : loop_(loop), servers_(std::move(servers)), scope_(stats.scope("dns.cares")),
      stats_(std::make_unique<Stats>(*scope_)),
      timer_(loop, event::Timer::Callback::to<&CaresResolver::onTimer>(this)) {
  CULVERT_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
  openChannel();
}

CaresResolver::~CaresResolver() {
  closeChannel();
  ares_library_cleanup();
}

void CaresResolver::openChannel() {
  ares_options options{};
  options.sock_state_cb = &CaresResolver::onSocketState;
  options.sock_state_cb_data = this;
  const int status = ares_init_options(&channel_, &options, ARES_OPT_SOCK_STATE_CB);
  CULVERT_CHECK(status == ARES_SUCCESS);
  std::string list;
  for (const Address& server : servers_) {
    absl::StrAppend(&list, list.empty() ? "" : ",", server.toString());
  }
  if (!list.empty()) {
    CULVERT_CHECK(ares_set_servers_ports_csv(channel_, list.c_str()) == ARES_SUCCESS);
  }
  stale_ = false;
}

// Questions that are under way end without an answer.
void CaresResolver::closeChannel() {
  ares_destroy(channel_);
  channel_ = nullptr;
  watches_.clear();
  timer_.disarm();
}

std::unique_ptr<DnsQuery> CaresResolver::resolve(const std::string& name, DnsFamily family,
                                                 Done done) {
  if (stale_ && pending_ == 0) {
    closeChannel();
    openChannel();
    stats_->reinits.add();
  }
  auto lookup = std::make_shared<Lookup>(Lookup{this, name, familiesOf(family), std::move(done)});
  const absl::StatusOr<Address> literal = Address::parseIp(name, 0);
  if (literal.ok() && wants(family, *literal)) { // c-ares would ask for the other family first.
    stats_->resolve_total.add();
    finish(lookup, {.ok = true, .addresses = {{*literal, {}}}, .error = {}});
  } else {
    ask(lookup);
  }
  return std::make_unique<Handle>(std::move(lookup));
}

void CaresResolver::ask(const std::shared_ptr<Lookup>& lookup) {
  ares_addrinfo_hints hints{};
  hints.ai_family = lookup->families.back();
  hints.ai_flags = ARES_AI_NOSORT; // Sorting would open a socket for each address.
  lookup->families.pop_back();
  pending_++;
  stats_->resolve_total.add();
  stats_->pending_resolutions.add();
  ares_getaddrinfo(channel_, lookup->name.c_str(), nullptr, &hints, &CaresResolver::onAnswer,
                   new std::shared_ptr<Lookup>(lookup));
  armTimer();
}

void CaresResolver::onAnswer(void* holder, int status, int, ares_addrinfo* result) {
  const std::unique_ptr<std::shared_ptr<Lookup>> lookup(
      static_cast<std::shared_ptr<Lookup>*>(holder));
  (*lookup)->resolver->onAnswer(*lookup, status, result);
  ares_freeaddrinfo(result);
}

void CaresResolver::onAnswer(const std::shared_ptr<Lookup>& lookup, int status,
                             ares_addrinfo* result) {
  pending_--;
  stats_->pending_resolutions.sub();
  if (status == ARES_EDESTRUCTION) {
    return;
  }
  DnsAnswer answer;
  answer.ok = true;
  switch (status) {
  case ARES_SUCCESS:
    answer.addresses = addressesOf(result);
    break;
  case ARES_ENODATA:
  case ARES_ENOTFOUND:
    stats_->not_found.add();
    break;
  case ARES_ETIMEOUT:
    stats_->timeouts.add();
    answer.ok = false;
    break;
  default:
    stats_->get_addr_failure.add();
    stale_ = stale_ || status == ARES_ECONNREFUSED;
    answer.ok = false;
    break;
  }
  if (!answer.ok) {
    answer.error = ares_strerror(status);
  }
  LOG(debug, dns, "dns resolution for %s completed with %d address(es): %s", lookup->name,
      answer.addresses.size(), ares_strerror(status));
  finish(lookup, std::move(answer));
}

void CaresResolver::finish(const std::shared_ptr<Lookup>& lookup, DnsAnswer answer) {
  loop_.post([lookup, answer = std::move(answer)]() mutable {
    if (lookup->done == nullptr) {
      return;
    }
    if (answer.addresses.empty() && !lookup->families.empty()) {
      lookup->resolver->ask(lookup);
      return;
    }
    std::exchange(lookup->done, nullptr)(std::move(answer));
  });
}

void CaresResolver::onSocketState(void* self, int fd, int readable, int writable) {
  CaresResolver& resolver = *static_cast<CaresResolver*>(self);
  if (readable == 0 && writable == 0) {
    resolver.watches_.erase(fd);
    return;
  }
  std::unique_ptr<Watch>& watch = resolver.watches_[fd];
  if (watch == nullptr) {
    watch = std::make_unique<Watch>(resolver, fd);
  }
  watch->want(readable != 0, writable != 0);
}

void CaresResolver::onReady(int fd, uint32_t readiness) {
  ares_process_fd(channel_, (readiness & event::kReadable) != 0 ? fd : ARES_SOCKET_BAD,
                  (readiness & event::kWritable) != 0 ? fd : ARES_SOCKET_BAD);
  armTimer();
}

void CaresResolver::onTimer() {
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  armTimer();
}

// When c-ares wants to look whether a question has waited long enough.
void CaresResolver::armTimer() {
  timeval wait{};
  if (ares_timeout(channel_, nullptr, &wait) == nullptr) {
    timer_.disarm();
    return;
  }
  timer_.arm(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec));
}

} // namespace culvert::net
