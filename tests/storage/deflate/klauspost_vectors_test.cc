#include "tests/storage/deflate/klauspost_vectors.h"

#include <gtest/gtest.h>

#include "storage/image/hasher.h"
#include "tests/storage/deflate/encoding.h"
#include "tests/storage/deflate/plain_inputs.h"

namespace varve::klauspost {
namespace {

class KlauspostVectors : public testing::TestWithParam<Vector> {};

TEST_P(KlauspostVectors, StreamsAreThoseOfTheProducer) {
  const Vector& vector = GetParam();
  const EncoderParameters parameters{
      .flags = vector.flags, .level = vector.level, .block_bytes = vector.block_bytes};
  Hasher hasher(DigestAlgorithm::kSha256);
  for (const std::string& plain : ThresholdInputs()) {
    hasher.Update(Encode(parameters, plain).deflate);
  }
  EXPECT_EQ(hasher.Current().ToString(), "sha256:" + std::string(vector.sha256));
}

INSTANTIATE_TEST_SUITE_P(All, KlauspostVectors, testing::ValuesIn(kVectors),
                         [](const testing::TestParamInfo<Vector>& info) {
                           return "Flags" + std::to_string(info.param.flags) + "Level" +
                                  std::to_string(info.param.level) + "Blocks" +
                                  std::to_string(info.param.block_bytes);
                         });

}  // namespace
}  // namespace varve::klauspost
