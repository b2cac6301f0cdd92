// Which encoder wrote a gzip member: by the shapes of its blocks and its header, then by trial.
// Threads share nothing.
#ifndef VARVE_STORAGE_DEFLATE_IDENTIFY_H_
#define VARVE_STORAGE_DEFLATE_IDENTIFY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/deflate/encoder.h"

namespace varve {

// How much of a member is worth giving to Identify: two blocks of the largest usual ones and more.
inline constexpr size_t kIdentifyPlainBytes = 2 << 20;

// How a member begins.
struct MemberStart {
  std::string_view header;   // whole
  std::string_view deflate;  // the first bytes of its deflate stream,
  std::string_view plain;    // and as many of what they inflate to: at least one whole block
  bool whole = false;        // that is all of it
};

struct Identification {
  // Those whose streams begin like this one, the likeliest first: at most kMaxCandidates. The start
  // of a stream may be the same for several, so that all of it must be compared.
  std::vector<EncoderParameters> candidates;
  // What the member looks like, for logs and statistics: "Go up to 1.26, level 4 to 9", "gzip(1)".
  std::string fingerprint;
};

inline constexpr size_t kMaxCandidates = 3;

// Never fails: without candidates when no model of this build writes such a stream. Memory: that of
// one encoder and its output, as one is tried after the other; each is dropped at the first byte
// that differs, which mostly is in the first block (a fifth of a second in all when two are tried
// to the end).
Identification Identify(const MemberStart& start);

}  // namespace varve

#endif  // VARVE_STORAGE_DEFLATE_IDENTIFY_H_
