// Names of images as people type and see them: one rule for every command.
#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kNameFormat[] = "{{.Repository}}:{{.Tag}}";

class CliNamesTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    other_ = PutImage("reg__5000/team/app", {"v1"}, 1);
    debian_ = PutImage("debian", {"12"}, 2);
  }

  // The names that `varve images arguments…` lists.
  std::string Listed(const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"images", "--format", kNameFormat};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return OutputOf(words);
  }

  ManifestInfo other_;   // of another registry
  ManifestInfo debian_;  // of Docker Hub
};

TEST_F(CliNamesTest, EveryCommandShowsAndTakesAPort) {
  const std::string name = "reg:5000/team/app";
  const std::string by_digest = name + "@" + other_.digest.ToString();
  EXPECT_EQ(Listed({name}), name + ":v1\n");
  EXPECT_EQ(Listed({"Reg:5000/team/app:v1"}), name + ":v1\n");
  EXPECT_EQ(Listed({by_digest}), name + ":v1\n");
  EXPECT_EQ(Listed({"reg__5000/team/app"}), name + ":v1\n");
  EXPECT_THAT(OutputOf({"images", "--json", name}), HasSubstr("\"repository\":\"" + name + "\""));
  EXPECT_EQ(OutputOf({"inspect", "--format", "{{.RepoTags}} {{.RepoDigests}}", name + ":v1"}),
            "[" + name + ":v1] [" + by_digest + "]\n");
  EXPECT_THAT(OutputOf({"repo", "ls"}), HasSubstr(name));
  EXPECT_THAT(OutputOf({"image", "why", name + ":v1"}), HasSubstr("tag " + name + ":v1"));
  EXPECT_THAT(OutputOf({"image", "tree", name + ":v1"}), HasSubstr("\n" + name + ":v1 "));
  EXPECT_THAT(OutputOf({"image", "tree", "--json", name + ":v1"}),
              HasSubstr("\"name\":\"" + name + ":v1\""));
  OutputOf({"hold", "create", name + ":v1", "--name", "web"});
  EXPECT_THAT(OutputOf({"hold", "ls"}), HasSubstr(by_digest));
  OutputOf({"hold", "rm", "web"});
  EXPECT_EQ(OutputOf({"tag", name + ":v1", "reg:5000/team/app:v2", "--json"}),
            "{\"repository\":\"" + name + "\",\"tag\":\"v2\",\"digest\":\"" +
                other_.digest.ToString() + "\"}\n");
  EXPECT_EQ(OutputOf({"untag", name + ":v2"}), "Untagged: " + name + ":v2\n");
  const std::string events =
      OutputOf({"system", "events", "--no-follow", "-f", "repository=" + name});
  EXPECT_THAT(events, AllOf(HasSubstr("untag " + name + ":v2"), Not(HasSubstr("debian"))));
  EXPECT_THAT(OutputOf({"rmi", name + ":v1"}), AllOf(HasSubstr("Untagged: " + name + ":v1\n"),
                                                     HasSubstr("Deleted: " + by_digest + "\n")));
  EXPECT_EQ(Listed({name}), "");
}

TEST_F(CliNamesTest, PatternsAreMatchedWithNamesAsTheyAreShown) {
  const std::string name = "reg:5000/team/app:v1\n";
  for (const char* const pattern :
       {"reg:5000/*/*", "reg:*/team/app:v?", "Reg:5000/team/a*", "reg__5000/team/*"}) {
    EXPECT_EQ(Listed({pattern}), name) << pattern;
    EXPECT_EQ(Listed({"-f", std::string("reference=") + pattern}), name) << pattern;
  }
  for (const char* const pattern : {"docker.io/library/deb*", "library/debian:1?", "deb*"}) {
    EXPECT_EQ(Listed({"-f", std::string("reference=") + pattern}), "debian:12\n") << pattern;
  }
  EXPECT_EQ(Listed({"-f", "reference=reg:5001/team/*"}), "");
}

TEST_F(CliNamesTest, ANameThatNothingCanHaveIsExplained) {
  for (const auto& [name, reason] :
       std::vector<std::pair<std::string, std::string>>{{"UPPER", "lower-case letters"},
                                                        {"[::1]:5000/app", "an IPv6 address"},
                                                        {"reg:70000/app", "from 1 to 65535"},
                                                        {"app:", "tag is empty"},
                                                        {"app@sha256:12", "digest"}}) {
    const CommandOutcome outcome = Run({"images", "-q", name});
    EXPECT_EQ(outcome.exit_code, 0) << name;
    EXPECT_EQ(outcome.out, "") << name;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("varve: no image can be called \"" + name + "\": "),
                                   HasSubstr(reason)));
  }
  EXPECT_EQ(Listed({"absent"}), "") << "a name that could be is no mistake";
  EXPECT_THAT(Run({"rmi", "[::1]:5000/app"}).err, HasSubstr("an IPv6 address"));
}

