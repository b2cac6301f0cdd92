// `varve image prune`, `varve hold` and `varve image why` as people and scripts meet them. Unless a
// test is about promises, the daemon's promise time is zero, so that what nothing keeps goes at
// once.
#include <algorithm>
#include <csignal>
#include <future>
#include <thread>

#include "gmock/gmock.h"
#include "storage/api/pruning.h"
#include "tests/client/varve_command.h"
#include "tests/support/varved_process.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
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
            "Deleted Images:\ndeleted: app@" + dangling_ +
                "\n\nTotal reclaimed space: 0B of disk, 5.406kB of content\n");
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

TEST_F(CliPruneTest, TheLastTagOfWhatHasAHoldGoesByForceOnly) {
  OutputOf({"hold", "create", "app:latest", "--name", "web-1"});
  for (const char* const command : {"untag", "rmi"}) {
    const CommandOutcome refused = Run({command, "app:latest"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, HasSubstr("unable to remove repository reference \"app:latest\" (must "
                                       "force) - hold web-1 is using its image "));
  }
  EXPECT_EQ(OutputOf({"untag", "-f", "app:latest"}), "Untagged: app:latest\n");
  EXPECT_THAT(OutputOf({"image", "prune", "-a", "-f"}), Not(HasSubstr(latest_)));
  EXPECT_EQ(Run({"inspect", "app@" + latest_}).exit_code, 0);
}

TEST_F(CliPruneTest, WhoeverIsAtStandardInputIsAsked) {
  for (const char* no : {"n\n", "\n", "yesterday\n"}) {
    const CommandOutcome refused = Run({"image", "prune"}, no);
    EXPECT_EQ(refused.exit_code, 0);
    EXPECT_EQ(refused.err, "");
    EXPECT_EQ(refused.out,
              "WARNING! This will remove all dangling images.\n"
              "Are you sure you want to continue? [y/N] ");
  }
  const CommandOutcome nobody = Run({"image", "prune", "-a"}, "");
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("there is nobody to ask, so nothing was removed"));
  EXPECT_THAT(OutputOf({"image", "prune", "--dry-run"}),
              HasSubstr("would delete: app@" + dangling_));
  // As `echo y |` does, with and without a newline.
  const CommandOutcome agreed = Run({"image", "prune"}, " Y \n");
  EXPECT_EQ(agreed.exit_code, 0) << agreed.err;
  EXPECT_THAT(agreed.out, HasSubstr("[y/N] Deleted Images:\ndeleted: app@" + dangling_));
  EXPECT_THAT(Run({"image", "prune", "-a"}, "yes").out, HasSubstr("deleted: app@" + latest_));
}

TEST_F(CliPruneTest, TheQuestionNamesTheFiltersAndCounts) {
  EXPECT_EQ(Run({"image", "prune", "--filter", "until=24h", "--filter", "label!=keep"}, "n\n").out,
            "WARNING! This will remove all dangling images.\n"
            "  Images to be pruned will be filtered with:\n"
            "  - until=24h\n"
            "  - label!=keep\n"
            "Are you sure you want to continue? [y/N] ");
  const CommandOutcome all = Run({"image", "prune", "-a", "--filter", "reference=web"}, "n\n");
  EXPECT_THAT(all.out, StartsWith("WARNING! This will remove all images without at least one hold "
                                  "on them: 1 image with 2 tags, 5.406kB.\n"
                                  "  Images to be pruned will be filtered with:\n"
                                  "  - reference=web\n"
                                  "There are no holds: "));
  EXPECT_EQ(all.err, "") << "progress is for terminals";
}

TEST_F(CliPruneTest, TheShortFormsSayWhatTheyAre) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"prune"}, {"system", "prune"}}) {
    EXPECT_THAT(Run(words, "n\n").out,
                StartsWith("This is `varve image prune`: only images, and what only they keep, can "
                           "be pruned.\nWARNING! "));
  }
  EXPECT_THAT(OutputOf({"prune", "-f"}), StartsWith("Deleted Images:\ndeleted: app@" + dangling_));
}

