// What the tests of encoders compress: bytes that depend on their seed alone, the same in every
// build. Digests of what real producers make of them are in the tests: a change here changes these.
#ifndef VARVE_TESTS_STORAGE_DEFLATE_PLAIN_INPUTS_H_
#define VARVE_TESTS_STORAGE_DEFLATE_PLAIN_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace varve {

// The kinds that layers are made of.
std::string Noise(size_t size, uint64_t seed);    // compressed files: nothing repeats
std::string Skewed(size_t size, uint64_t seed);   // no matches, but few symbols are frequent
std::string Words(size_t size, uint64_t seed);    // text
std::string Records(size_t size, uint64_t seed);  // tables and code: short matches at odd distances
// Pieces of those, zeros, and copies from up to 70 KiB before.
std::string Mixed(size_t size, uint64_t seed);

// Around every size at which an encoder takes another way; about 1.2 MB together.
std::vector<std::string> ThresholdInputs();

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_DEFLATE_PLAIN_INPUTS_H_
