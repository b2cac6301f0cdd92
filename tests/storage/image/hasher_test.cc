#include "storage/image/hasher.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace varve {
namespace {

constexpr DigestAlgorithm kBoth[] = {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512};

// Bytes without a period that divides a block, so that a misplaced one shows.
std::string Bytes(size_t size) {
  std::string bytes;
  uint32_t state = 12345;
  for (size_t i = 0; i < size; ++i) {
    state = state * 1664525 + 1013904223;
    bytes.push_back(static_cast<char>(state >> 24));
  }
  return bytes;
}

struct Vector {
  std::string message;
  const char* sha256;
  const char* sha512;
};

TEST(HasherTest, AgreesWithThePublishedVectors) {
  // FIPS 180-4 example messages.
  const Vector vectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
       "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
       "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
       "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
       "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
       "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
       "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
       "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
       "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
       "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
       "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"}};
  for (const Vector& vector : vectors) {
    EXPECT_EQ(HashBytes(DigestAlgorithm::kSha256, vector.message).ToString(),
              std::string("sha256:") + vector.sha256);
    EXPECT_EQ(HashBytes(DigestAlgorithm::kSha512, vector.message).ToString(),
              std::string("sha512:") + vector.sha512);
  }
}

TEST(HasherTest, CurrentDoesNotEndTheHash) {
  for (const DigestAlgorithm algorithm : kBoth) {
    const std::string bytes = Bytes(400);
    Hasher hasher(algorithm);
    for (size_t i = 0; i < bytes.size(); ++i) {
      ASSERT_EQ(hasher.Current(), HashBytes(algorithm, bytes.substr(0, i))) << i;
      hasher.Update({&bytes[i], 1});
    }
    EXPECT_EQ(hasher.Current(), HashBytes(algorithm, bytes));
    EXPECT_EQ(hasher.bytes_hashed(), bytes.size());
  }
}

TEST(HasherTest, ARestoredStateGoesOnFromEveryOffset) {
  const std::string bytes = Bytes(700);
  for (const DigestAlgorithm algorithm : kBoth) {
    const Digest expected = HashBytes(algorithm, bytes);
    for (size_t offset = 0; offset <= 300; ++offset) {
      Hasher first(algorithm);
      first.Update(std::string_view(bytes).substr(0, offset));
      const std::string state = first.SaveState();
      EXPECT_LE(state.size(), 256u);
      auto second = Hasher::Restore(state);
      ASSERT_TRUE(second.ok()) << offset << ": " << second.status();
      EXPECT_EQ(second->algorithm(), algorithm);
      EXPECT_EQ(second->bytes_hashed(), offset);
      EXPECT_EQ(second->Current(), first.Current()) << offset;
      EXPECT_EQ(second->SaveState(), state) << offset;
      second->Update(std::string_view(bytes).substr(offset));
      EXPECT_EQ(second->Current(), expected) << offset;
    }
  }
}

TEST(HasherTest, ALargeCountSurvivesSaveAndRestore) {
  // Past 512 MiB the count of bits no longer fits the low word of SHA-256's state.
  const std::string chunk = Bytes(1 << 20);
  Hasher whole(DigestAlgorithm::kSha256);
  for (int i = 0; i < 520; ++i) whole.Update(chunk);
  auto restored = Hasher::Restore(whole.SaveState());
  ASSERT_TRUE(restored.ok()) << restored.status();
  whole.Update("tail");
  restored->Update("tail");
  EXPECT_EQ(restored->Current(), whole.Current());
}

TEST(HasherTest, EveryDamagedStateIsRefused) {
  const std::string bytes = Bytes(173);
  for (const DigestAlgorithm algorithm : kBoth) {
    Hasher hasher(algorithm);
    hasher.Update(bytes);
    const std::string state = hasher.SaveState();
    for (size_t i = 0; i < state.size(); ++i) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string damaged = state;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        EXPECT_EQ(Hasher::Restore(damaged).status().code(), absl::StatusCode::kDataLoss) << i;
      }
      EXPECT_EQ(Hasher::Restore(state.substr(0, i)).status().code(), absl::StatusCode::kDataLoss)
          << i;
    }
    EXPECT_EQ(Hasher::Restore(state + std::string(1, '\0')).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(HasherTest, ACopyIsIndependent) {
  for (const DigestAlgorithm algorithm : kBoth) {
    Hasher one(algorithm);
    one.Update("common ");
    Hasher two = one;
    one.Update("left");
    two.Update("right");
    EXPECT_EQ(one.Current(), HashBytes(algorithm, "common left"));
    EXPECT_EQ(two.Current(), HashBytes(algorithm, "common right"));
    two = one;
    two.Update("!");
    EXPECT_EQ(one.Current(), HashBytes(algorithm, "common left"));
    EXPECT_EQ(two.Current(), HashBytes(algorithm, "common left!"));
  }
}

}  // namespace
}  // namespace varve
