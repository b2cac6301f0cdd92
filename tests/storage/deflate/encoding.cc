#include "tests/storage/deflate/encoding.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace varve {

Encoded Encode(const EncoderParameters& parameters, std::string_view plain,
               uint64_t checkpoint_interval) {
  Encoded made;
  auto encoder = NewEncoder(parameters, checkpoint_interval);
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  if (!encoder.ok()) return made;
  (*encoder)->Write(plain, made.deflate);
  (*encoder)->Finish(made.deflate);
  made.checkpoints = (*encoder)->TakeCheckpoints();
  return made;
}

std::string Inflate(std::string_view deflate) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return "inflateInit2 failed";
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(deflate.data()));
  stream.avail_in = static_cast<uInt>(deflate.size());
  std::string plain;
  std::string piece(1 << 16, '\0');
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    result = inflate(&stream, Z_NO_FLUSH);
    plain.append(piece, 0, piece.size() - stream.avail_out);
  }
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole ? plain : "not one whole deflate stream";
}

}  // namespace varve
