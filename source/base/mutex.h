// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#if defined(__clang__)
#define CULVERT_TSA(x) __attribute__((x))
#else
#define CULVERT_TSA(x)
#endif
#define CULVERT_GUARDED_BY(x) CULVERT_TSA(guarded_by(x))

namespace culvert::base {

// std::mutex with clang's thread-safety attributes.
// Threads: any.
class CULVERT_TSA(capability("mutex")) Mutex {
public:
  void lock() CULVERT_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() CULVERT_TSA(release_capability()) { mutex_.unlock(); }

private:
  std::mutex mutex_;
};

class CULVERT_TSA(scoped_lockable) MutexLock {
public:
  explicit MutexLock(Mutex& mutex) CULVERT_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() CULVERT_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;

private:
  Mutex& mutex_;
};

} // namespace culvert::base
