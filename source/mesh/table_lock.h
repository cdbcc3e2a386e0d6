// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include "source/base/check.h"

namespace culvert::mesh {

// Many readers or one writer. A writer that waits goes before readers that come later, so that
// traffic does not keep updates out; a reader must therefore not take the lock twice.
// Threads: any.
class TableLock {
public:
  TableLock() {
    pthread_rwlockattr_t attributes;
    CULVERT_CHECK(pthread_rwlockattr_init(&attributes) == 0);
    CULVERT_CHECK(pthread_rwlockattr_setkind_np(&attributes,
                                                PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
    CULVERT_CHECK(pthread_rwlock_init(&lock_, &attributes) == 0);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~TableLock() { pthread_rwlock_destroy(&lock_); }
  TableLock(const TableLock&) = delete;

  void lockShared() { CULVERT_CHECK(pthread_rwlock_rdlock(&lock_) == 0); }
  void lock() { CULVERT_CHECK(pthread_rwlock_wrlock(&lock_) == 0); }
  void unlock() { CULVERT_CHECK(pthread_rwlock_unlock(&lock_) == 0); }

private:
  pthread_rwlock_t lock_;
};

} // namespace culvert::mesh
