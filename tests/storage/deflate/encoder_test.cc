// The models against digests of what the real encoders wrote; their checkpoints; what they refuse.
#include "storage/deflate/encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <ostream>
#include <vector>

#include "storage/image/digest.h"
#include "storage/image/hasher.h"
#include "tests/storage/deflate/encoder_checks.h"
#include "tests/storage/deflate/samples.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

struct Producer {
  EncoderFamily family;
  uint8_t level;
  uint32_t block_bytes;
  // Of the streams of each sample at each of kSampleSizes, and of the last sample whole.
  const char* sha256;
};

// Made by tests/interop/deflate_producers.py --expected with Go 1.26.8, zlib 1.2.13 and pigz 2.6.
constexpr Producer kProducers[] = {
    {EncoderFamily::kGoFlate, 1, 0,
     "c8381ad35499cfce1b6f2f4ee9920264833a45fccafc283cfac909bd26f17871"},
    {EncoderFamily::kGoFlate, 4, 0,
     "790981f65704a537127b76c99c59037ba68c147ea2702c50d30742eec14e8f3d"},
    {EncoderFamily::kGoFlate, 5, 0,
     "eb350c2df548bc78f4198e5be11b1505e128d3e614f9fdd6ee2efa6d1a285f00"},
    {EncoderFamily::kGoFlate, 6, 0,
     "4fe860dbe2af4c18778bfc08492a95177244b138d5ddfce75d368eefd2edf095"},
    {EncoderFamily::kGoFlate, 7, 0,
     "4096aa0207f4a9cd488c4fe6c1f68d34a397daaa17361d425d0ead6b60264f63"},
    {EncoderFamily::kGoFlate, 8, 0,
     "8e039b1f79c309c63e37dae63f48decf88edf71a239026f5db3337f27239342b"},
    {EncoderFamily::kGoFlate, 9, 0,
     "9b75e54c66a44f05b581d7684e0b426143574cc7e0f10a8c298142f23e7e0c45"},
    {EncoderFamily::kZlib, 1, 0,
     "eb9043e70736a2f107d10ed1b78882f779d77192f0b41fa31829459dbbde7e96"},
    {EncoderFamily::kZlib, 2, 0,
     "411899469aa314b6f7140849c195e3f5b3e88855ef3749d2012cf6a0c26d6a4e"},
    {EncoderFamily::kZlib, 3, 0,
     "3ca9a15db737afb355a2aed3839be9a9527408d4b56cd133f3249cee661809cb"},
    {EncoderFamily::kZlib, 4, 0,
     "3dae85d2df9a1d258ec21c073d194156ea624a96c099e20472e1532d78527388"},
    {EncoderFamily::kZlib, 5, 0,
     "7979d6b3e4ca3cff0b7d7ff7e9a801f7a6e4f650a11de5dc212d5d537b5501ec"},
    {EncoderFamily::kZlib, 6, 0,
     "f39875141ee4e5271cc7870627964700783d3a3c70df1852f1b4188732eda155"},
    {EncoderFamily::kZlib, 7, 0,
     "e07e27ada282d90e1d4ab2de590f131dcb450fe6693cdb2bf1cd33174a218f61"},
    {EncoderFamily::kZlib, 8, 0,
     "eeedde7e6cb062a235926e73890c20ecaad6b5c2825f1127c34d0295eb769146"},
    {EncoderFamily::kZlib, 9, 0,
     "8a15c88ad884e27d53d6a6205aab9c27b2ac29abfa3566944315b1a7e5672e60"},
    {EncoderFamily::kPigz, 1, 131072,
     "28058a108ff1ccfd362e00d452edde4718f2e6ff0880749578da8ed4f860cb2e"},
    {EncoderFamily::kPigz, 2, 131072,
     "cb643b8d54efe998675583d00967615ec385c9ed158c64d7b34172d2fca4562c"},
    {EncoderFamily::kPigz, 3, 131072,
     "89df731443e89da27fc9423632b720385fe9afeef8ec99760f5d213d3d9829d0"},
    {EncoderFamily::kPigz, 4, 131072,
     "5776f46d842da1b66af423200ff26045339ced0fbb15e7ebd64f359454d613b1"},
    {EncoderFamily::kPigz, 5, 131072,
     "141d0d8652a2453dbb63d4adc107e0858f1dadd2719056d41f19aee459dc8e30"},
    {EncoderFamily::kPigz, 6, 131072,
     "e91259c5dd073bae0b8979f08b628d00e07e43e40b78897c9eed298f3878890c"},
    {EncoderFamily::kPigz, 7, 131072,
     "546687ba0a8af0c8041ade8fb519f571e43b796bf05371d28e96bb1e7fe7e77d"},
    {EncoderFamily::kPigz, 8, 131072,
     "76118e2d279591db43e895912009ceabb4c7cdf715313f107c8d0bc4469a999d"},
    {EncoderFamily::kPigz, 9, 131072,
     "fd025ba5822e7c7ffe508787a60745d00cd1cb1cb008739ab31b7bf3026aff99"},
};

