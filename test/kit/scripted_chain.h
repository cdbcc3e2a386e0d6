// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/event/simulated_clock.h"
#include "source/filter_api/session.h"
#include "source/stats/store.h"
#include "source/upstream/upstream.h"
#include "test/fakes/fake_io.h"

namespace culvert::test {

class Scripted;

// What one filter of the chain does, and what it was told.
struct Script {
  std::string name;
  NetworkFilterConfig::Sees sees = {true, true};
  std::function<Next()> at_open;
  std::function<Next(Buffer&, bool)> at_data;
  std::function<Next(Buffer&, bool)> at_write;
  std::function<void(bool)> at_blocked;
  std::string read;    // All that onData was shown last, and
  std::string written; // onWrite.
  int opens = 0;
  int read_ends = 0;
  int write_ends = 0;
  int closes = 0;
  std::vector<bool> blocked;
  Scripted* filter = nullptr;
};

class Scripted final : public Filter {
public:
  explicit Scripted(Script& script) : script_(script) { script.filter = this; }

  Next onOpen() override {
    script_.opens++;
    return script_.at_open ? script_.at_open() : Next::kContinue;
  }
  Next onData(Buffer& data, bool end) override {
    EXPECT_GT(script_.opens, 0);
    script_.read = data.toString();
    script_.read_ends += end;
    return script_.at_data ? script_.at_data(data, end) : Next::kContinue;
  }
  Next onWrite(Buffer& data, bool end) override {
    script_.written = data.toString();
    script_.write_ends += end;
    return script_.at_write ? script_.at_write(data, end) : Next::kContinue;
  }
  void onWriteBlocked(bool blocked) override {
    EXPECT_GT(script_.opens, 0);
    script_.blocked.push_back(blocked);
    if (script_.at_blocked) {
      script_.at_blocked(blocked);
    }
  }
  void onClose(const CloseReason&) override { script_.closes++; }

  // What a filter may do, for scripts and for the test.
  using Filter::bypass;
  using Filter::connection;
  using Filter::resume;

private:
  Script& script_;
};

class ScriptedConfig final : public NetworkFilterConfig {
public:
  ScriptedConfig(Script& script, stats::Scope& scope)
      : NetworkFilterConfig(script.name, script.sees, scope), script_(script) {}
  std::unique_ptr<Filter> make(FilterContext&) const override {
    return std::make_unique<Scripted>(script_);
  }

private:
  Script& script_;
};

class NoClusters final : public upstream::ThreadClusters {
public:
  upstream::ThreadCluster* find(absl::string_view) override { return nullptr; }
};

// Some scripted filters, and one behind them that takes everything.
class Chain final : SessionOwner {
public:
  explicit Chain(size_t filters) : scripts_(filters + 1) {
    for (size_t i = 0; i < scripts_.size(); i++) {
      scripts_[i].name = absl::StrCat("f", i);
    }
    last().sees.writes = false;
    last().at_data = [this](Buffer& data, bool) {
      behind += data.toString();
      data.clear();
      return Next::kContinue;
    };
  }

  Script& operator[](size_t i) { return scripts_[i]; }
  Script& last() { return scripts_.back(); }
  size_t filters() const { return scripts_.size() - 1; }

  void open() {
    FilterConfigs configs;
    for (Script& script : scripts_) {
      configs.push_back(std::make_shared<ScriptedConfig>(script, store_.root()));
    }
    auto transport = std::make_unique<net::Connection>(loop_, std::make_unique<test::FakeIo>(peer),
                                                       1, /*opening=*/false);
    if (read_limit_bytes != 0) {
      transport->setReadLimit(read_limit_bytes);
    }
    SessionOwner& owner = *this;
    session_ = std::make_unique<Session>(std::move(transport), ConnectionInfo(), owner);
    session_->start(configs, clusters_, nullptr);
    turn();
  }
  void fromPeer(absl::string_view bytes, bool end = false) {
    peer.to_send.append(bytes.data(), bytes.size());
    peer.send_end |= end;
    turn();
  }
  void fromBehind(absl::string_view bytes, bool end = false) {
    Buffer data = Buffer::borrow(bytes);
    last().filter->connection().write(data, end);
    EXPECT_TRUE(data.empty());
    turn();
  }
  void window(size_t bytes) {
    peer.window_bytes = bytes;
    turn();
  }
  void turn() {
    loop_.runOnce(false);
    if (peer.io != nullptr) {
      peer.io->deliver();
    }
    loop_.runOnce(false);
  }
  Session& session() { return *session_; }

  test::FakeIo::Peer peer;
  std::string behind; // All that the last filter got.
  uint32_t read_limit_bytes = 0;
  std::optional<CloseReason> closed;
  int closes = 0;

private:
  void onSessionClosed(Session& session) override {
    closed = session.info().close_reason;
    closes++;
  }

  std::vector<Script> scripts_;
  event::SimulatedClock clock_;
  event::Loop loop_{"test", clock_};
  stats::Store store_{1, {}};
  NoClusters clusters_;
  std::unique_ptr<Session> session_;
};

} // namespace culvert::test
