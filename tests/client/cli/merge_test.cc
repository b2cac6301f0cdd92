// `varve repo merge` as people and scripts meet it.
#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class CliMergeTest : public CommandTest {};

TEST_F(CliMergeTest, TwoBecomeOne) {
  PutImage("old/app", {"v1"}, 1);
  PutImage("team/app", {"v2"}, 2);
  const CommandOutcome merged = Run({"repo", "merge", "old/app", "team/app"});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(merged.out, "Merged old/app into team/app\n");
  EXPECT_EQ(Run({"repo", "ls", "-q"}).out, "team/app\n");
  EXPECT_EQ(Run({"inspect", "team/app:v1"}).exit_code, 0);
  EXPECT_EQ(Run({"repo", "merge", "old/app", "team/app"}).exit_code, 1);
}

TEST_F(CliMergeTest, ANameWithAPortIsTypedAndShownAsSuch) {
  PutImage("reg__5000/app", {"v1"}, 1);
  const CommandOutcome merged = Run({"repo", "merge", "Reg:5000/app", "reg:6000/app"});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(merged.out, "Merged reg:5000/app into reg:6000/app\n");

  const CommandOutcome json = Run({"repo", "merge", "--json", "reg:6000/app", "reg:7000/app"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_THAT(json.out, HasSubstr("\"from\":\"reg:6000/app\",\"into\":\"reg:7000/app\""));
}

TEST_F(CliMergeTest, CollidingTagsAreShownAndNothingIsChanged) {
  const ManifestInfo old = PutImage("old/app", {"v1", "v2"}, 1);
  const ManifestInfo newer = PutImage("team/app", {"v1"}, 2);
  const CommandOutcome refused = Run({"repo", "merge", "old/app", "team/app"});
  EXPECT_EQ(refused.exit_code, 1);
  const std::string old_id = old.digest.ToString().substr(7, 12);
  const std::string new_id = newer.digest.ToString().substr(7, 12);
  EXPECT_THAT(refused.out, MatchesRegex("TAG +old/app +team/app +SET LAST IN\nv1 +" + old_id +
                                        " +" + new_id + " +team/app\n"));
  EXPECT_THAT(refused.err, HasSubstr("1 tag names another image in each of the two; nothing was "
                                     "changed. --force merges old/app into team/app"));
  EXPECT_EQ(Run({"repo", "ls", "-q"}).out, "old/app\nteam/app\n");

  const CommandOutcome json = Run({"repo", "merge", "--json", "old/app", "team/app"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(json.out,
            "{\"from\":\"old/app\",\"into\":\"team/app\",\"merged\":false,\"manifests\":0,"
            "\"collisions\":[{\"tag\":\"v1\",\"from\":\"" +
                old.digest.ToString() + "\",\"into\":\"" + newer.digest.ToString() +
                "\",\"from_stays\":false}],\"more_collisions\":0}\n");

  const CommandOutcome forced = Run({"repo", "merge", "-f", "old/app", "team/app"});
  EXPECT_EQ(forced.exit_code, 0) << forced.err;
  EXPECT_THAT(forced.out, HasSubstr("Merged old/app into team/app\n"));
  EXPECT_THAT(Run({"inspect", "team/app:v1"}).out, HasSubstr(newer.digest.ToString()));
  EXPECT_THAT(Run({"inspect", "team/app:v2"}).out, HasSubstr(old.digest.ToString()));
}

TEST_F(CliMergeTest, WrongUsageIsSaidSo) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"repo", "merge"},
                                                    {"repo", "merge", "a"},
                                                    {"repo", "merge", "[::1]:5000/a", "a"},
                                                    {"repo", "merge", "a", "UPPER"}}) {
    EXPECT_EQ(Run(arguments).exit_code, 2);
  }
}

}  // namespace
}  // namespace varve
