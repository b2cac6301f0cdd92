#include "storage/image/platform.h"

#include <gtest/gtest.h>

#include <string_view>

namespace varve {
namespace {

Platform Parsed(std::string_view text) {
  const absl::StatusOr<Platform> platform = ParsePlatform(text);
  EXPECT_TRUE(platform.ok()) << platform.status();
  return platform.value_or(Platform());
}

TEST(PlatformTest, FromText) {
  EXPECT_EQ(Parsed("Linux/AMD64").architecture, "amd64");
  EXPECT_EQ(Parsed("linux/arm/v6").variant, "v6");
  EXPECT_EQ(Parsed("linux/x86_64").architecture, "amd64");
  EXPECT_EQ(Parsed("linux/aarch64").architecture, "arm64");
  EXPECT_EQ(Parsed("linux/armhf").variant, "v7");
  EXPECT_EQ(Parsed("linux/armv7l").architecture, "arm");
  for (const std::string_view text :
       {"", "linux", "linux/", "/amd64", "linux/amd64/", "linux/arm/v7/x", "//", "linux/a b"}) {
    EXPECT_EQ(ParsePlatform(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(PlatformTest, AsText) {
  EXPECT_EQ(PlatformText(Parsed("linux/arm/v6")), "linux/arm/v6");
  EXPECT_EQ(PlatformText(Parsed("linux/amd64")), "linux/amd64");
  EXPECT_EQ(PlatformText(Platform()), "");
}

TEST(PlatformTest, WhatIsForWhat) {
  EXPECT_TRUE(IsFor(Parsed("linux/arm64/v8"), Parsed("linux/arm64")));
  EXPECT_TRUE(IsFor(Parsed("linux/arm64"), Parsed("linux/arm64/v8")));
  EXPECT_TRUE(IsFor(Parsed("linux/arm"), Parsed("linux/arm/v7")));
  EXPECT_FALSE(IsFor(Parsed("linux/arm/v6"), Parsed("linux/arm/v7")));
  EXPECT_TRUE(IsFor(Parsed("linux/arm/v6"), Parsed("linux/arm")));
  EXPECT_TRUE(IsExactlyFor(Parsed("linux/arm/v7"), Parsed("linux/arm")));
  EXPECT_FALSE(IsExactlyFor(Parsed("linux/arm/v6"), Parsed("linux/arm")));
  EXPECT_FALSE(IsFor(Parsed("linux/arm64"), Parsed("linux/arm")));
  EXPECT_FALSE(IsFor(Parsed("windows/amd64"), Parsed("linux/amd64")));
  EXPECT_TRUE(IsFor(Parsed("linux/ppc64le"), Parsed("linux/ppc64le")));
  EXPECT_TRUE(IsUnknown(Parsed("unknown/unknown")));
  EXPECT_FALSE(IsUnknown(Platform()));
  EXPECT_EQ(MachinePlatform().os, "linux");
  EXPECT_FALSE(MachinePlatform().architecture.empty());
}

}  // namespace
}  // namespace varve
