// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "source/base/delegate.h"
#include "source/event/loop.h"

namespace culvert::event {

// What a descriptor is ready for.
enum Readiness : uint32_t {
  kReadable = 1,
  kWritable = 2,
  kPeerChanged = 4, // A FIN or RST may have come: only for ReadInterest::kPeer.
};

// Readiness of one descriptor, reported as long as it lasts (level-triggered): a short read needs
// no second one to be sure, since what is left, a FIN or a RST is reported again.
//
// Threads: the loop's. Lifetime: borrows the descriptor; destroy before closing it, and close one
// that shares its open file with others only a turn later (Loop::post): the kernel is told of a
// turn's changes when the next wait begins. May be destroyed in its own callback.
class FdEvents final : private Ready {
public:
  using Callback = base::Delegate<void(uint32_t readiness)>;
  // Of the reading side one thing at a time; each change costs a system call. kPeer is for who does
  // not read, now or since the peer's FIN, but wants to know of a reset. It reports changes, for a
  // FIN as a level would be reported for ever; bytes that come are such a change too.
  enum class ReadInterest : uint8_t { kNone, kData, kPeer };

  FdEvents(Loop& loop, int fd, Callback callback = {});
  ~FdEvents();
  FdEvents(const FdEvents&) = delete;

  // Set before anything is asked for.
  void setCallback(Callback callback) { callback_ = callback; }

  void setRead(ReadInterest interest);
  void setWrite(bool wanted);
  ReadInterest readInterest() const { return read_interest_; }

  // Calls back in the next turn as if the descriptor had become ready; setWrite(false) takes
  // kWritable back.
  void activate(uint32_t readiness);

private:
  static constexpr size_t kEventBytes = 128; // sizeof(struct event), checked where it is known.
  struct alignas(8) EventStorage {
    unsigned char bytes[kEventBytes];
  };

  void onReady() override;
  static struct ::event* raw(EventStorage& storage) {
    return reinterpret_cast<struct ::event*>(&storage);
  }
  static void onEvent(int fd, short what, void* self);
  void add(EventStorage& storage, short what);
  void remove(EventStorage& storage);
  void renewWrite();

  Loop& loop_;
  Callback callback_;
  int fd_;
  ReadInterest read_interest_ = ReadInterest::kNone;
  uint8_t activated_ = 0;
  EventStorage read_;
  std::unique_ptr<EventStorage> write_; // Only while the descriptor refuses bytes.
};

} // namespace culvert::event