TEST_F(CliPruneTest, WrongUsageIsSaidSo) {
  EXPECT_EQ(Run({"image", "prune", "-f", "--filter", "keep-last=x"}).exit_code, 1);
  EXPECT_EQ(Run({"image", "prune", "--attach", "1", "--cancel", "1"}).exit_code, 2);
  // Before anybody is asked, or warned of what will not happen.
  for (const char* const more : {"-a", "--now", "--dry-run", "-f"}) {
    const CommandOutcome unknown = Run({"image", "prune", "--filter", "bogus=1", more}, "y\n");
    EXPECT_EQ(unknown.exit_code, 1) << more;
    EXPECT_EQ(unknown.out, "") << more;
    EXPECT_EQ(unknown.err, "varve: invalid filter \"bogus\"\n") << more;
  }
  EXPECT_EQ(Run({"image", "prune", "--filter", "bogus"}).err,
            "varve: bad format of filter \"bogus\" (expected name=value)\n");
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
  EXPECT_EQ(OutputOf({"image", "prune", "--list", "--format", "{{.ID}} {{.State}} {{.Images}}"}),
            id + " done 1\n");
  EXPECT_EQ(Run({"image", "prune", "--format", "json"}).exit_code, 2) << "of --list";
  const CommandOutcome cancel = Run({"image", "prune", "--cancel", id});
  EXPECT_EQ(cancel.exit_code, 1);
  EXPECT_THAT(cancel.err, HasSubstr("no prune " + id + " is running or waiting"));
  EXPECT_EQ(Run({"image", "prune", "--attach", id}).exit_code, 1);
}

// A prune that a caller in this process follows, and keeps at its first image as long as it likes.
class CutShortPruneTest : public CliPruneTest {
 protected:
  void SetUp() override {
    CliPruneTest::SetUp();
    for (uint32_t seed = 7; seed < 7 + kMore; ++seed) PutImage("app", {}, seed);
    pruning_ = std::thread([this] {
      (void)store_->images.Prune({}, [this](const PruneStep& step) {
        if (step.kind == PruneStep::Kind::kRemoved) opened_.wait();
        return true;
      });
    });
    while (Job().report.images == 0) Pause();
    follower_ = Spawn({VARVE_BINARY, "--address", Address(), "image", "prune", "--force"},
                      Path("out"), Path("err"));
    ASSERT_GT(follower_, 0);
    while (Job().callers < 2) Pause();
  }
  void TearDown() override {
    if (pruning_.joinable()) GoOn();
    CliPruneTest::TearDown();
  }
  void GoOn() {
    go_on_.set_value();
    pruning_.join();
  }
  PruneJob Job() {
    const absl::StatusOr<std::vector<PruneJob>> jobs = store_->images.ListPrunes();
    return jobs.ok() && !jobs->empty() ? jobs->front() : PruneJob();
  }
  static void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

  // Dangling images beside the one that is there: more than the first pages of a prune hold.
  static constexpr uint32_t kMore = 15;
  std::promise<void> go_on_;
  std::shared_future<void> opened_ = go_on_.get_future().share();
  std::thread pruning_;
  pid_t follower_ = 0;
};

TEST_F(CutShortPruneTest, ACancelledPruneSaysWhatItDid) {
  ASSERT_EQ(Run({"image", "prune", "--cancel", Job().id}).exit_code, 0);
  GoOn();
  int status = 0;
  ASSERT_EQ(waitpid(follower_, &status, 0), follower_);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  const std::string out = ReadFile(Path("out"));
  const auto images = static_cast<uint32_t>(std::count(out.begin(), out.end(), '@'));
  EXPECT_GE(images, 1u);
  EXPECT_LE(images, kMore);  // it ended with the page that it was at
  EXPECT_THAT(out, MatchesRegex("Deleted Images:\n(deleted: app@[^\n]*\n)+\n"
                                "Total reclaimed space: 0B of disk, [0-9.]+kB of content\n"));
  EXPECT_THAT(ReadFile(Path("err")),
              HasSubstr("the prune was cancelled after " + std::to_string(images) + " image"));
}

TEST_F(CutShortPruneTest, WhoLeavesWithCtrlCIsToldToo) {
  ASSERT_EQ(kill(follower_, SIGINT), 0);
  while (Job().callers > 1) Pause();
  GoOn();
  int status = 0;
  ASSERT_EQ(waitpid(follower_, &status, 0), follower_);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
  EXPECT_THAT(ReadFile(Path("out")), HasSubstr("Total reclaimed space: 0B of disk, 86."))
      << "of all images: another caller followed the prune to its end";
}