EncoderParameters Parameters(const Producer& producer) {
  return {.family = producer.family, .level = producer.level, .block_bytes = producer.block_bytes};
}

void PrintTo(const Producer& producer, std::ostream* out) {
  *out << Describe(Parameters(producer));
}

std::string Inflated(const std::string& deflate, size_t room) {
  std::string plain(room + 1, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, -15), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(deflate.data()));
  stream.avail_in = static_cast<uInt>(deflate.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  plain.resize(plain.size() - stream.avail_out);
  EXPECT_EQ(inflateEnd(&stream), Z_OK);
  return plain;
}

class EncoderTest : public ::testing::TestWithParam<Producer> {
 protected:
  EncoderParameters parameters() const { return Parameters(GetParam()); }
};
class CheckpointTest : public EncoderTest {};

TEST_P(EncoderTest, WritesWhatTheRealEncoderWrote) {
  static constexpr std::array<size_t, 6> kPieces = {SIZE_MAX, 777, 4096, 32768, 65536, 100000};
  Hasher streams(DigestAlgorithm::kSha256);
  size_t turn = 0;
  for (const std::string& sample : Samples()) {
    for (const size_t size : kSampleSizes) {
      const std::string_view plain = std::string_view(sample).substr(0, size);
      const std::string deflate =
          EncodeStream(parameters(), plain, kPieces[turn++ % kPieces.size()]).deflate;
      ASSERT_EQ(Inflated(deflate, size), plain) << size;
      streams.Update(deflate);
    }
  }
  streams.Update(EncodeStream(parameters(), Records()).deflate);
  EXPECT_EQ(streams.Current().ToString(), std::string("sha256:") + GetParam().sha256);
}

TEST_P(EncoderTest, DoesNotDependOnTheSizesOfWrites) {
  const std::string_view plain = std::string_view(Records()).substr(0, 200000);
  const std::string whole = EncodeStream(parameters(), plain).deflate;
  for (const size_t piece : std::initializer_list<size_t>{1, 3, 255, 4095, 65535, 131072}) {
    EXPECT_EQ(EncodeStream(parameters(), plain, piece).deflate, whole) << piece;
  }
}

TEST_P(CheckpointTest, GoesOnAtEveryCheckpoint) {
  const std::string_view plain = Records();
  const EncodedStream stream = EncodeStream(parameters(), plain, 10000, 1);
  ASSERT_THAT(stream.checkpoints, SizeIs(::testing::Ge(1)));
  uint64_t last = 0;
  for (const EncoderCheckpoint& checkpoint : stream.checkpoints) {
    const auto offset = static_cast<size_t>(checkpoint.plain_offset);
    ASSERT_GT(offset, last);
    ASSERT_LE(checkpoint.warm_up_bytes, offset);
    last = offset;
    auto encoder =
        ResumeEncoder(parameters(), checkpoint,
                      plain.substr(offset - checkpoint.warm_up_bytes, checkpoint.warm_up_bytes));
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    EXPECT_TRUE(FeedToEnd(**encoder, plain.substr(offset), 30000) ==
                std::string_view(stream.deflate).substr(checkpoint.deflate_bits / 8))
        << offset;
  }
}

TEST_P(CheckpointTest, NotesOneCheckpointAnIntervalAndGivesEachOnce) {
  constexpr uint64_t kInterval = 300000;
  auto encoder = NewEncoder(parameters(), kInterval);
  ASSERT_TRUE(encoder.ok());
  std::string deflate;
  (*encoder)->Write(Records(), deflate);
  (*encoder)->Finish(deflate);
  uint64_t last = 0;
  const auto checkpoints = (*encoder)->TakeCheckpoints();
  EXPECT_THAT(checkpoints, SizeIs(::testing::AllOf(::testing::Ge(1), ::testing::Le(3))));
  for (const EncoderCheckpoint& checkpoint : checkpoints) {
    EXPECT_GE(checkpoint.plain_offset, last + kInterval);
    last = checkpoint.plain_offset;
  }
  EXPECT_THAT((*encoder)->TakeCheckpoints(), SizeIs(0));
}

