// Invariants of the store's own structures, looked at in every build. One that does not hold is a
// bug, and what would be written next may be harm: it names itself on standard error and in the
// daemon's log, and the process ends (SIGABRT) before that.
//
// Only for what nobody but this program can bring about. What a client, a peer, the disk or the
// operator can do is an absl::Status: also a row that was read, whatever wrote it.
#ifndef VARVE_STORAGE_BASE_CHECK_H_
#define VARVE_STORAGE_BASE_CHECK_H_

namespace varve {

// Called with "<file>:<line>: broken invariant: <invariant>" just before the process ends, by the
// thread that met it, whatever locks that holds: for a log. Null: nobody. Thread-safe.
using InvariantHook = void (*)(const char* sentence);
void SetInvariantHook(InvariantHook hook);

[[noreturn]] void EndByInvariant(const char* invariant, const char* file, int line);

// `invariant` is a literal: what always is true, such as "an upload ends once". Costs a branch that
// is never taken.
inline void CheckInvariant(bool holds, const char* invariant, const char* file = __builtin_FILE(),
                           int line = __builtin_LINE()) {
  if (!holds) [[unlikely]] {
    EndByInvariant(invariant, file, line);
  }
}

}  // namespace varve

#endif  // VARVE_STORAGE_BASE_CHECK_H_
