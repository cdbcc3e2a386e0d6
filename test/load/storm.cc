// SPDX-License-Identifier: Apache-2.0
#include "test/load/storm.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/bench/sockets.h"

namespace culvert::load {
namespace {

constexpr int64_t kMs = 1000000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr size_t kHeaderBytes = 16;
constexpr uint64_t kUnmetMax = 256;    // Keeps below every listener's backlog.
constexpr uint64_t kUnmetMaxDown = 16; // While the backend is away each one fails at once.
constexpr size_t kFailuresShown = 20;
constexpr uint64_t kListenerKey = 0;
constexpr uint64_t kStrangerBit = uint64_t{1} << 63;

// The key of an end in the epoll: the flow's id and the side.
uint64_t keyOf(uint64_t id, int side) { return id << 1 | static_cast<uint64_t>(side); }

std::string outcome(const End& end) {
  if (end.error() != 0)
    return std::strerror(end.error());
  return end.sawEnd() ? "the end" : "nothing more";
}

} // namespace

void Tally::fail(const std::string& text) {
  ++failed;
  if (failures.size() < kFailuresShown)
    failures.push_back(text);
}

Storm::Storm(const Options& options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  startBackend();
}

Storm::~Storm() {
  for (const auto& [fd, stranger] : strangers_)
    close(fd);
  close(listener_);
  close(epoll_);
}

Tally Storm::run() {
  start_ns_ = bench::nowNs();
  const int64_t end = start_ns_ + options_.seconds * kSecond;
  while (bench::nowNs() < end) {
    restartBackendWhenDue();
    openFlows();
    turn();
  }
  if (listener_ < 0)
    startBackend();
  const int64_t deadline = bench::nowNs() + options_.drain_seconds * kSecond;
  while ((!flows_.empty() || !strangers_.empty()) && bench::nowNs() < deadline)
    turn();
  reportStuck();
  return tally_;
}

void Storm::openFlows() {
  const uint64_t unmet_max = listener_ < 0 ? kUnmetMaxDown : kUnmetMax;
  for (int i = 0; i < 64 && flows_.size() < options_.connections && unmet_ < unmet_max; ++i)
    openFlow();
  tally_.peak = std::max<uint64_t>(tally_.peak, flows_.size());
}

void Storm::openFlow() {
  const uint64_t id = next_id_++;
  const int fd = bench::connectTo(options_.proxy_port);
  if (fd < 0)
    return tally_.fail(std::string("connect: ") + std::strerror(errno));
  Flow& flow = flows_[id];
  flow.id = id;
  flow.plan = makePlan(options_.seed, id, options_.hold_max_ms);
  flow.forgiven = listener_ < 0 || bench::nowNs() < forgiven_until_ns_;
  ++tally_.flows[static_cast<int>(flow.plan.kind)];
  ++unmet_;
  const End::Wiring wiring{epoll_, fd, keyOf(id, 0), false};
  flow.client = std::make_unique<End>(wiring, flow.plan.client, pattern(id, 0), pattern(id, 1),
                                      flow.plan.client.greets ? header(id) : "");
}

void Storm::turn() {
  std::array<epoll_event, 512> events;
  const int ready = epoll_wait(epoll_, events.data(), events.size(), 1);
  for (int i = 0; i < ready; ++i)
    dispatch(events[i].data.u64, events[i].events);
  wakeDue();
}

void Storm::dispatch(uint64_t key, uint32_t events) {
  if (key == kListenerKey)
    return acceptAll();
  if ((key & kStrangerBit) != 0)
    return meet(static_cast<int>(key & ~kStrangerBit));
  const auto found = flows_.find(key >> 1);
  if (found == flows_.end())
    return;
  End* end = ((key & 1) == 0 ? found->second.client : found->second.backend).get();
  if (end == nullptr || end->done())
    return;
  const std::optional<int64_t> again = end->act(events);
  if (again)
    wakeups_.emplace(*again, key);
  if (end->done())
    settle(key >> 1);
}

void Storm::wakeDue() {
  const int64_t now = bench::nowNs();
  while (!wakeups_.empty() && wakeups_.top().first <= now) {
    const uint64_t key = wakeups_.top().second;
    wakeups_.pop();
    dispatch(key, 0);
  }
}

void Storm::acceptAll() {
  for (int fd = bench::acceptFrom(listener_); fd >= 0; fd = bench::acceptFrom(listener_)) {
    strangers_[fd];
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kStrangerBit | static_cast<uint64_t>(fd);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
      bench::die("epoll_ctl");
  }
}

// Reads a header, not a byte more.
void Storm::meet(int fd) {
  const auto found = strangers_.find(fd);
  if (found == strangers_.end())
    return;
  std::string& header = found->second.header;
  std::array<char, kHeaderBytes> bytes;
  const ssize_t got = recv(fd, bytes.data(), kHeaderBytes - header.size(), 0);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got > 0)
    header.append(bytes.data(), static_cast<size_t>(got));
  if (got > 0 && header.size() < kHeaderBytes)
    return;
  const std::string complete = std::move(header);
  strangers_.erase(found);
  if (got > 0)
    return adopt(fd, complete);
  close(fd);
}

