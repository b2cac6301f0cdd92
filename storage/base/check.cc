#include "storage/base/check.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace varve {
namespace {

std::atomic<InvariantHook> g_hook{nullptr};

// Without the directories of the machine that compiled it.
const char* NameOf(const char* path) {
  return path + std::string_view(path).rfind('/') + 1;  // npos + 1 is 0
}

}  // namespace

void SetInvariantHook(InvariantHook hook) { g_hook.store(hook); }

void EndByInvariant(const char* invariant, const char* file, int line) {
  std::array<char, 512> sentence;  // memory may be what is broken
  std::snprintf(sentence.data(), sentence.size(), "%s:%d: broken invariant: %s", NameOf(file), line,
                invariant);
  std::fprintf(stderr, "%s\n", sentence.data());
  // Once: the hook may meet one that is broken, too.
  if (const InvariantHook hook = g_hook.exchange(nullptr); hook != nullptr) hook(sentence.data());
  std::abort();
}

}  // namespace varve
