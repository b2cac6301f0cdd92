#include "storage/pack/frame.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <random>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/base/str_cat.h"
#include "storage/pack/chunker.h"

namespace varve {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr int kLevel = 3;

std::string Noise(size_t size) {
  std::mt19937 random(5);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

std::string FrameOf(std::string_view chunk) {
  FrameWriter writer(kLevel);
  writer.Add(chunk);
  return writer.Finish().value();
}

// A frame with a right checksum, whatever it says.
std::string Made(uint8_t version, uint8_t form, uint32_t chunks_bytes, std::string_view stored,
                 uint32_t stored_bytes) {
  std::string frame;
  AppendU8(&frame, version);
  AppendU8(&frame, form);
  AppendU32(&frame, chunks_bytes);
  AppendU32(&frame, stored_bytes);
  frame += stored;
  AppendU64(&frame, XXH3_64bits(frame.data(), frame.size()));
  return frame;
}

std::string Made(uint8_t version, uint8_t form, uint32_t chunks_bytes, std::string_view stored) {
  return Made(version, form, chunks_bytes, stored, static_cast<uint32_t>(stored.size()));
}

absl::StatusCode CodeOf(std::string_view frame) {
  FrameReader reader;
  return reader.Read(frame).status().code();
}

// The bytes on disk: whoever changes them needs a new version.
TEST(FrameTest, HasTheseBytes) {
  EXPECT_EQ(FrameOf("chunk"), Made(1, 0, 5, "chunk"));
  EXPECT_EQ(FrameOf("chunk").substr(0, 15),
            "\x01\x00\x00\x00\x00\x05\x00\x00\x00\x05"
            "chunk"sv);
  const std::string zeros = FrameOf(std::string(1000, '\0'));
  EXPECT_EQ(zeros.substr(0, 6), "\x01\x01\x00\x00\x03\xe8"sv);
  EXPECT_EQ(zeros.substr(10, 4), "\x28\xb5\x2f\xfd"sv);  // of every zstd frame
}

TEST(FrameTest, GivesBackItsChunks) {
  FrameWriter writer(kLevel);
  FrameReader reader;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(writer.empty());
    EXPECT_EQ(writer.Add("first"), 0);
    EXPECT_EQ(writer.Add(std::string(20'000, 'c')), 5);
    EXPECT_EQ(writer.Add("last"), 20'005);
    const std::string frame = writer.Finish().value();
    EXPECT_LT(frame.size(), 200);
    EXPECT_EQ(*reader.Read(frame), StrCat("first", std::string(20'000, 'c'), "last"));
  }
}

TEST(FrameTest, WhatDoesNotCompressStaysAsItIs) {
  const std::string noise = Noise(kMaxFrameBytes);
  const std::string frame = FrameOf(noise);
  EXPECT_EQ(frame.size(), noise.size() + kFrameOverheadBytes);
  FrameReader reader;
  EXPECT_EQ(*reader.Read(frame), noise);
  // Little that compresses is not worth it either.
  EXPECT_EQ(FrameOf(Noise(100'000) + std::string(3'000, '\0'))[1], 0);
  EXPECT_EQ(FrameOf(Noise(100'000) + std::string(4'000, '\0'))[1], 1);
}

TEST(FrameTest, IsFullAtItsLimit) {
  FrameWriter writer(kLevel);
  while (writer.Fits(kMaxChunkBytes)) writer.Add(std::string(kMaxChunkBytes, 'c'));
  EXPECT_FALSE(writer.Fits(1));
  FrameReader reader;
  EXPECT_EQ(reader.Read(writer.Finish().value())->size(), kMaxFrameBytes);
  EXPECT_TRUE(writer.Fits(kMaxFrameBytes));
}

TEST(FrameTest, EveryFlippedBitAndEveryCutIsDamage) {
  for (const std::string& frame : {FrameOf("chunk"), FrameOf(std::string(500, 'c'))}) {
    for (size_t bit = 0; bit < frame.size() * 8; ++bit) {
      std::string flipped = frame;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      EXPECT_EQ(CodeOf(flipped), absl::StatusCode::kDataLoss) << bit;
    }
    for (size_t size = 0; size < frame.size(); ++size) {
      EXPECT_EQ(CodeOf(frame.substr(0, size)), absl::StatusCode::kDataLoss) << size;
    }
    EXPECT_EQ(CodeOf(frame + "x"), absl::StatusCode::kDataLoss);
  }
}

TEST(FrameTest, RefusesSizesThatNoFrameHas) {
  const std::string zstd = FrameOf(std::string(500, 'c'));
  const std::string_view stored =
      std::string_view(zstd).substr(10, zstd.size() - kFrameOverheadBytes);
  EXPECT_EQ(CodeOf(Made(1, 1, 500, stored)), absl::StatusCode::kOk);
  const std::string twice = StrCat(stored, stored);
  const std::string skippable = "\x50\x2a\x4d\x18\x04\x00\x00\x00skip"s;
  const std::string damaged[] = {
      Made(1, 1, 499, stored),
      Made(1, 1, 501, stored),
      Made(1, 1, 0, stored),
      Made(1, 1, kMaxFrameBytes + 1, stored),
      Made(1, 1, UINT32_MAX, stored),
      Made(1, 1, 500, stored, static_cast<uint32_t>(stored.size() - 1)),
      Made(1, 1, 500, stored.substr(1)),
      Made(1, 1, 500, stored.substr(0, stored.size() - 1)),
      Made(1, 1, 500, StrCat(stored, "x")),
      Made(1, 1, 1'000, twice),
      Made(1, 1, 500, twice),
      Made(1, 1, 4, skippable),
      Made(1, 1, 500, StrCat(stored, skippable)),
      Made(1, 1, 5, "chunk"),
      Made(1, 1, 1, ""),
      Made(1, 0, 4, "chunk"),
      Made(1, 0, 6, "chunk"),
      Made(1, 0, 0, ""),
      Made(1, 0, kMaxFrameBytes + 1, std::string(kMaxFrameBytes + 1, 'c')),
  };
  for (const std::string& frame : damaged) {
    EXPECT_EQ(CodeOf(frame), absl::StatusCode::kDataLoss) << &frame - damaged;
  }
}

TEST(FrameTest, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(CodeOf(Made(2, 0, 5, "chunk")), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(Made(1, 2, 5, "chunk")), absl::StatusCode::kFailedPrecondition);
}

TEST(FrameTest, AReaderReadsOnAfterDamage) {
  FrameReader reader;
  const std::string good = FrameOf(std::string(500, 'c'));
  EXPECT_FALSE(reader.Read(Made(1, 1, 5, "chunk")).ok());
  EXPECT_EQ(*reader.Read(good), std::string(500, 'c'));
}

TEST(FrameDeathTest, AChunkThatDoesNotFitIsABug) {
  FrameWriter writer(kLevel);
  EXPECT_DEATH(writer.Add(""), "a chunk fits the frame it is added to");
  EXPECT_DEATH((void)writer.Finish(), "a frame has a chunk");
  writer.Add("c");
  EXPECT_DEATH(writer.Add(std::string(kMaxFrameBytes, 'c')), "a chunk fits the frame");
}

}  // namespace
}  // namespace varve