TEST_F(CliPruneTest, TheQuestionIsNoJson) {
  const std::string command = "echo n | VARVE_ADDRESS=" + Address() + " " VARVE_BINARY +
                              " image prune -a --json >" + Path("out") + " 2>" + Path("err");
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(ReadFile(Path("out")), "");
  EXPECT_THAT(ReadFile(Path("err")), HasSubstr("Are you sure you want to continue? [y/N] "));
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
  EXPECT_THAT(why, ContainsRegex("  hold web-1, since [a-z0-9 ]+ ago\n"));
  EXPECT_THAT(OutputOf({"image", "why", "web:v1", "--no-trunc"}),
              HasSubstr("  hold web-1, since 20"));
  EXPECT_THAT(why, HasSubstr("  tag web:v2, since "));
  EXPECT_THAT(why, HasSubstr("  an image of web, until a prune, since "));
  EXPECT_THAT(why, HasSubstr("\n`varve image prune` leaves it, also with -a.\n"));
  EXPECT_THAT(
      OutputOf({"image", "why", "app:latest"}),
      HasSubstr("\n`varve image prune` leaves it; with -a it takes it, and its tags, for no "
                "hold is on it.\n"));
  EXPECT_THAT(OutputOf({"image", "why", dangling_}), HasSubstr("the next prune takes them.\n"));
  EXPECT_THAT(OutputOf({"image", "why", "app:latest", "--json"}),
              HasSubstr("{\"prune_takes\":false,\"prune_all_takes\":true}\n"));
  const std::string layer = Sha256Of(TestBytes(5000, 3)).ToString();
  EXPECT_THAT(OutputOf({"image", "why", layer}),
              AllOf(HasSubstr("  manifest web@" + used_ + " names it\n"),
                    HasSubstr("    tag web:v1, since ")));
  EXPECT_THAT(OutputOf({"image", "why", layer, "--json"}),
              AllOf(HasSubstr("{\"kind\":\"manifest\",\"depth\":0,\"repository\":\"web\","),
                    HasSubstr("{\"kind\":\"tag\",\"depth\":1,\"repository\":\"web\",")));
  EXPECT_EQ(Run({"image", "why", "nothing:here"}).exit_code, 1);
}

TEST_F(CliPruneTest, WhySaysThatASignatureFollowsItsSubject) {
  const std::string tag = "sha256-" + used_.substr(7) + ".sig";
  const std::string signature = PutImage("web", {tag}, 9).digest.ToString();
  EXPECT_THAT(OutputOf({"image", "why", signature}),
              AllOf(HasSubstr("  tag web:" + tag + ", which attaches it to " + used_ + ", since "),
                    HasSubstr("  it belongs to web@" + used_ +
                              ", as a signature does: it goes when that goes\n"),
                    HasSubstr("`varve image prune` leaves it; with -a it takes it")));
}

TEST_F(CliPruneTest, FailuresAreToldInTheOrderOfTheNames) {
  const CommandOutcome removed = Run({"rmi", "none:1", "app:latest", "none:2", "web:v1", "none:3"});
  EXPECT_EQ(removed.exit_code, 1);
  EXPECT_THAT(removed.out, AllOf(HasSubstr("Untagged: app:latest\n"), HasSubstr("web:v1\n")));
  EXPECT_THAT(removed.err, MatchesRegex("varve: [^\n]*none:1[^\n]*\nvarve: [^\n]*none:2[^\n]*\n"
                                        "varve: [^\n]*none:3[^\n]*\n"));
  const CommandOutcome released = Run({"hold", "rm", "b", "a"});
  EXPECT_EQ(released.exit_code, 1);
  EXPECT_THAT(released.err, MatchesRegex("[^\n]* b\n[^\n]* a\n"));
  EXPECT_EQ(Run({"rmi", "--force", "none:1", "none:2"}).exit_code, 0);
  const CommandOutcome untagged = Run({"untag", "none:1", "web:v2", "none:2"});
  EXPECT_EQ(untagged.exit_code, 1);
  EXPECT_EQ(untagged.out, "Untagged: web:v2\n");
  EXPECT_THAT(untagged.err, MatchesRegex("varve: [^\n]*none:1[^\n]*\nvarve: [^\n]*none:2[^\n]*\n"));
}

TEST_F(CliPruneTest, AnUnknownImageInAFilterIsAMistake) {
  for (const char* filter : {"since=none", "before=app:none"}) {
    const CommandOutcome listed = Run({"images", "-f", filter});
    EXPECT_EQ(listed.exit_code, 1);
    EXPECT_THAT(listed.err, HasSubstr("before and since take an image: "));
  }
  EXPECT_EQ(OutputOf({"images", "-q", "none"}), "");
}

// The daemon promises what it always does.
using CliPromiseTest = CommandTest;

TEST_F(CliPromiseTest, PruneSaysWhatStaysForNowAndNowDoesNotWait) {
  const std::string dangling = PutImage("app", {"latest"}, 1).digest.ToString();
  PutImage("app", {"latest"}, 2);
  EXPECT_THAT(OutputOf({"image", "prune", "--force"}),
              AllOf(ContainsRegex(
                        "Total reclaimed space: 0B\n1 image or blob may still be needed by a "
                        "client that pushed, pulled, asked for or leased them; the last can go in "
                        "[0-9]+ minutes\n"),
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
              ContainsRegex("B may still be needed by a client that pushed, pulled or asked for "
                            "them; the last can go in [0-9]+ minutes\n"));
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
