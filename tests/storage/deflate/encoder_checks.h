// Running encoder models: pieces, checkpoints, and zlib as the one who inflates what they write.
#ifndef VARVE_TESTS_STORAGE_DEFLATE_ENCODER_CHECKS_H_
#define VARVE_TESTS_STORAGE_DEFLATE_ENCODER_CHECKS_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/deflate/encoder.h"

namespace varve {

struct EncodedStream {
  std::string deflate;
  std::vector<EncoderCheckpoint> checkpoints;
};

// Feeds `plain` in pieces of `piece_bytes`, to the end.
inline std::string FeedToEnd(DeflateEncoder& encoder, std::string_view plain, size_t piece_bytes) {
  std::string deflate;
  while (!plain.empty()) {
    const size_t part = std::min(plain.size(), piece_bytes);
    encoder.Write(plain.substr(0, part), deflate);
    plain.remove_prefix(part);
  }
  encoder.Finish(deflate);
  return deflate;
}

// An empty stream, which no encoder writes, when there is no such model.
inline EncodedStream EncodeStream(const EncoderParameters& parameters, std::string_view plain,
                                  size_t piece_bytes = SIZE_MAX, uint64_t interval = 0) {
  auto encoder = NewEncoder(parameters, interval);
  if (!encoder.ok()) return {};
  EncodedStream stream;
  stream.deflate = FeedToEnd(**encoder, plain, piece_bytes);
  stream.checkpoints = (*encoder)->TakeCheckpoints();
  return stream;
}

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_DEFLATE_ENCODER_CHECKS_H_
