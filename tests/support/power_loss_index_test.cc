#include "tests/support/power_loss_index.h"

#include <gtest/gtest.h>

#include "storage/index/memory_index.h"

namespace varve {
namespace {

class PowerLossIndexTest : public testing::Test {
 protected:
  absl::Status Set(const std::string& key, const std::string& value, Durability durability) {
    return index_.Run([&](Transaction& txn) { return txn.Put(key, value); }, durability);
  }
  std::string Value(const std::string& key) { return index_.Get(key).value().value_or("-"); }
  void PowerCycle(Survival survival, uint64_t seed = 0) {
    disk_.PowerUp(survival, seed);
    index_.PowerUp(survival, seed);
  }

  MemoryFileSystem disk_;
  PowerLossIndex index_{NewMemoryIndex(), disk_};
};

TEST_F(PowerLossIndexTest, WhatWasSyncedStaysWithAllBeforeIt) {
  ASSERT_TRUE(Set("a", "1", Durability::kBuffered).ok());
  ASSERT_TRUE(Set("b", "1", Durability::kSynced).ok());
  ASSERT_TRUE(Set("a", "2", Durability::kBuffered).ok());
  ASSERT_TRUE(Set("c", "1", Durability::kBuffered).ok());
  PowerCycle(Survival::kOnlySynced);
  EXPECT_EQ(Value("a") + Value("b") + Value("c"), "11-");
}

TEST_F(PowerLossIndexTest, AnEndOfWhatWasBufferedGoes) {
  bool some = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE(Set(key, "0", Durability::kSynced).ok());
    }
    for (const char* key : {"a", "b", "c"}) {
      ASSERT_TRUE(Set(key, "1", Durability::kBuffered).ok());
    }
    PowerCycle(Survival::kRandom, seed);
    const std::string left = Value("a") + Value("b") + Value("c");
    EXPECT_TRUE(left == "000" || left == "100" || left == "110" || left == "111") << left;
    some = some || left == "100" || left == "110";
  }
  EXPECT_TRUE(some);
}

TEST_F(PowerLossIndexTest, NothingAnswersWithoutPower) {
  ASSERT_TRUE(Set("a", "1", Durability::kSynced).ok());
  disk_.CutPowerAfter(0);
  EXPECT_TRUE(absl::IsUnavailable(Set("a", "2", Durability::kSynced)));
  EXPECT_TRUE(absl::IsUnavailable(index_.Get("a").status()));
  EXPECT_TRUE(absl::IsUnavailable(index_.Scan({"", ""}, 1).status()));
  PowerCycle(Survival::kEverything);
  EXPECT_EQ(Value("a"), "1");
}

TEST_F(PowerLossIndexTest, ACommitMayBeDoneThoughNobodyLearnsOfIt) {
  disk_.CutPowerAfter(1);
  EXPECT_TRUE(absl::IsUnavailable(Set("a", "1", Durability::kSynced)));
  PowerCycle(Survival::kOnlySynced);
  EXPECT_EQ(Value("a"), "1");
}

}  // namespace
}  // namespace varve
