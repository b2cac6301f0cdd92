// `varve image prune`, `varve hold` and `varve image why` as people and scripts meet them. Unless a
// test is about promises, the daemon's promise time is zero, so that what nothing keeps goes at
// once.
#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

class CliPruneTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    ASSERT_NO_FATAL_FAILURE(RestartDaemonWithoutPromises());
    dangling_ = PutImage("app", {"latest"}, 1).digest.ToString();
    latest_ = PutImage("app", {"latest"}, 2).digest.ToString();
    used_ = PutImage("web", {"v1", "v2"}, 3).digest.ToString();
  }

  std::string dangling_, latest_, used_;
};

constexpr char kTime[] = "20[0-9-]+T[0-9:.]+Z";

TEST_F(CliPruneTest, RemovesDanglingImages) {
  EXPECT_EQ(OutputOf({"image", "prune", "--dry-run"}),
            "would delete: app@" + dangling_ +
                "\n\nWould remove 1 image and the 5.406kB that only they keep\n");
  EXPECT_EQ(OutputOf({"image", "prune", "--force"}),
            "Deleted Images:\ndeleted: app@" + dangling_ + "\n\nTotal reclaimed space: 0B\n");
  EXPECT_EQ(OutputOf({"image", "prune", "-f"}), "Total reclaimed space: 0B\n");
}

TEST_F(CliPruneTest, AllKeepsWhatHasAHold) {
  EXPECT_EQ(OutputOf({"hold", "create", "web:v1", "--name", "web-1"}), "web-1\n");
  EXPECT_THAT(OutputOf({"image", "prune", "-a", "--dry-run"}),
              AllOf(HasSubstr("would untag: app:latest\nwould delete: app@" + latest_),
                    HasSubstr("Would remove 2 images")));
  const std::string pruned = OutputOf({"image", "prune", "-a", "--force", "--json"});
  EXPECT_THAT(pruned, HasSubstr("{\"deleted\":\"app@" + latest_ + "\""));
  EXPECT_THAT(pruned, HasSubstr("\"untagged\":[\"app:latest\"]}"));
  EXPECT_THAT(pruned, HasSubstr("{\"dry_run\":false,\"images\":2,\"untagged\":1,"));
  EXPECT_EQ(Run({"rmi", used_}).exit_code, 1);
  EXPECT_EQ(OutputOf({"hold", "rm", "web-1"}), "web-1\n");
  EXPECT_THAT(OutputOf({"image", "prune", "-a", "--force"}),
              HasSubstr("untagged: web:v1\nuntagged: web:v2\ndeleted: web@" + used_));
}

TEST_F(CliPruneTest, NobodyIsAskedWithoutATerminal) {
  const CommandOutcome outcome = Run({"image", "prune", "-a"}, "y\n");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("there is nobody to ask"));
  EXPECT_EQ(Run({"image", "prune", "-f", "--filter", "keep-last=x"}).exit_code, 1);
  EXPECT_EQ(Run({"image", "prune", "--attach", "1", "--cancel", "1"}).exit_code, 2);
}

TEST_F(CliPruneTest, AJobGoesOnByItself) {
  const std::string job = OutputOf({"image", "prune", "--force", "--detach"});
  EXPECT_THAT(job, MatchesRegex("[0-9a-f]+\n"));
  const std::string id = job.substr(0, job.size() - 1);
  std::string listed;
  do {
    listed = OutputOf({"image", "prune", "--list", "--json"});
  } while (listed.find("\"state\":\"done\"") == std::string::npos);
  EXPECT_THAT(listed, AllOf(HasSubstr("\"job\":\"" + id + "\""), HasSubstr("\"images\":1")));
  EXPECT_THAT(OutputOf({"image", "prune", "--list"}), AllOf(StartsWith("JOB "), HasSubstr(id)));
  const CommandOutcome cancel = Run({"image", "prune", "--cancel", id});
  EXPECT_EQ(cancel.exit_code, 1);
  EXPECT_THAT(cancel.err, HasSubstr("no prune " + id + " is running or waiting"));
  EXPECT_EQ(Run({"image", "prune", "--attach", id}).exit_code, 1);
}

