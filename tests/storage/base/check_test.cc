#include "storage/base/check.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>

namespace varve {
namespace {

TEST(CheckTest, WhatHoldsGoesOn) {
  SetInvariantHook([](const char*) { ADD_FAILURE() << "told without need"; });
  CheckInvariant(1 + 1 == 2, "one and one are two");
  SetInvariantHook(nullptr);
}

TEST(CheckDeathTest, WhatDoesNotHoldNamesItselfAndItsPlace) {
  EXPECT_EXIT(CheckInvariant(1 + 1 == 3, "one and one are three"), testing::KilledBySignal(SIGABRT),
              "^check_test\\.cc:[0-9]+: broken invariant: one and one are three\n");
}

TEST(CheckDeathTest, TheHookIsToldTheSame) {
  const auto end = [] {
    SetInvariantHook([](const char* sentence) { std::fprintf(stderr, "log: %s\n", sentence); });
    CheckInvariant(false, "this holds");
  };
  EXPECT_DEATH(end(), "log: check_test\\.cc:[0-9]+: broken invariant: this holds");
}

TEST(CheckDeathTest, AHookThatBreaksOneIsNotCalledAgain) {
  const auto end = [] {
    SetInvariantHook([](const char*) { CheckInvariant(false, "the hook is whole"); });
    CheckInvariant(false, "this holds");
  };
  EXPECT_DEATH(end(), "this holds\n.*the hook is whole\n");
}

}  // namespace
}  // namespace varve
