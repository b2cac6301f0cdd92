// How many bits the tokens of a block would take with a code of their own, as the producer guesses.
#ifndef VARVE_STORAGE_DEFLATE_KLAUSPOST_SIZE_ESTIMATE_H_
#define VARVE_STORAGE_DEFLATE_KLAUSPOST_SIZE_ESTIMATE_H_

#include <cstdint>

#include "storage/deflate/klauspost/tokens.h"

namespace varve::klauspost {

// In single precision, each step rounded; `fused`: three of them without the rounding between
// multiplication and addition. Exact only in code that the compiler does not fuse by itself.
uint64_t EstimateBits(const Tokens& tokens, bool fused);

}  // namespace varve::klauspost

#endif  // VARVE_STORAGE_DEFLATE_KLAUSPOST_SIZE_ESTIMATE_H_
