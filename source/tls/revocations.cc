// SPDX-License-Identifier: Apache-2.0
#include "source/tls/revocations.h"

#include <utility>

#include "source/tls/internal/revocation_lists.h"
#include "source/tls/internal/tls_io.h"

namespace culvert::tls {

// Handshakes see the new lists before any loop looks at its connections, so none falls in between.
absl::StatusOr<size_t> Revocations::load(absl::string_view text) {
  auto lists = internal::RevocationLists::parse(text);
  if (!lists.ok()) {
    return lists.status();
  }
  const size_t size = (*lists)->size();
  {
    base::MutexLock lock(mutex_);
    lists_.swap(*lists); // The old ones are destroyed outside the lock.
  }
  for (event::Loop* const loop : loops_) {
    loop->post([self = shared_from_this(), loop] { internal::TlsIo::recheck(*loop, *self); });
  }
  return size;
}

std::shared_ptr<const internal::RevocationLists> Revocations::lists() const {
  base::MutexLock lock(mutex_);
  return lists_;
}

} // namespace culvert::tls
