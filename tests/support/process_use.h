// What this process holds at the moment, for tests that look for leaks. Linux. Any thread.
#ifndef VARVE_TESTS_SUPPORT_PROCESS_USE_H_
#define VARVE_TESTS_SUPPORT_PROCESS_USE_H_

#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define VARVE_TESTS_WITH_QUARANTINE 1
#endif
#endif

namespace varve {

inline size_t OpenDescriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

// A field of /proc/self/status, such as "Threads" or "VmRSS" (in KiB).
inline uint64_t StatusField(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind(name + ":", 0) == 0) return std::stoull(line.substr(name.size() + 1));
  }
  return 0;
}

// What is in use, without what was freed and the allocator keeps: how much that is depends on which
// threads freed it when, and so on the speed of the host.
inline uint64_t ResidentMib() {
#if defined(VARVE_TESTS_WITH_QUARANTINE)
  __sanitizer_purge_allocator();
#else
  malloc_trim(0);
#endif
  return StatusField("VmRSS") / 1024;
}

// A bound on growth of memory, in MiB; sanitizers surround and shadow each piece of it.
inline uint64_t MemoryBound(uint64_t mib) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return mib * 4 + 512;
#endif
#endif
  return mib;
}

// Whether `condition()` comes true within `patience`.
template <typename Condition>
bool Eventually(Condition condition,
                std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_PROCESS_USE_H_
