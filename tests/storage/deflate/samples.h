// Bytes that every build makes alike, for streams whose digests are known. The script
// tests/interop/deflate_producers.py makes the same.
#ifndef VARVE_TESTS_STORAGE_DEFLATE_SAMPLES_H_
#define VARVE_TESTS_STORAGE_DEFLATE_SAMPLES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace varve {

inline constexpr size_t kSampleBytes = 1 << 20;

// The borders of blocks, pieces and windows of all producers.
inline constexpr std::array<size_t, 23> kSampleSizes = {
    0,     1,     15,    16,    17,    127,   128,    129,    16383,  16384,  16385, 32767,
    32768, 32769, 65534, 65535, 65536, 65537, 131070, 131071, 131072, 131073, 262144};

class SampleRandom {
 public:
  uint32_t Next() {
    state_ = state_ * 1664525 + 1013904223;
    return state_ >> 8;
  }

 private:
  uint32_t state_ = 1;
};

inline std::string SampleNoise(SampleRandom& random, size_t size) {
  std::string out;
  while (out.size() < size) out += static_cast<char>(random.Next() >> 16);
  return out;
}

inline std::string SampleWords(SampleRandom& random, size_t size) {
  std::string out;
  while (out.size() < size) {
    const uint32_t word = random.Next() >> 18;
    for (uint32_t i = 0; i < 2 + word % 7; ++i) {
      out += static_cast<char>('a' + (word * 7 + i * i * 3) % 26);
    }
    out += ' ';
  }
  out.resize(size);
  return out;
}

inline std::string SampleRuns(SampleRandom& random, size_t size) {
  static constexpr std::array<size_t, 6> kLengths = {1, 3, 4, 258, 259, 1000};
  std::string out;
  while (out.size() < size) {
    const auto byte = static_cast<char>(random.Next() >> 22);
    out.append(kLengths[random.Next() % kLengths.size()], byte);
  }
  out.resize(size);
  return out;
}

// What a tar is like: headers that hardly change around contents.
inline std::string SampleRecords(SampleRandom& random, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (uint32_t record = 0; out.size() < size; ++record) {
    std::string header = "usr/lib/";
    for (int shift = 28; shift >= 0; shift -= 4) header += kDigits[(record >> shift) % 16];
    header.resize(512);
    out += header;
    out += SampleWords(random, random.Next() % 3000);
    out += SampleNoise(random, random.Next() % 500);
  }
  out.resize(size);
  return out;
}

// kSampleBytes each; the sample of a smaller size is the start of it.
inline const std::array<std::string, 4>& Samples() {
  static const auto* const samples = [] {
    auto* made = new std::array<std::string, 4>;
    SampleRandom noise, words, runs, records;
    (*made)[0] = SampleNoise(noise, kSampleBytes);
    (*made)[1] = SampleWords(words, kSampleBytes);
    (*made)[2] = SampleRuns(runs, kSampleBytes);
    (*made)[3] = SampleRecords(records, kSampleBytes);
    return made;
  }();
  return *samples;
}
inline const std::string& Records() { return Samples().back(); }

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_DEFLATE_SAMPLES_H_