void Storm::adopt(int fd, const std::string& header) {
  uint64_t id = 0;
  std::memcpy(&id, header.data(), sizeof(id));
  const auto found = flows_.find(id);
  // A flow that was given up before its connection came: nobody is there to talk to.
  if (id != 0 && id < next_id_ && found == flows_.end())
    return bench::reset(fd);
  if (found == flows_.end() || header != this->header(id) || found->second.backend != nullptr) {
    tally_.fail("the backend was greeted by no flow, or twice by one");
    return bench::reset(fd);
  }
  Flow& flow = found->second;
  --unmet_;
  const End::Wiring wiring{epoll_, fd, keyOf(id, 1), true};
  flow.backend = std::make_unique<End>(wiring, flow.plan.backend, pattern(id, 1), pattern(id, 0),
                                       std::string());
}

// Restarts are spread evenly; the backend is away for a tenth of a second. The last one is a crash,
// the others let go on what they have accepted.
void Storm::restartBackendWhenDue() {
  const int64_t now = bench::nowNs();
  if (listener_ < 0 && now >= back_up_ns_)
    startBackend();
  const int64_t share = options_.seconds * kSecond / (options_.restarts + 1);
  const int64_t due = start_ns_ + static_cast<int64_t>(tally_.restarts + 1) * share;
  if (listener_ < 0 || static_cast<int>(tally_.restarts) >= options_.restarts || now < due)
    return;
  ++tally_.restarts;
  back_up_ns_ = now + 100 * kMs;
  stopBackend(static_cast<int>(tally_.restarts) == options_.restarts);
}

void Storm::stopBackend(bool abort) {
  close(listener_);
  listener_ = -1;
  std::vector<uint64_t> cut;
  for (auto& [id, flow] : flows_) {
    if (!abort && flow.backend != nullptr)
      continue;
    tally_.forgiven += flow.tolerant() ? 0 : 1;
    flow.forgiven = true;
    if (flow.backend != nullptr && !flow.backend->done())
      flow.backend->abort();
    cut.push_back(id);
  }
  for (const uint64_t id : cut)
    settle(id);
}

void Storm::startBackend() {
  listener_ = bench::listenOn(options_.backend_port);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kListenerKey;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) != 0)
    bench::die("epoll_ctl");
}

// Ends the flow if both ends have, or if the other one need not come any more.
void Storm::settle(uint64_t id) {
  const auto found = flows_.find(id);
  const Flow& flow = found->second;
  const bool met = flow.backend != nullptr;
  const bool hopeless = flow.tolerant() || (flow.client->done() && flow.client->error() != 0);
  if (!flow.client->done() || !(met ? flow.backend->done() : hopeless))
    return;
  judge(flow);
  if (!met)
    --unmet_;
  flows_.erase(found);
}

void Storm::judge(const Flow& flow) {
  judgeEnd(flow, flow.client.get(), flow.plan.client, flow.plan.backend);
  judgeEnd(flow, flow.backend.get(), flow.plan.backend, flow.plan.client);
  if (flow.forgiven)
    return;
  if (flow.plan.kind == Kind::kClientResets)
    countReset(0, flow.backend.get());
  if (flow.plan.kind == Kind::kBackendResets)
    countReset(1, flow.client.get());
}

void Storm::judgeEnd(const Flow& flow, const End* end, const EndPlan& own, const EndPlan& other) {
  const bool is_client = end == flow.client.get();
  const std::string who = "flow " + std::to_string(flow.id) + " (" + name(flow.plan.kind) +
                          "): the " + (is_client ? "client" : "backend");
  if (end == nullptr) {
    if (!flow.tolerant())
      tally_.fail(who + " was never reached");
    return;
  }
  tally_.bytes += end->received();
  if (end->wrongAt())
    return tally_.fail(who + " got a wrong byte at " + std::to_string(*end->wrongAt()));
  if (end->received() > other.bytes)
    return tally_.fail(who + " got more than was sent");
  const bool whole = end->received() == other.bytes && end->error() == 0 &&
                     (end->sawEnd() || own.finish == Finish::kClose);
  if (whole || flow.tolerant())
    return;
  tally_.fail(who + " got " + std::to_string(end->received()) + " of " +
              std::to_string(other.bytes) + " bytes, then " + outcome(*end));
}

void Storm::countReset(int from, const End* end) {
  if (end == nullptr)
    return;
  ++(end->error() != 0 ? tally_.reset_as_reset : tally_.reset_as_end)[from];
}

void Storm::reportStuck() {
  for (const auto& [id, flow] : flows_) {
    const auto state = [](const End* end) {
      if (end == nullptr)
        return std::string("never reached");
      return end->done()
                 ? std::string("gone")
                 : "open with " + std::to_string(end->received()) + " bytes, then " + outcome(*end);
    };
    tally_.fail("flow " + std::to_string(id) + " (" + name(flow.plan.kind) + ") is stuck: client " +
                state(flow.client.get()) + ", backend " + state(flow.backend.get()));
  }
  if (!strangers_.empty())
    tally_.fail(std::to_string(strangers_.size()) + " backend connections of dead clients stay");
}

std::string Storm::header(uint64_t id) const {
  const std::array<uint64_t, 2> words{id, mix(options_.seed ^ id)};
  return std::string(reinterpret_cast<const char*>(words.data()), kHeaderBytes);
}

Pattern Storm::pattern(uint64_t id, int side) const {
  return Pattern{mix(mix(options_.seed) ^ keyOf(id, side))};
}

} // namespace culvert::load