TEST_F(CliPruneTest, HoldsAreListed) {
  EXPECT_THAT(OutputOf({"hold", "create", "web:v2", "--name", "b", "--ttl", "1h30m", "--json"}),
              MatchesRegex("\\{\"name\":\"b\",\"repository\":\"web\",\"digest\":\"" + used_ +
                           "\",\"created\":\"" + kTime + "\",\"expires\":\"" + kTime + "\"\\}\n"));
  EXPECT_EQ(OutputOf({"hold", "create", used_, "--name", "a"}), "a\n");
  EXPECT_EQ(OutputOf({"hold", "ls", "-q"}), "a\nb\n");
  EXPECT_THAT(OutputOf({"hold", "ls"}),
              AllOf(StartsWith("NAME "), HasSubstr(used_), HasSubstr("web@" + used_)));
  EXPECT_THAT(OutputOf({"hold", "ls", "--json"}), HasSubstr("{\"name\":\"a\",\"repository\":\"\""));
  const CommandOutcome other = Run({"hold", "create", "app", "--name", "a"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("the hold a is on " + used_));
  EXPECT_EQ(Run({"hold", "create", "app", "--name", "c", "--ttl", "soon"}).exit_code, 2);
  EXPECT_EQ(Run({"hold", "create", "app"}).exit_code, 2);
  const CommandOutcome released = Run({"hold", "rm", "a", "none", "b"});
  EXPECT_EQ(released.exit_code, 1);
  EXPECT_EQ(released.out, "a\nb\n");
  EXPECT_THAT(released.err, HasSubstr("no such hold: none"));
}

TEST_F(CliPruneTest, WhySaysWhatKeepsAnImageOrABlob) {
  EXPECT_EQ(OutputOf({"hold", "create", "web:v1", "--name", "web-1"}), "web-1\n");
  const std::string why = OutputOf({"image", "why", "web:v1"});
  EXPECT_THAT(why, StartsWith(used_ + " is kept by\n"));
  EXPECT_THAT(why, HasSubstr("  hold web-1, since "));
  EXPECT_THAT(why, HasSubstr("  tag web:v2, since "));
  EXPECT_THAT(why, HasSubstr("  an image of web, until a prune, since "));
  const std::string layer = Sha256Of(TestBytes(5000, 3)).ToString();
  EXPECT_THAT(OutputOf({"image", "why", layer}),
              AllOf(HasSubstr("  manifest web@" + used_ + " names it\n"),
                    HasSubstr("    tag web:v1, since ")));
  EXPECT_THAT(OutputOf({"image", "why", layer, "--json"}),
              AllOf(HasSubstr("{\"kind\":\"manifest\",\"depth\":0,\"repository\":\"web\","),
                    HasSubstr("{\"kind\":\"tag\",\"depth\":1,\"repository\":\"web\",")));
  EXPECT_EQ(Run({"image", "why", "nothing:here"}).exit_code, 1);
}

// The daemon promises what it always does.
using CliPromiseTest = CommandTest;

TEST_F(CliPromiseTest, PruneSaysWhatStaysForNowAndNowDoesNotWait) {
  const std::string dangling = PutImage("app", {"latest"}, 1).digest.ToString();
  PutImage("app", {"latest"}, 2);
  EXPECT_THAT(
      OutputOf({"image", "prune", "--force"}),
      AllOf(HasSubstr("Total reclaimed space: 0B\n1 image or blob may still be needed by a client "
                      "that pushed, pulled, asked for or leased them, the last until 20"),
            Not(HasSubstr(dangling))));
  EXPECT_THAT(OutputOf({"image", "prune", "--now", "--dry-run"}),
              HasSubstr("would delete: app@" + dangling));
  const CommandOutcome pruned = Run({"image", "prune", "--now", "--force"});
  EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_THAT(pruned.out, HasSubstr("deleted: app@" + dangling));
  EXPECT_THAT(pruned.err, AllOf(StartsWith("WARNING! --now ends what clients were promised."),
                                HasSubstr("  in use in the last minute: app\n")));
}

TEST_F(CliPromiseTest, RemovalSaysWhatStaysForNowAndNowDoesNotWait) {
  PutImage("app", {"v1"}, 1);
  PutImage("app", {"v2"}, 2);
  EXPECT_THAT(OutputOf({"rmi", "app:v1"}),
              HasSubstr("B may still be needed by a client that pushed, pulled or asked for them, "
                        "the last until 20"));
  const CommandOutcome removed = Run({"rmi", "--now", "app:v2"});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_THAT(removed.out,
              AllOf(HasSubstr("Untagged: app:v2\n"), Not(HasSubstr("may still be needed"))));
  EXPECT_THAT(removed.err, HasSubstr("  in use in the last minute: app\n"));
}

TEST_F(CliPromiseTest, UsageSaysHowLongThisDaemonPromises) {
  EXPECT_THAT(OutputOf({"system", "df"}),
              HasSubstr("pushed, pulled or asked for less than 10m ago (`--now` does not).\n"));
}

}  // namespace
}  // namespace varve