TEST_F(CliNamesTest, NamesOfDockerHubMeanTheCanonicalOne) {
  for (const char* const name :
       {"debian:12", "library/debian:12", "docker.io/library/debian:12",
        "index.docker.io/library/debian:12", "docker.io/debian:12", "localhost/debian:12"}) {
    EXPECT_EQ(Listed({name}), "debian:12\n") << name;
    EXPECT_EQ(OutputOf({"inspect", "--format", "{{.RepoTags}}", name}), "[debian:12]\n") << name;
    EXPECT_THAT(OutputOf({"image", "why", name}), HasSubstr("tag debian:12")) << name;
  }
  OutputOf({"tag", "docker.io/library/debian:12", "localhost/mine:1"});
  EXPECT_EQ(Listed({"mine"}), "mine:1\n");
}

TEST_F(CliNamesTest, TheDaemonsOwnAddressIsNoPartOfAName) {
  StopDaemon();
  EngineOptions options;
  options.names.own_hosts = {"127.0.0.1__5000"};
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  EXPECT_EQ(Listed({"127.0.0.1:5000/library/debian"}), "debian:12\n");
  for (const char* const filter :
       {"reference=127.0.0.1:5000/library/deb*", "reference=127.0.0.1:5000/debian:1?"}) {
    EXPECT_EQ(Listed({"-f", filter}), "debian:12\n") << filter;
    EXPECT_THAT(OutputOf({"image", "prune", "-a", "--dry-run", "--filter", filter}),
                AllOf(HasSubstr("debian@" + debian_.digest.ToString()), Not(HasSubstr("team"))))
        << filter;
  }
  EXPECT_EQ(Listed({"-f", "since=127.0.0.1:5000/debian:12"}), "");
  EXPECT_EQ(OutputOf({"untag", "127.0.0.1:5000/debian:12"}),
            "Untagged: 127.0.0.1:5000/debian:12\n");
  EXPECT_EQ(Listed({"debian:12"}), "");
}

TEST_F(CliNamesTest, ADaemonThatTakesNamesAsTheyAreFiltersByThem) {
  StopDaemon();
  EngineOptions options;
  options.names.canonical = false;
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  EXPECT_EQ(Listed({"-f", "reference=docker.io/library/deb*"}), "");
  EXPECT_EQ(Listed({"-f", "reference=deb*"}), "debian:12\n");
}

TEST_F(CliNamesTest, ErrorsNameWhatIsShown) {
  const std::string name = "reg:5000/team/app";
  OutputOf({"hold", "create", name + ":v1", "--name", "web"});
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"untag", name + ":v2"},
                                             {"untag", name + ":v1"},
                                             {"rmi", name + ":v1"},
                                             {"rmi", name + ":v2"},
                                             {"inspect", name + ":v2"},
                                             {"history", name + ":v2"},
                                             {"tag", name + ":v2", "x"},
                                             {"hold", "create", name + ":v2", "--name", "x"},
                                             {"image", "why", name + ":v2"},
                                             {"repo", "merge", name, name},
                                             {"repo", "merge", name + "/none", "x"},
                                             {"save", "-o", Path("archive"), name + ":v2"}}) {
    const CommandOutcome outcome = Run(command);
    EXPECT_EQ(outcome.exit_code, 1) << command[0] << command[1];
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(name), Not(HasSubstr("reg__")))) << outcome.err;
  }
}

TEST_F(CliNamesTest, ASavedImageHasTheNamesThatOthersGiveIt) {
  const std::string archive =
      OutputOf({"save", "-q", "reg:5000/team/app", "docker.io/library/debian:12"});
  EXPECT_THAT(archive,
              AllOf(HasSubstr("\"RepoTags\":[\"debian:12\"]"),
                    HasSubstr("\"RepoTags\":[\"reg:5000/team/app:v1\"]"),
                    HasSubstr("\"docker.io/library/debian:12\""), Not(HasSubstr("__5000"))));
  OutputOf({"rmi", "debian:12", "reg:5000/team/app:v1"});
  EXPECT_EQ(Run({"load", "-q"}, archive).out,
            "Loaded image: debian:12\nLoaded image: reg:5000/team/app:v1\n");
  EXPECT_EQ(client_->StatManifest("reg__5000/team/app", "v1")->digest, other_.digest);
}

}  // namespace
}  // namespace varve
