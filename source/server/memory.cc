// SPDX-License-Identifier: Apache-2.0
#include "source/server/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

// There when the binary is linked with tcmalloc.
extern "C" int MallocExtension_GetNumericProperty(const char* property, size_t* value)
    __attribute__((weak));

namespace culvert::server {
namespace {

uint64_t tcmallocProperty(const char* name) {
  size_t value = 0;
  return MallocExtension_GetNumericProperty(name, &value) != 0 ? value : 0;
}

uint64_t residentBytes() {
  uint64_t pages = 0;
  std::ifstream file("/proc/self/statm");
  file >> pages >> pages; // Size, resident.
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

} // namespace

MemoryUse memoryUse() {
  MemoryUse use;
  use.total_physical_bytes = residentBytes();
  if (MallocExtension_GetNumericProperty != nullptr) {
    use.allocated = tcmallocProperty("generic.current_allocated_bytes");
    use.heap_size = tcmallocProperty("generic.heap_size");
    use.pageheap_unmapped = tcmallocProperty("tcmalloc.pageheap_unmapped_bytes");
    use.pageheap_free = tcmallocProperty("tcmalloc.pageheap_free_bytes");
    use.total_thread_cache = tcmallocProperty("tcmalloc.current_total_thread_cache_bytes");
  } else {
    const struct mallinfo2 info = mallinfo2();
    use.allocated = info.uordblks + info.hblkhd;
    use.heap_size = info.arena + info.hblkhd;
    use.pageheap_free = info.fordblks;
  }
  return use;
}

} // namespace culvert::server
