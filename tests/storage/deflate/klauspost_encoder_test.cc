#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "storage/deflate/klauspost/encoder.h"
#include "storage/deflate/klauspost/flags.h"
#include "tests/storage/deflate/encoding.h"
#include "tests/storage/deflate/plain_inputs.h"

namespace varve::klauspost {
namespace {

using testing::HasSubstr;

std::string Resumed(const EncoderParameters& parameters, const EncoderCheckpoint& checkpoint,
                    const std::string& plain) {
  const std::string_view all = plain;
  auto encoder = ResumeEncoder(
      parameters, checkpoint,
      all.substr(checkpoint.plain_offset - checkpoint.warm_up_bytes, checkpoint.warm_up_bytes));
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  std::string deflate;
  if (!encoder.ok()) return deflate;
  (*encoder)->Write(all.substr(checkpoint.plain_offset), deflate);
  (*encoder)->Finish(deflate);
  return deflate;
}

// Level, flags, bytes of a block.
using Way = std::tuple<int, uint64_t, uint32_t>;

class KlauspostEncoder : public testing::TestWithParam<Way> {
 protected:
  KlauspostEncoder()
      : parameters_{.flags = std::get<1>(GetParam()),
                    .level = static_cast<uint8_t>(std::get<0>(GetParam())),
                    .block_bytes = std::get<2>(GetParam())} {}