TEST_P(CheckpointTest, RefusesCheckpointsThatAreNotItsOwn) {
  const EncodedStream stream = EncodeStream(parameters(), Records(), SIZE_MAX, 1);
  ASSERT_FALSE(stream.checkpoints.empty());
  const EncoderCheckpoint& good = stream.checkpoints.back();
  const auto refused = [&](const EncoderCheckpoint& checkpoint, size_t warm_up_bytes) {
    const std::string warm_up(warm_up_bytes, 'x');
    return absl::IsInvalidArgument(ResumeEncoder(parameters(), checkpoint, warm_up).status());
  };
  EXPECT_FALSE(refused(good, good.warm_up_bytes));
  EXPECT_TRUE(refused(good, good.warm_up_bytes - 1));
  EXPECT_TRUE(refused(good, 0));
  EncoderCheckpoint bad = good;
  bad.state += 'x';
  EXPECT_TRUE(refused(bad, good.warm_up_bytes));
  bad = good;
  bad.plain_offset = 0;
  EXPECT_TRUE(refused(bad, good.warm_up_bytes));
  bad = good;
  bad.warm_up_bytes = 0;
  EXPECT_TRUE(refused(bad, 0));
  if (!good.state.empty()) {
    bad = good;
    bad.state.pop_back();
    EXPECT_TRUE(refused(bad, good.warm_up_bytes));
    bad = good;
    bad.state[0] = '\xff';  // more bits than a byte that is not full has
    EXPECT_TRUE(refused(bad, good.warm_up_bytes));
  }
  // Whatever a disk gives: refused, or a stream that is encoded to its end.
  for (size_t i = 0; i < good.state.size() * 8; ++i) {
    bad = good;
    bad.state[i / 8] = static_cast<char>(bad.state[i / 8] ^ (1 << (i % 8)));
    auto encoder = ResumeEncoder(parameters(), bad, std::string(good.warm_up_bytes, 'x'));
    if (encoder.ok()) {
      EXPECT_FALSE(FeedToEnd(**encoder, std::string_view(Records()).substr(0, 1000), 100).empty());
    }
  }
}

std::string NameOf(const ::testing::TestParamInfo<Producer>& info) {
  static constexpr const char* kNames[] = {"", "Klauspost", "Go", "Zlib", "Pigz"};
  return kNames[static_cast<size_t>(info.param.family)] + std::to_string(info.param.level);
}
INSTANTIATE_TEST_SUITE_P(Models, EncoderTest, ::testing::ValuesIn(kProducers), NameOf);

bool HasCheckpoints(const Producer& producer) {
  return producer.family != EncoderFamily::kZlib || producer.level > 3;
}

std::vector<Producer> WithCheckpoints() {
  std::vector<Producer> producers;
  std::copy_if(std::begin(kProducers), std::end(kProducers), std::back_inserter(producers),
               HasCheckpoints);
  return producers;
}
INSTANTIATE_TEST_SUITE_P(Models, CheckpointTest, ::testing::ValuesIn(WithCheckpoints()), NameOf);

TEST(ZlibTest, ThereIsNoCheckpointAtLevelsThatSkipPositions) {
  for (const Producer& producer : kProducers) {
    if (HasCheckpoints(producer)) continue;
    EXPECT_THAT(EncodeStream(Parameters(producer), Records(), SIZE_MAX, 1).checkpoints, SizeIs(0));
    EXPECT_TRUE(absl::IsInvalidArgument(
        ResumeEncoder(Parameters(producer), {.state = std::string(1, '\0')}, {}).status()));
  }
}

// So long that the positions in the tables are lowered, as they are again and again in streams of
// more than 4 GiB.
TEST(GoFlateTest, LowersItsPositions) {
  struct Case {
    uint8_t level;
    const char* sha256;
  };
  for (const Case& expected : {
           Case{1, "547ed3b16e5f177599fd3daab0f8889a4dfaef8509465e67a27cecfba588d4c9"},
           Case{4, "14933d69e7bf7d22ef1cb6c144b6a797611cae42acf35dccdc4b09fa1c30952b"},
       }) {
    auto encoder =
        NewEncoder({.family = EncoderFamily::kGoFlate, .level = expected.level}, uint64_t{0});
    ASSERT_TRUE(encoder.ok());
    Hasher stream(DigestAlgorithm::kSha256);
    std::string deflate;
    for (int i = 0; i < 18; ++i) {
      (*encoder)->Write(Records(), deflate);
      stream.Update(deflate);
      deflate.clear();
    }
    (*encoder)->Finish(deflate);
    stream.Update(deflate);
    EXPECT_EQ(stream.Current().ToString(), std::string("sha256:") + expected.sha256);
  }
}

TEST(EncoderParametersTest, WhatHasNoModelIsRefusedByName) {
  const EncoderParameters unknown[] = {
      {.family = static_cast<EncoderFamily>(99), .level = 6},
      {.family = EncoderFamily::kGoFlate, .level = 2},
      {.family = EncoderFamily::kGoFlate, .level = 0},
      {.family = EncoderFamily::kGoFlate, .level = 10},
      {.family = EncoderFamily::kGoFlate, .flags = 1, .level = 6},
      {.family = EncoderFamily::kGoFlate, .level = 6, .block_bytes = 1 << 20},
      {.family = EncoderFamily::kGoFlate, .revision = 2, .level = 6},
      {.family = EncoderFamily::kZlib, .level = 0},
      {.family = EncoderFamily::kZlib, .level = 6, .block_bytes = 131072},
      {.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 0},
      {.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 131073},
      {.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 1U << 31},
  };
  for (const EncoderParameters& parameters : unknown) {
    for (const absl::Status& status :
         {NewEncoder(parameters, 0).status(), ResumeEncoder(parameters, {}, {}).status()}) {
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << Describe(parameters);
      EXPECT_THAT(std::string(status.message()), HasSubstr(Describe(parameters)));
    }
  }
}

}  // namespace
}  // namespace varve
