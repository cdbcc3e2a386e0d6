// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/filter_api/factory.h"
#include "source/filter_api/filter.h"

namespace culvert {

class Session;

// Who keeps sessions.
class SessionOwner {
public:
  // The session is over: its record is complete, its filters have had onClose. Called once; the
  // owner destroys it through Loop::deferDelete.
  virtual void onSessionClosed(Session& session) = 0;

protected:
  ~SessionOwner() = default;
};

using FilterConfigs = std::vector<std::shared_ptr<const NetworkFilterConfig>>;

// One downstream connection and its filters: drives the verbs of filter.h.
// Threads: the worker's. Lifetime: owned by its SessionOwner, which outlives it.
class Session final : public Connection,
                      public net::ConnectionHandler,
                      public event::Deferred,
                      public base::ListNode<Session> {
public:
  Session(std::unique_ptr<net::Connection> transport, ConnectionInfo info, SessionOwner& owner);
  ~Session() override;

  // Makes the filters and opens them; `keep_alive` holds what they borrow from the configuration.
  void start(const FilterConfigs& configs, upstream::ThreadClusters& clusters,
             std::shared_ptr<const void> keep_alive);

  // Connection
  using Connection::write;
  void write(Buffer& data, bool end) override;
  Next close(const CloseReason& reason, CloseMode mode) override;
  void pauseReading() override { transport_->pauseReading(); }
  void resumeReading() override { transport_->resumeReading(); }
  ConnectionInfo& info() override { return info_; }
  net::Connection& transport() override { return *transport_; }
  bool writesAreSeen() const override;
  void setDirectSink(net::Connection* sink, base::Delegate<void(size_t)> moved) override;

private:
  friend class Filter;

  // What a filter keeps back in one direction.
  struct Kept {
    void keep(Buffer& data, bool with_end);
    bool unkeep(Buffer& data);

    std::unique_ptr<Buffer> kept;
    bool end = false;
    bool stopped = false; // Its last answer was kStop, and it did not resume.
  };
  // A filter's place in the chain.
  struct Slot {
    std::unique_ptr<Filter> filter;
    Kept reads;
    Kept writes;
    bool sees_reads = false;
    bool sees_writes = false;
    bool open_stopped = false;
  };

  // net::ConnectionHandler
  void onConnected() override;
  void onData(Buffer& data, bool end) override;
  void onWriteBlocked(bool blocked) override;
  void onClosed(const CloseReason& reason) override;
  net::Connection* directSink() override;
  void onSpliced(size_t bytes) override { moved_(bytes); }

  void openFrom(size_t index);
  void readFrom(size_t index, Buffer& data, bool end);
  bool offerRead(Slot& slot, Buffer& data, bool& end);
  void writeBelow(size_t index, Buffer& data, bool end);
  bool offerWrite(Slot& slot, Buffer& data, bool& end);
  void resume(Filter& filter);
  void keepReads(Slot& slot, Buffer& data, bool end);
  bool unkeepReads(Slot& slot, Buffer& data);
  void keepWrites(Slot& slot, Buffer& data, bool end);
  bool unkeepWrites(Slot& slot, Buffer& data);
  void afterRead();
  void tellBlocked();

  std::unique_ptr<net::Connection> transport_;
  ConnectionInfo info_;
  SessionOwner& owner_;
  std::shared_ptr<const void> keep_alive_;
  std::vector<Slot> slots_;
  net::Connection* direct_sink_ = nullptr;
  base::Delegate<void(size_t)> moved_;
  size_t opened_ = 0; // How many filters have had onOpen.
  size_t kept_read_bytes_ = 0;
  size_t kept_write_bytes_ = 0;
  bool read_end_kept_ = false;
  bool kept_too_much_ = false;     // And reading is paused for it.
  bool transport_blocked_ = false; // The peer does not take what is written.
  bool write_blocked_ = false;     // So the filters were told.
};

} // namespace culvert
