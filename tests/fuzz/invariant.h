// What a fuzz target states about its subject: a broken statement aborts, which is what libFuzzer
// and the replayer report as a crash. Works in every build type, unlike assert().
#ifndef VARVE_TESTS_FUZZ_INVARIANT_H_
#define VARVE_TESTS_FUZZ_INVARIANT_H_

#include <cstdio>
#include <cstdlib>

#define FUZZ_INVARIANT(condition)                                                            \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)

#endif  // VARVE_TESTS_FUZZ_INVARIANT_H_
