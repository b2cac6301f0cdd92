// The epochs of the family kKlauspost, as data: bits of EncoderParameters::flags. Numbers are on
// disk and their meaning is frozen; a rule that changes again gets another bit.
//
// Blocks of `block_bytes` are those of pgzip: each is compressed by itself, behind a dictionary of
// the 16 KiB before it, and ends at a byte.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_FLAGS_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_FLAGS_H_

#include <cstdint>

namespace varve::klauspost {

// Headers of dynamic blocks that are not the last leave out unused codes at their end.
inline constexpr uint64_t kTrimmedHeaders = 1 << 0;
// The end of the block counts as a symbol when sizes are compared.
inline constexpr uint64_t kEndOfBlockCounts = 1 << 1;
// Level 9 takes the costs of literals from 32 KiB, not from the whole window in 16-bit counters.
inline constexpr uint64_t kShortHistogram = 1 << 2;
// Level 9: a literal that has no code costs a bit, not nothing.
inline constexpr uint64_t kUnseenLiteralCosts = 1 << 3;
// Level 4 measures the match one byte ahead against the wrong bytes.
inline constexpr uint64_t kMisplacedSecondMatch = 1 << 4;
// Levels 7 to 9: the first block of a section starts behind the dictionary, not with it.
inline constexpr uint64_t kBlockAfterDictionary = 1 << 5;
// Huffman: a leaf goes before a pair of the same weight; an unlimited tree is tried first.
inline constexpr uint64_t kLeafFirst = 1 << 6;
// Levels 1 to 6: short ends of a stream are matched, and small blocks chosen, in the newer way.
inline constexpr uint64_t kMatchedTail = 1 << 7;
// The size estimate fuses multiplications with additions, as some processors do.
inline constexpr uint64_t kFusedEstimate = 1 << 8;

inline constexpr uint64_t kKnownFlags = (1 << 9) - 1;

// klauspost/compress 1.15.13 to 1.17.11, and 1.18.0.
inline constexpr uint64_t kEpoch1_15 = 0;
inline constexpr uint64_t kEpoch1_18_0 = kMisplacedSecondMatch;
// 1.18.2 to 1.19.2, and 1.20.0 to 1.20.3.
inline constexpr uint64_t kEpoch1_18_2 =
    kEpoch1_18_0 | kTrimmedHeaders | kEndOfBlockCounts | kShortHistogram;
inline constexpr uint64_t kEpoch1_20_0 = kEpoch1_18_2 | kBlockAfterDictionary;
// Go 1.27.
inline constexpr uint64_t kEpochGo1_27 = kEpoch1_20_0 | kUnseenLiteralCosts;
// 1.20.4.
inline constexpr uint64_t kEpoch1_20_4 = kEpoch1_20_0 | kLeafFirst | kMatchedTail;

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_FLAGS_H_
