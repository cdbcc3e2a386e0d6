// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "test/load/pattern.h"
#include "test/load/plan.h"

namespace culvert::load {

// One socket of a flow, the client's or the backend's, that acts out its plan and checks each byte
// it gets. It arms its own descriptor in the epoll under `key`.
// Threads: one. Lifetime: owns the descriptor until done().
class End {
public:
  struct Wiring {
    int epoll;
    int fd;
    uint64_t key;
    bool registered; // Whether the epoll already knows the descriptor.
  };

  // `header` goes out first if the plan greets.
  End(const Wiring& wiring, const EndPlan& plan, Pattern sends, Pattern gets, std::string header);
  ~End();
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  // Reads and writes what can be; returns when to call again though no event came, if ever.
  std::optional<int64_t> act(uint32_t events);
  // Gives up with RST, as a process that dies does.
  void abort();

  bool done() const { return fd_ < 0; }
  // The errno that ended the connection, 0 for none.
  int error() const { return error_; }
  bool sawEnd() const { return saw_end_; }
  uint64_t received() const { return received_; }
  std::optional<uint64_t> wrongAt() const { return wrong_at_; }

private:
  void readSome();
  void readRest();
  // False when nothing more can be read now.
  bool receive(size_t limit);
  void writeSome();
  // False when the socket takes no more.
  bool sendChunk();
  bool writing() const {
    return !finished_ && (header_.size() > 0 || !plan_.after_peer || saw_end_);
  }
  bool saidAll() const { return header_.empty() && sent_ == plan_.bytes; }
  void finish();
  void fail(int error);
  void closeFd();
  void arm();

  const EndPlan plan_;
  const Pattern sends_;
  const Pattern gets_;
  const int epoll_;
  const uint64_t key_;
  int fd_;
  uint32_t armed_ = 0;
  bool registered_;
  std::string header_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  std::optional<uint64_t> wrong_at_;
  int64_t read_again_ns_ = 0;
  int64_t write_again_ns_ = 0;
  int64_t finish_at_ns_ = 0;
  bool saw_end_ = false;
  bool finished_ = false;
  int error_ = 0;
};

} // namespace culvert::load
