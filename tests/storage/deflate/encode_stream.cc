// Serves an encoder model to scripts (tests/interop/deflate_producers.py). Each request on standard
// input is a line "<family> <level> <block_bytes> <checkpoint_interval> <seed> <size>" and `size`
// plain bytes; the answer is a line "<size> <checkpoints> <sentence>" and the stream. It is written
// in pieces of sizes that `seed` chooses (0: one piece), and every checkpoint is resumed: the
// sentence is "ok" when all gave the same stream.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "storage/deflate/encoder.h"

namespace varve {
namespace {

std::string Encode(DeflateEncoder& encoder, std::string_view plain, uint32_t seed) {
  std::mt19937 random(seed);
  std::string deflate;
  while (!plain.empty()) {
    const size_t most = size_t{1} << (random() % 18);
    const size_t part = seed == 0 ? plain.size() : random() % most + 1;
    encoder.Write(plain.substr(0, part), deflate);
    plain.remove_prefix(std::min(part, plain.size()));
  }
  encoder.Finish(deflate);
  return deflate;
}

std::string ResumeAll(const EncoderParameters& parameters,
                      const std::vector<EncoderCheckpoint>& checkpoints, std::string_view plain,
                      std::string_view deflate, uint32_t seed) {
  for (const EncoderCheckpoint& checkpoint : checkpoints) {
    const auto offset = static_cast<size_t>(checkpoint.plain_offset);
    const std::string_view warm_up =
        plain.substr(offset - checkpoint.warm_up_bytes, checkpoint.warm_up_bytes);
    auto encoder = ResumeEncoder(parameters, checkpoint, warm_up);
    if (!encoder.ok()) return std::string(encoder.status().message());
    const std::string rest = Encode(**encoder, plain.substr(offset), seed);
    if (rest != deflate.substr(static_cast<size_t>(checkpoint.deflate_bits / 8))) {
      return "resumed at " + std::to_string(offset) + " it differs";
    }
  }
  return "ok";
}

int Serve() {
  unsigned family;
  unsigned level;
  EncoderParameters parameters;
  uint64_t interval;
  uint32_t seed;
  size_t size;
  while (std::cin >> family >> level >> parameters.block_bytes >> interval >> seed >> size) {
    std::cin.get();
    parameters.family = static_cast<EncoderFamily>(family);
    parameters.level = static_cast<uint8_t>(level);
    std::string plain(size, '\0');
    std::cin.read(plain.data(), static_cast<std::streamsize>(size));
    auto encoder = NewEncoder(parameters, interval);
    if (!encoder.ok()) {
      std::cout << "0 0 " << encoder.status().message() << std::endl;
      continue;
    }
    const std::string deflate = Encode(**encoder, plain, seed);
    const auto checkpoints = (*encoder)->TakeCheckpoints();
    std::cout << deflate.size() << ' ' << checkpoints.size() << ' '
              << ResumeAll(parameters, checkpoints, plain, deflate, seed) << '\n'
              << deflate << std::flush;
  }
  return std::cin.eof() ? 0 : 1;
}

}  // namespace
}  // namespace varve

int main() {
  std::ios::sync_with_stdio(false);
  return varve::Serve();
}
