// SPDX-License-Identifier: Apache-2.0
#include "source/server/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

// There when the binary is linked with tcmalloc.
extern "C" int MallocExtension_GetNumericProperty(const char* property, size_t* value)
    __attribute__((weak));
extern "C" void MallocExtension_ReleaseFreeMemory() __attribute__((weak));

namespace culvert::server {
namespace {

// A debugger writes its breakpoints into the pages of code.
#ifdef NDEBUG
constexpr bool kCodeIsClean = true;
#else
constexpr bool kCodeIsClean = false;
#endif

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

// Read-only segments alone: they were never written, so that the file has all there is of them.
int releaseSegments(dl_phdr_info* object, size_t, void*) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) {
      continue;
    }
    const uintptr_t start = object->dlpi_addr + segment.p_vaddr;
    const uintptr_t from = start & ~(page - 1);
    madvise(reinterpret_cast<void*>(from), start + segment.p_memsz - from, MADV_DONTNEED);
  }
  return 0;
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

void releaseStartMemory() {
  if (MallocExtension_ReleaseFreeMemory != nullptr) {
    MallocExtension_ReleaseFreeMemory();
  } else {
    malloc_trim(0);
  }
  if (kCodeIsClean) {
    dl_iterate_phdr(releaseSegments, nullptr);
  }
}

} // namespace culvert::server
