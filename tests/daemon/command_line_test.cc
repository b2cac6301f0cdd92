#include "daemon/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(CommandLine, GivesTheFlagsThatWereSet) {
  const auto line = ParseCommandLine(
      {"--data-dir", "/d", "--registry=127.0.0.1:0", "--config", "/c.toml", "--print-config"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->flags,
              ElementsAre(Pair("--data-dir", "/d"), Pair("--registry", "127.0.0.1:0")));
  EXPECT_EQ(line->config_file, "/c.toml");
  EXPECT_TRUE(line->print_config);
  EXPECT_EQ(line->answer, "");
}

TEST(CommandLine, TakesTheIdOfALoss) {
  const auto line = ParseCommandLine({"--accept-loss=0123456789abcdef"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->accept_loss, "0123456789abcdef");
  EXPECT_TRUE(line->flags.empty());
}

TEST(CommandLine, NothingIsAValidCommandLine) {
  const auto line = ParseCommandLine({});
  ASSERT_TRUE(line.ok());
  EXPECT_TRUE(line->flags.empty());
  EXPECT_FALSE(line->print_config);
}

TEST(CommandLine, HelpNamesEveryFlag) {
  const auto line = ParseCommandLine({"--help"});
  ASSERT_TRUE(line.ok());
  for (const ConfigFlag& flag : ConfigFlags()) {
    EXPECT_THAT(line->answer, HasSubstr(std::string(flag.name)));
  }
  EXPECT_THAT(line->answer, HasSubstr("--config"));
  EXPECT_THAT(line->answer, HasSubstr("--print-config"));
  EXPECT_THAT(line->answer, HasSubstr("--accept-loss ID"));
  EXPECT_THAT(line->answer, HasSubstr("--version"));
}

TEST(CommandLine, VersionIsOneLine) {
  const auto line = ParseCommandLine({"--version"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->answer, "varved " VARVE_VERSION "\n");
}

TEST(CommandLine, ErrorsNameTheArgument) {
  EXPECT_THAT(std::string(ParseCommandLine({"--lisen", "x"}).status().message()),
              HasSubstr("--lisen"));
  EXPECT_THAT(std::string(ParseCommandLine({"--data-dir"}).status().message()),
              HasSubstr("--data-dir"));
  EXPECT_THAT(std::string(ParseCommandLine({"serve"}).status().message()), HasSubstr("serve"));
  EXPECT_THAT(
      std::string(ParseCommandLine({"--socket", "/a", "--socket", "/b"}).status().message()),
      HasSubstr("--socket"));
}

}  // namespace
}  // namespace varve
