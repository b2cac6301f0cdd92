// One call around a whole stream, for tests of encoders.
#ifndef VARVE_TESTS_STORAGE_DEFLATE_ENCODING_H_
#define VARVE_TESTS_STORAGE_DEFLATE_ENCODING_H_

#include <string>
#include <string_view>
#include <vector>

#include "storage/deflate/encoder.h"

namespace varve {

struct Encoded {
  std::string deflate;
  std::vector<EncoderCheckpoint> checkpoints;
};

// Fed at once; the model must exist.
Encoded Encode(const EncoderParameters& parameters, std::string_view plain,
               uint64_t checkpoint_interval = 0);

// By zlib; what it says when that is not one whole stream.
std::string Inflate(std::string_view deflate);

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_DEFLATE_ENCODING_H_
