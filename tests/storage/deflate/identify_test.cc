#include "storage/deflate/identify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/deflate/encoder_checks.h"
#include "tests/storage/deflate/samples.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

std::string Header(uint8_t extra, uint8_t system) {
  std::string header("\x1f\x8b\x08\0\0\0\0\0\0\0", 10);
  header[8] = static_cast<char>(extra);
  header[9] = static_cast<char>(system);
  return header;
}

// As the producer writes it.
std::string HeaderOf(const EncoderParameters& parameters) {
  const uint8_t extra = parameters.level == 9 ? 2 : parameters.level == 1 ? 4 : 0;
  return Header(extra, parameters.family == EncoderFamily::kGoFlate ? 255 : 3);
}

const EncoderParameters kProducers[] = {
    {.family = EncoderFamily::kGoFlate, .level = 1},
    {.family = EncoderFamily::kGoFlate, .level = 5},
    {.family = EncoderFamily::kGoFlate, .level = 6},
    {.family = EncoderFamily::kGoFlate, .level = 9},
    {.family = EncoderFamily::kZlib, .level = 1},
    {.family = EncoderFamily::kZlib, .level = 6},
    {.family = EncoderFamily::kZlib, .level = 9},
    {.family = EncoderFamily::kPigz, .level = 1, .block_bytes = 131072},
    {.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 131072},
    {.family = EncoderFamily::kPigz, .level = 9, .block_bytes = 131072},
    {.family = EncoderFamily::kPigz, .level = 6, .block_bytes = 262144},
};

TEST(IdentifyTest, NamesTheProducerOfAWholeMember) {
  for (const EncoderParameters& parameters : kProducers) {
    const std::string_view plain = std::string_view(Records()).substr(0, 500000);
    const std::string deflate = EncodeStream(parameters, plain).deflate;
    const std::string header = HeaderOf(parameters);
    const Identification found = Identify({header, deflate, plain, true});
    EXPECT_THAT(found.candidates, AllOf(Contains(parameters), SizeIs(AllOf(Ge(1), Le(3)))))
        << Describe(parameters) << ": " << found.fingerprint;
    for (const EncoderParameters& candidate : found.candidates) {
      EXPECT_TRUE(EncodeStream(candidate, plain).deflate == deflate) << Describe(candidate);
    }
  }
}

TEST(IdentifyTest, NamesTheProducerByTheStartOfAMember) {
  for (const EncoderParameters& parameters : kProducers) {
    const std::string deflate = EncodeStream(parameters, Records()).deflate;
    const std::string header = HeaderOf(parameters);
    const std::string_view plain = std::string_view(Records()).substr(0, 400000);
    const std::string_view begin = std::string_view(deflate).substr(0, deflate.size() / 3);
    const Identification found = Identify({header, begin, plain, false});
    EXPECT_THAT(found.candidates, Contains(parameters))
        << Describe(parameters) << ": " << found.fingerprint;
  }
}

TEST(IdentifyTest, AHeaderOfAnotherWrapperDoesNotHideTheProducer) {
  const EncoderParameters go{.family = EncoderFamily::kGoFlate, .level = 6};
  const std::string deflate = EncodeStream(go, Records()).deflate;
  const std::string header = Header(0, 3);
  EXPECT_THAT(Identify({header, deflate, Records(), true}).candidates, Contains(go));
}

TEST(IdentifyTest, AnUnknownStreamHasAFingerprintAndNoCandidate) {
  // One bit of the stream is another: of the length of a stored block's copy in plain, so to say.
  const EncoderParameters go{.family = EncoderFamily::kGoFlate, .level = 6};
  const std::string_view plain = std::string_view(Records()).substr(0, 300000);
  std::string deflate = EncodeStream(go, plain).deflate;
  deflate[1000] = static_cast<char>(deflate[1000] ^ 4);
  const std::string header = Header(0, 255);
  const Identification found = Identify({header, deflate, plain, true});
  EXPECT_THAT(found.candidates, IsEmpty());
  EXPECT_FALSE(found.fingerprint.empty());

  EXPECT_THAT(Identify({"", "", "", true}).candidates, IsEmpty());
  SampleRandom random;
  for (int i = 0; i < 50; ++i) {
    const std::string noise = SampleNoise(random, random.Next() % 3000);
    EXPECT_THAT(Identify({noise, noise, noise, i % 2 == 0}).candidates, SizeIs(Le(3)));
  }
}

}  // namespace
}  // namespace varve