  const EncoderParameters parameters_;
};

TEST_P(KlauspostEncoder, InflatesToWhatWasWritten) {
  for (const std::string& plain : ThresholdInputs()) {
    EXPECT_TRUE(Inflate(Encode(parameters_, plain).deflate) == plain) << plain.size();
  }
}

TEST_P(KlauspostEncoder, AnyPiecesGiveTheSameStream) {
  const std::string plain = Mixed(300000, 21);
  const std::string whole = Encode(parameters_, plain).deflate;
  for (const size_t piece_bytes : {size_t{777}, size_t{65535}, size_t{65536}, size_t{131072}}) {
    auto encoder = NewEncoder(parameters_, 0);
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    std::string deflate;
    for (size_t at = 0; at < plain.size(); at += piece_bytes) {
      (*encoder)->Write(std::string_view(plain).substr(at, piece_bytes), deflate);
    }
    (*encoder)->Finish(deflate);
    EXPECT_TRUE(deflate == whole) << piece_bytes;
  }
}

TEST_P(KlauspostEncoder, GoesOnAtEveryCheckpoint) {
  const std::string plain = Mixed(700000, 22) + Words(300000, 23);
  const Encoded whole = Encode(parameters_, plain, 1);
  EXPECT_GE(whole.checkpoints.size(), 5);
  uint64_t last_offset = 0;
  for (const EncoderCheckpoint& checkpoint : whole.checkpoints) {
    EXPECT_GT(checkpoint.plain_offset, last_offset);
    last_offset = checkpoint.plain_offset;
    EXPECT_LE(checkpoint.warm_up_bytes, std::min<uint64_t>(last_offset, 4 << 20));
    EXPECT_LE(checkpoint.state.size(), 64 << 10);
    EXPECT_TRUE(Resumed(parameters_, checkpoint, plain) ==
                whole.deflate.substr(checkpoint.deflate_bits / 8))
        << last_offset;
  }
}

TEST_P(KlauspostEncoder, NotesACheckpointAfterEachInterval) {
  constexpr uint64_t kInterval = 300000;
  const std::string plain = Words(1190000, 24);
  const Encoded whole = Encode(parameters_, plain, kInterval);
  ASSERT_EQ(whole.checkpoints.size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GE(whole.checkpoints[i].plain_offset, (i + 1) * kInterval);
    EXPECT_LT(whole.checkpoints[i].plain_offset, (i + 2) * kInterval);
  }
}

// A damaged state is refused, or makes another stream; it never makes the encoder leave its memory,
// which the sanitizers see.
TEST_P(KlauspostEncoder, RefusesADamagedCheckpoint) {
  const std::string plain = Mixed(400000, 25);
  const Encoded whole = Encode(parameters_, plain, 200000);
  ASSERT_FALSE(whole.checkpoints.empty());
  const EncoderCheckpoint good = whole.checkpoints.front();
  const std::string_view warm_up =
      std::string_view(plain).substr(good.plain_offset - good.warm_up_bytes, good.warm_up_bytes);
  ASSERT_TRUE(ResumeEncoder(parameters_, good, warm_up).ok());

  const auto refused = [&](const EncoderCheckpoint& checkpoint, std::string_view before) {
    const auto encoder = ResumeEncoder(parameters_, checkpoint, before);
    return absl::IsInvalidArgument(encoder.status());
  };
  EncoderCheckpoint bad = good;
  for (size_t size = 0; size < good.state.size(); size += 1 + size / 4) {
    bad.state = good.state.substr(0, size);
    EXPECT_TRUE(refused(bad, warm_up)) << size;
  }
  bad.state = good.state + '\0';
  EXPECT_TRUE(refused(bad, warm_up));
  bad.state = good.state;
  bad.state[0] = 2;
  EXPECT_TRUE(refused(bad, warm_up));
  bad = good;
  ++bad.plain_offset;
  EXPECT_TRUE(refused(bad, warm_up));
  EXPECT_TRUE(refused(good, warm_up.substr(1)));
  for (size_t bit = 0; bit < good.state.size() * 8; bit += 1 + bit / 16) {
    bad = good;
    bad.state[bit / 8] = static_cast<char>(bad.state[bit / 8] ^ (1 << (bit % 8)));
    auto encoder = ResumeEncoder(parameters_, bad, warm_up);
    if (!encoder.ok()) continue;
    std::string deflate;
    (*encoder)->Write(std::string_view(plain).substr(good.plain_offset, 90 + bit % 80000), deflate);
    (*encoder)->Finish(deflate);
  }
}

constexpr uint64_t kNewest = kEpoch1_20_4;

INSTANTIATE_TEST_SUITE_P(Streams, KlauspostEncoder,
                         testing::Combine(testing::Range(1, 10), testing::Values(kNewest),
                                          testing::Values(0u, 131072u)));
// The others that do something in more than the entropy stage.
INSTANTIATE_TEST_SUITE_P(Epochs, KlauspostEncoder,
                         testing::Values(Way{4, kEpoch1_15, 0}, Way{5, kEpoch1_15, 0},
                                         Way{9, kEpoch1_15, 0}, Way{4, kEpoch1_18_2, 100000},
                                         Way{9, kEpochGo1_27, 0}));

TEST(KlauspostParameters, OthersAreRefused) {
  const EncoderParameters good{.flags = kNewest, .level = 5};
  ASSERT_TRUE(NewEncoder(good, 0).ok());
  std::vector<EncoderParameters> bad(6, good);
  bad[0].level = 0;
  bad[1].level = 10;
  bad[2].flags = kKnownFlags + 1;
  bad[3].block_bytes = kDictionaryBytes;
  bad[4].revision = 2;
  bad[5].family = static_cast<EncoderFamily>(999);
  for (const EncoderParameters& parameters : bad) {
    const auto encoder = NewEncoder(parameters, 0);
    EXPECT_TRUE(absl::IsInvalidArgument(encoder.status())) << Describe(parameters);
    EXPECT_THAT(encoder.status().message(), HasSubstr(Describe(parameters)));
  }
}

TEST(KlauspostParameters, AreDescribed) {
  EXPECT_EQ(Describe({.flags = 0x37, .level = 5, .block_bytes = 1048576}),
            "klauspost 5, blocks of 1048576, flags 0x37");
  EXPECT_EQ(Describe({.level = 9}), "klauspost 9, flags 0x0");
}

}  // namespace
}  // namespace varve::klauspost
