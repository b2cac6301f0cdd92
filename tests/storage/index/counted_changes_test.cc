#include "storage/index/counted_changes.h"

#include <gtest/gtest.h>

#include <optional>

namespace varve {
namespace {

TEST(CountedChangesTest, NothingMayDifferWhileNothingChanges) {
  CountedChanges changes;
  { const CountedChanges::Change before(changes, 3, 100); }
  const CountedChanges::Amount ended = changes.Ended();
  EXPECT_EQ(changes.Since(ended).rows, 0u);
  EXPECT_EQ(changes.Since(ended).bytes, 0u);
}

TEST(CountedChangesTest, WhatOverlapsTheWalkMayDiffer) {
  CountedChanges changes;
  std::optional<CountedChanges::Change> under_way(std::in_place, changes, 1, 10);
  const CountedChanges::Amount ended = changes.Ended();
  under_way.reset();
  { const CountedChanges::Change during(changes, 2, 20); }
  const CountedChanges::Change at_the_end(changes, 4, 40);
  EXPECT_EQ(changes.Since(ended).rows, 7u);
  EXPECT_EQ(changes.Since(ended).bytes, 70u);
}

}  // namespace
}  // namespace varve
