// `varve lease` and --lease as people and scripts meet them. The daemon's promise time is zero, so
// that what nothing keeps goes at once.
#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

constexpr char kTime[] = "20[0-9-]+T[0-9:.]+Z";

class CliLeaseTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    ASSERT_NO_FATAL_FAILURE(RestartDaemonWithoutPromises());
  }
  bool StaysBesidePruneAndReclaim(const Digest& content) {
    OutputOf({"image", "prune", "-a", "--force"});
    EXPECT_TRUE(store_->system.Reclaim().ok());
    return store_->blobs.OpenBlob("", content).ok();
  }
};

TEST_F(CliLeaseTest, ALeaseKeepsWhatCommandsUpload) {
  const std::string bytes = TestBytes(100'000, 1);
  const std::string other = TestBytes(100'000, 2);
  EXPECT_EQ(OutputOf({"lease", "create", "--id", "build-7", "--owner", "ci", "--ttl", "2h"}),
            "build-7\n");
  OutputOf({"blob", "put", "-q", "--lease", "build-7", WriteFile("a", bytes)});
  OutputOf({"blob", "put", "-q", WriteFile("b", other)});
  EXPECT_TRUE(StaysBesidePruneAndReclaim(Sha256Of(bytes)));
  EXPECT_FALSE(StaysBesidePruneAndReclaim(Sha256Of(other)));
  EXPECT_THAT(OutputOf({"image", "why", Sha256Of(bytes).ToString()}), HasSubstr("lease build-7"));
  EXPECT_EQ(OutputOf({"lease", "rm", "build-7"}), "build-7\n");
  EXPECT_FALSE(StaysBesidePruneAndReclaim(Sha256Of(bytes)));
}

TEST_F(CliLeaseTest, AnImportThatNothingTagsStaysWithItsLease) {
  OutputOf({"lease", "create", "--id", "l"});
  const std::string tar(10240, '\0');  // an archive without entries
  const std::string rootfs = WriteFile("rootfs.tar", tar);
  OutputOf({"import", "-q", "--lease", "l", rootfs, "base:v1"});
  const auto image = store_->images.FindImage("base:v1");
  ASSERT_TRUE(image.ok()) << image.status();
  ASSERT_TRUE(store_->manifests.Untag("base", "v1", false).ok());
  EXPECT_TRUE(StaysBesidePruneAndReclaim(image->manifest));
  OutputOf({"lease", "rm", "l"});
  EXPECT_FALSE(StaysBesidePruneAndReclaim(image->manifest));
}

TEST_F(CliLeaseTest, AnArchiveIsLoadedAndSavedUnderALease) {
  const ManifestInfo image = PutImage("app", {"v1"}, 1);
  OutputOf({"lease", "create", "--id", "l"});
  OutputOf({"save", "-q", "--lease", "l", "-o", Path("app.tar"), "app:v1"});
  EXPECT_TRUE(StaysBesidePruneAndReclaim(image.digest));
  OutputOf({"lease", "rm", "l"});
  EXPECT_FALSE(StaysBesidePruneAndReclaim(image.digest));
  OutputOf({"lease", "create", "--id", "m"});
  EXPECT_THAT(OutputOf({"load", "-q", "--lease", "m", "-i", Path("app.tar")}),
              HasSubstr("Loaded image: app:v1"));
  const auto loaded = store_->images.FindImage("app:v1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(StaysBesidePruneAndReclaim(loaded->manifest));
}

TEST_F(CliLeaseTest, ContentIsAttachedByDigestOrByName) {
  const ManifestInfo image = PutImage("app", {"v1"}, 1);
  const std::string coming = Sha256Of("coming").ToString();
  OutputOf({"lease", "create", "--id", "l"});
  EXPECT_EQ(OutputOf({"lease", "attach", "l", "app:v1", coming}),
            image.digest.ToString() + "\n" + coming + " (not here yet)\n");
  EXPECT_EQ(OutputOf({"lease", "attach", "l", "--json", coming}),
            "{\"attached\":\"" + coming + "\",\"present\":false}\n");
  EXPECT_TRUE(StaysBesidePruneAndReclaim(image.digest));
  const CommandOutcome unknown = Run({"lease", "attach", "l", "no-such:image"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_EQ(unknown.out, "");
  EXPECT_EQ(Run({"lease", "attach", "none", coming}).err, "varve: no such lease: none\n");
}

TEST_F(CliLeaseTest, LeasesAreListedRenewedAndRemoved) {
  const std::string random = OutputOf({"lease", "create"});
  EXPECT_THAT(random, MatchesRegex("[0-9a-f]{32}\n"));
  EXPECT_THAT(OutputOf({"lease", "create", "--id", "a", "--owner", "ci", "--json"}),
              MatchesRegex(std::string("\\{\"id\":\"a\",\"owner\":\"ci\",\"created\":\"") + kTime +
                           "\",\"deadline\":\"" + kTime + "\",\"contents\":0\\}\n"));
  EXPECT_EQ(OutputOf({"lease", "renew", "a", "--ttl", "24h"}), "a\n");
  EXPECT_THAT(OutputOf({"lease", "renew", "a", "--json"}), HasSubstr("{\"id\":\"a\""));
  EXPECT_THAT(OutputOf({"lease", "ls", "-q"}), AllOf(HasSubstr("a\n"), HasSubstr(random)));
  EXPECT_THAT(OutputOf({"lease", "ls"}),
              AllOf(StartsWith("LEASE "), HasSubstr("ci "), ContainsRegex("in [a-z0-9 ]+\n")));
  EXPECT_THAT(OutputOf({"lease", "ls", "--no-trunc"}), ContainsRegex("20[-0-9]+T[0-9:.]+Z\n"));
  EXPECT_THAT(OutputOf({"lease", "ls", "--json"}), HasSubstr("{\"id\":\"a\",\"owner\":\"ci\""));
  const CommandOutcome removed = Run({"lease", "rm", "--json", "a", "none"});
  EXPECT_EQ(removed.exit_code, 1);
  EXPECT_EQ(removed.out, "{\"removed\":\"a\"}\n");
  EXPECT_THAT(removed.err, HasSubstr("no such lease: none"));
  EXPECT_EQ(Run({"lease", "create", "--ttl", "25h"}).exit_code, 2);
  EXPECT_EQ(Run({"lease", "create", "--ttl", "soon"}).exit_code, 2);
  EXPECT_EQ(Run({"lease", "renew", "a"}).exit_code, 1);
}

TEST_F(CliLeaseTest, ALeaseThatIsNotThereStopsTheCommand) {
  const std::string path = WriteFile("a", TestBytes(100'000, 1));
  const CommandOutcome outcome = Run({"blob", "put", "--lease", "ended", path});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("there is no lease ended"));
  EXPECT_FALSE(store_->blobs.OpenBlob("", Sha256Of(TestBytes(100'000, 1))).ok());
  // An empty variable of a script is not the same as no lease.
  EXPECT_EQ(Run({"blob", "put", "--lease", "", path}).exit_code, 2);
  EXPECT_THAT(Run({"blob", "put", "--help"}).out, HasSubstr("--lease"));
  EXPECT_THAT(Run({"blob", "stat", "--help"}).out, Not(HasSubstr("--lease")));
}

}  // namespace
}  // namespace varve
