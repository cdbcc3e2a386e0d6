// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace culvert::server {

// What the allocator says of itself. Units: bytes.
struct MemoryUse {
  uint64_t allocated = 0; // Held by the program.
  uint64_t heap_size = 0; // Taken from the system.
  uint64_t pageheap_unmapped = 0;
  uint64_t pageheap_free = 0;
  uint64_t total_thread_cache = 0;
  uint64_t total_physical_bytes = 0;
};

// Threads: any. Works with tcmalloc and the C library's allocator; of another only the physical
// size is known.
MemoryUse memoryUse();

// Gives back to the system what only the start needed: free heap, and the pages of code and
// constants, which come back from the file as they are touched. Threads: main, seldom; it walks the
// heap.
void releaseStartMemory();

} // namespace culvert::server
