#include "storage/pack/chunker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/pack/gear.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// The same on every machine: xorshift64*.
std::string Noise(size_t size, uint64_t seed = 1) {
  std::string bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) {
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    AppendU64(&bytes, seed * 0x2545f4914f6cdd1d);
  }
  bytes.resize(size);
  return bytes;
}

// The sizes of the chunks of a content.
std::vector<size_t> Cut(std::string_view bytes, std::optional<uint64_t> size_bytes,
                        const std::function<size_t()>& next_piece) {
  Chunker chunker;
  chunker.Begin(size_bytes);
  std::vector<size_t> chunks;
  size_t chunk_bytes = 0;
  while (!bytes.empty()) {
    const Chunker::Piece piece = chunker.Next(bytes.substr(0, next_piece()));
    EXPECT_GT(piece.size_bytes, 0);
    chunk_bytes += piece.size_bytes;
    bytes.remove_prefix(piece.size_bytes);
    if (piece.ends_chunk || bytes.empty()) chunks.push_back(std::exchange(chunk_bytes, 0));
  }
  return chunks;
}

std::vector<size_t> Cut(std::string_view bytes, std::optional<uint64_t> size_bytes = std::nullopt) {
  return Cut(bytes, size_bytes, [] { return SIZE_MAX; });
}

// What is cut otherwise shares nothing with what is stored.
TEST(ChunkerTest, TheTableIsFrozen) {
  std::string table;
  for (const uint64_t entry : kGear) AppendU64(&table, entry);
  EXPECT_EQ(XXH3_64bits(table.data(), table.size()), 10955699906646803352u);
  EXPECT_EQ(kGear[0], 0xb15a40820749677cu);
  EXPECT_EQ(kGear[255], 0x917d6bdffe80d142u);
}

TEST(ChunkerTest, TheCutsAreFrozen) {
  EXPECT_THAT(Cut(Noise(600'000)),
              ElementsAre(95'018, 53'402, 82'806, 71'386, 71'393, 67'608, 75'772, 70'603, 12'012));
  std::string text;
  for (int line = 0; text.size() < 500'000; ++line) text += "line " + std::to_string(line) + "\n";
  EXPECT_THAT(Cut(text), ElementsAre(68'886, 124'819, 93'437, 66'600, 114'842, 31'421));
}

TEST(ChunkerTest, PiecesMakeNoDifference) {
  std::mt19937 random(7);
  const std::string bytes = Noise(3'000'000);
  const std::vector<size_t> whole = Cut(bytes);
  EXPECT_THAT(whole, SizeIs(::testing::Gt(30)));
  EXPECT_EQ(Cut(bytes, std::nullopt, [] { return size_t{1}; }), whole);
  for (const size_t max_piece :
       {size_t{2}, size_t{63}, size_t{64}, size_t{4'096}, size_t{100'000}}) {
    EXPECT_EQ(Cut(bytes, std::nullopt,
                  [&] { return 1 + std::uniform_int_distribution<size_t>(0, max_piece)(random); }),
              whole);
  }
}

TEST(ChunkerTest, SizesGatherAroundTheAverage) {
  std::vector<size_t> chunks = Cut(Noise(64'000'000));
  chunks.pop_back();
  EXPECT_GE(*std::min_element(chunks.begin(), chunks.end()), kMinChunkBytes);
  EXPECT_LE(*std::max_element(chunks.begin(), chunks.end()), kMaxChunkBytes);
  const size_t mean = 64'000'000 / chunks.size();
  EXPECT_GT(mean, kAverageChunkBytes * 9 / 10);
  EXPECT_LT(mean, kAverageChunkBytes * 5 / 4);
  const auto near = std::count_if(chunks.begin(), chunks.end(), [](size_t size) {
    return size > kAverageChunkBytes / 2 && size < kAverageChunkBytes * 2;
  });
  EXPECT_GT(static_cast<size_t>(near), chunks.size() * 8 / 10);
}

TEST(ChunkerTest, WhatRepeatsIsCutAtTheMaximum) {
  const std::string zeros(1'000'000, '\0');
  EXPECT_THAT(Cut(zeros), ElementsAre(kMaxChunkBytes, kMaxChunkBytes, kMaxChunkBytes,
                                      1'000'000 - 3 * kMaxChunkBytes));
}

TEST(ChunkerTest, CutsMoveAlongWithAnInsertion) {
  const std::string bytes = Noise(4'000'000);
  const std::vector<size_t> before = Cut(bytes);
  for (const size_t at : {size_t{0}, size_t{5'000}, size_t{1'000'000}}) {
    std::string edited = bytes;
    edited.insert(at, "inserted");
    const std::vector<size_t> after = Cut(edited);
    // From the end: how many chunks are the same.
    const auto differ = std::mismatch(before.rbegin(), before.rend(), after.rbegin(), after.rend());
    const auto same = static_cast<size_t>(differ.first - before.rbegin());
    const size_t untouched = before.size() * (bytes.size() - at) / bytes.size();
    EXPECT_GE(same + 6, untouched) << at;
  }
}

// A place under the average is a cut, or none, by the window before it alone: also the first place
// of a chunk, whatever the chunk began with.
TEST(ChunkerTest, ACutDependsOnTheWindowBeforeItAlone) {
  const std::string bytes = Noise(8'000'000);
  size_t at = 0;
  int tried = 0;
  for (const size_t chunk : Cut(bytes)) {
    at += chunk;
    if (chunk >= kAverageChunkBytes || at == bytes.size()) continue;
    const std::string other = std::string(kMinChunkBytes - 64, '\0') + bytes.substr(at - 64, 1'000);
    EXPECT_EQ(Cut(other).front(), kMinChunkBytes);
    ++tried;
  }
  EXPECT_GT(tried, 5);
}

TEST(ChunkerTest, AFileOfFewBytesIsOneChunk) {
  const std::string bytes = Noise(kMaxWholeFileBytes + 1);
  ASSERT_THAT(Cut(bytes), SizeIs(::testing::Gt(1)));
  EXPECT_THAT(Cut(bytes, kMaxWholeFileBytes + 1), SizeIs(::testing::Gt(1)));
  EXPECT_THAT(Cut(bytes.substr(1), kMaxWholeFileBytes), ElementsAre(kMaxWholeFileBytes));
  // Even one that is longer than it said has chunks that fit a frame.
  EXPECT_THAT(
      Cut(Noise(1'000'000), kMaxWholeFileBytes),
      ElementsAre(kMaxChunkBytes, ::testing::Le(kMaxChunkBytes), ::testing::_, ::testing::_));
}

TEST(ChunkerTest, EveryContentBeginsAnew) {
  const std::string bytes = Noise(100'000);
  Chunker chunker;
  chunker.Begin(std::nullopt);
  const Chunker::Piece first = chunker.Next(bytes);
  for (int i = 0; i < 3; ++i) {
    chunker.Begin(std::nullopt);
    const Chunker::Piece again = chunker.Next(bytes);
    EXPECT_EQ(again.size_bytes, first.size_bytes);
    EXPECT_EQ(again.ends_chunk, first.ends_chunk);
  }
}

}  // namespace
}  // namespace varve
