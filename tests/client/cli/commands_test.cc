// The `varve` binary as scripts and people meet it: output, exit codes, files left behind.
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class CliTest : public CommandTest {};

TEST_F(CliTest, HelpAndVersionOfEverything) {
  EXPECT_THAT(Run({"--version"}).out, StartsWith("varve "));
  const std::vector<std::vector<std::string>> commands = {{},
                                                          {"image"},
                                                          {"blob"},
                                                          {"image", "ls"},
                                                          {"image", "tag"},
                                                          {"image", "untag"},
                                                          {"blob", "put"},
                                                          {"blob", "get"},
                                                          {"blob", "stat"}};
  for (std::vector<std::string> command : commands) {
    command.push_back("--help");
    const CommandOutcome outcome = Run(command);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Usage: varve"));
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(CliTest, WrongUsageExitsWithTwoAndOneSentence) {
  const std::string digest = Sha256Of("x").ToString();
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"bogus"},
                                             {"image", "bogus"},
                                             {"image", "ls", "--bogus"},
                                             {"image", "tag", "app"},
                                             {"image", "tag", "app", "bad tag"},
                                             {"image", "untag"},
                                             {"blob", "put"},
                                             {"blob", "get", "nope"},
                                             {"blob", "get", digest, "--json"},
                                             {"blob", "stat", digest, "--repository", "../x"},
                                             {"--address", "nope", "image", "ls"}}) {
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(Lines(outcome.err), ElementsAre(StartsWith("varve: ")));
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_THAT(Run({"bogus"}).err, HasSubstr("bogus"));
}

TEST_F(CliTest, AnUnreachableDaemonIsExplained) {
  for (const std::string& address : {"unix://" + Path("none"), std::string("127.0.0.1:1")}) {
    const CommandOutcome outcome = Run({"--address", address, "image", "ls"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(Lines(outcome.err),
                ElementsAre(AllOf(StartsWith("varve: cannot reach the daemon at " + address),
                                  HasSubstr("start varved"))));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(CliTest, BlobsGoInAndComeOut) {
  const std::string bytes = TestBytes(2 * kMiB + 1, 1);
  const std::string digest = Sha256Of(bytes).ToString();
  const CommandOutcome put = Run({"blob", "put", WriteFile("in", bytes)});
  EXPECT_EQ(put.exit_code, 0) << put.err;
  EXPECT_EQ(put.out, digest + "\n");
  EXPECT_EQ(Run({"blob", "get", digest}).out, bytes);
  const CommandOutcome get = Run({"blob", "get", digest, "-o", Path("out")});
  EXPECT_EQ(get.exit_code, 0) << get.err;
  EXPECT_EQ(get.out, "");
  EXPECT_EQ(ReadFile(Path("out")), bytes);
  EXPECT_EQ(FilesBeside("out"), 1u);
  EXPECT_THAT(Run({"blob", "stat", digest}).out,
              MatchesRegex("Digest:  " + digest +
                           "\nSize:    2.097MB .2097153 bytes.\nCreated: .* ago .20.* UTC.\n"));
}

TEST_F(CliTest, ABlobFromStandardInputIntoARepository) {
  const std::string digest = Sha256Of("piped").ToString();
  const CommandOutcome put = Run({"blob", "put", "-", "--repository", "app", "--json"}, "piped");
  EXPECT_EQ(put.exit_code, 0) << put.err;
  EXPECT_THAT(put.out, MatchesRegex("\\{\"digest\":\"" + digest +
                                    "\",\"size_bytes\":5,\"created\":\"[-0-9T:.]+Z\"\\}\n"));
  EXPECT_EQ(Run({"blob", "stat", digest, "--repository", "app"}).exit_code, 0);
  const CommandOutcome elsewhere = Run({"blob", "stat", digest, "--repository", "other"});
  EXPECT_EQ(elsewhere.exit_code, 1);
  EXPECT_THAT(elsewhere.err, StartsWith("varve: "));
}

TEST_F(CliTest, AFailedGetLeavesNothingAndKeepsWhatWasThere) {
  const std::string absent = Sha256Of("absent").ToString();
  EXPECT_EQ(Run({"blob", "get", absent, "-o", Path("out")}).exit_code, 1);
  EXPECT_EQ(FilesBeside("out"), 0u);
  WriteFile("out", "older");
  EXPECT_EQ(Run({"blob", "get", absent, "-o", Path("out")}).exit_code, 1);
  EXPECT_EQ(ReadFile(Path("out")), "older");
  EXPECT_EQ(FilesBeside("out"), 1u);
  EXPECT_EQ(Run({"blob", "put", Path("no such file")}).exit_code, 1);
}

TEST_F(CliTest, AFullOutputIsAnError) {
  const std::string digest = Sha256Of("x").ToString();
  ASSERT_EQ(Run({"blob", "put", "-"}, "x").exit_code, 0);
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"image", "ls"},
                                             {"blob", "stat", digest},
                                             {"blob", "get", digest},
                                             {"blob", "get", digest, "-o", "/dev/full"}}) {
    const CommandOutcome outcome = Run(arguments, "", "/dev/full");
    EXPECT_EQ(outcome.exit_code, 1) << arguments[1];
    EXPECT_THAT(outcome.err, StartsWith("varve: "));
  }
}

TEST_F(CliTest, ImagesAreListedInDockersLayout) {
  const ManifestInfo app = PutImage("company/a-rather-long-name", {"latest", "v1"}, 2);
  PutImage("b", {"v1"}, 3);
  const std::vector<std::string> lines = Lines(Run({"image", "ls"}).out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], MatchesRegex("REPOSITORY +TAG +IMAGE ID +CREATED +SIZE"));
  const std::string id = app.digest.ToString().substr(7, 12);
  for (const char* column : {"TAG", "IMAGE ID", "CREATED", "SIZE"}) {
    const size_t at = lines[0].find(column);
    for (const std::string& line : lines) {
      EXPECT_EQ(line[at - 1], ' ') << line;
      EXPECT_NE(line[at], ' ') << line;
    }
  }
  EXPECT_THAT(Lines(Run({"image", "ls", "company/a-rather-long-name:v1"}).out),
              ElementsAre(StartsWith("REPOSITORY"),
                          MatchesRegex("company/a-rather-long-name +v1 +" + id + " +N/A +5.01kB")));
  EXPECT_THAT(Lines(Run({"image", "ls", "-q", "company/a-rather-long-name"}).out), ElementsAre(id));
  EXPECT_THAT(Lines(Run({"image", "ls", "-q", "--no-trunc", "company/a-rather-long-name:v1"}).out),
              ElementsAre(app.digest.ToString()));
  EXPECT_THAT(Run({"image", "ls", "--digests"}).out, HasSubstr(app.digest.ToString()));
  const CommandOutcome nothing = Run({"image", "ls", "absent"});
  EXPECT_EQ(nothing.exit_code, 0);
  EXPECT_THAT(Lines(nothing.out), ElementsAre(StartsWith("REPOSITORY")));
}

TEST_F(CliTest, AJsonListHasOneObjectALine) {
  const ManifestInfo app = PutImage("app", {"v1"}, 4);
  EXPECT_THAT(
      Lines(Run({"image", "ls", "--json"}).out),
      ElementsAre(MatchesRegex(
          "\\{\"repository\":\"app\",\"tag\":\"v1\",\"digest\":\"" + app.digest.ToString() +
          "\",\"image_id\":\"" + app.digest.ToString() + "\",\"config_digest\":\"" +
          app.config->ToString() +
          "\",\"type\":\"image\",\"media_type\":\"application/"
          "vnd.oci.image.manifest.v1.json\",\"artifact_type\":"
          "\"application/vnd.oci.image.config.v1.json\",\"platform\":\"\",\"size_bytes\":5010,"
          "\"created\":null,\"pushed\":\"[-0-9T:.]+Z\",\"tagged\":\"[-0-9T:.]+Z\",\"pulled\":null"
          "\\}")));
}

TEST_F(CliTest, AListBeginsWithTheNewestImage) {
  PutImage("a", {"old"}, 1, "2020-01-01T00:00:00Z");
  PutImage("b", {"new", "newest"}, 2, "2024-01-01T00:00:00Z");
  PutImage("c", {"unknown"}, 3);
  PutImage("d", {"middle"}, 4, "2022-01-01T00:00:00Z");
  EXPECT_EQ(Run({"images", "--format", "{{.Tag}}"}).out, "new\nnewest\nmiddle\nold\nunknown\n");
}

TEST_F(CliTest, AListTakesPatternsAndNamesThatCannotExist) {
  PutImage("team/app", {"v1", "v2"}, 1);
  PutImage("team/web", {"v1"}, 2);
  EXPECT_EQ(Run({"images", "--format", "{{.Repository}}:{{.Tag}}", "team/*:v1"}).out,
            "team/app:v1\nteam/web:v1\n");
  EXPECT_EQ(Run({"images", "--format", "{{.Tag}}", "team/a*"}).out, "v1\nv2\n");
  const CommandOutcome upper = Run({"images", "-q", "UPPER"});
  EXPECT_EQ(upper.exit_code, 0);
  EXPECT_EQ(upper.out, "");
  EXPECT_THAT(upper.err, StartsWith("varve: no image can be called \"UPPER\": "));
}

TEST_F(CliTest, InspectShowsWhatAFormatAsksFor) {
  const ManifestInfo app = PutImage("app", {"v1"}, 5, "2024-01-02T03:04:05Z");
  EXPECT_EQ(
      Run({"inspect", "--format", "{{.Id}} {{index .RepoTags 0}} {{.Created}}", "app:v1"}).out,
      app.digest.ToString() + " app:v1 2024-01-02T03:04:05.000000000Z\n");
  EXPECT_EQ(Run({"inspect", "-f", "{{json .Layers}}", "app:v1"}).exit_code, 0);
  EXPECT_EQ(Run({"inspect", "-f", "{{.Bogus", "app:v1"}).exit_code, 2);
  const CommandOutcome unknown = Run({"inspect", "-f", "{{.Bogus}}", "app:v1"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("there is no field .Bogus; the fields are "));
  EXPECT_EQ(Run({"inspect", "-f", "{{.Parent}} {{.Config.User}}", "app:v1"}).out,
            "<no value> <no value>\n");
  EXPECT_EQ(Run({"inspect", "-f", "{{.Id}}", "--json", "app:v1"}).exit_code, 2);
  for (const char* const form : {"", "--json", "--format={{.Id}}"}) {
    std::vector<std::string> words = {"inspect", "absent:v1", "app:v1", "absent:v2"};
    if (*form != '\0') words.emplace_back(form);
    const CommandOutcome some = Run(words);
    EXPECT_EQ(some.exit_code, 1);
    EXPECT_THAT(some.out, HasSubstr(app.digest.ToString()));
    EXPECT_THAT(Lines(some.err), ElementsAre(HasSubstr("absent:v1"), HasSubstr("absent:v2")));
  }
}

TEST_F(CliTest, AListIsFormattedAsDockerFormatsIt) {
  const ManifestInfo app = PutImage("app", {"v1", "v2"}, 4);
  const std::string id = app.digest.ToString();
  EXPECT_EQ(Run({"images", "--format", "{{.Repository}}:{{.Tag}}"}).out, "app:v1\napp:v2\n");
  EXPECT_EQ(Run({"images", "--format", "table {{.Tag}}\\t{{.ID}}", "--no-trunc", "app:v1"}).out,
            "TAG       IMAGE ID\nv1        " + id + "\n");
  EXPECT_EQ(
      Run({"images", "--format", "json", "app:v2"}).out,
      "{\"Containers\":\"N/A\",\"CreatedAt\":\"N/A\",\"CreatedSince\":\"N/A\",\"Digest\":\"" +
          app.digest.ToString() + "\",\"ID\":\"" + id.substr(7, 12) +
          "\",\"Repository\":\"app\",\"SharedSize\":\"N/A\",\"Size\":\"5.01kB\",\"Tag\":\"v2\","
          "\"Type\":\"image\",\"UniqueSize\":\"N/A\",\"VirtualSize\":\"5.01kB\"}\n");
  EXPECT_EQ(Run({"images", "--format", "table"}).out, Run({"images"}).out);
  for (const char* format : {"{{.Name}}", "table {{.ID", "{{bogus .ID}}"}) {
    const CommandOutcome outcome = Run({"images", "--format", format});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(Lines(outcome.err), ElementsAre(HasSubstr("--format, character ")));
  }
  EXPECT_EQ(Run({"images", "--format", "json", "-q"}).exit_code, 2);
}

TEST_F(CliTest, ALongListComesInPages) {
  const ManifestInfo app = PutImage("app", {"t"}, 5);
  const size_t count = kMaxPageRows + 3;
  for (size_t i = 1; i < count; ++i) {
    ASSERT_TRUE(store_->manifests.Tag("app", "t" + std::to_string(i), app.digest).ok());
  }
  EXPECT_EQ(Lines(Run({"image", "ls"}).out).size(), count + 1);
  EXPECT_EQ(Lines(Run({"image", "ls", "-q"}).out).size(), 1u);
}

TEST_F(CliTest, ShortFormsDoWhatTheLongOnesDo) {
  PutImage("app", {"v1"}, 6);
  EXPECT_EQ(Run({"tag", "app:v1", "app:v2"}).exit_code, 0);
  EXPECT_EQ(Lines(Run({"images"}).out).size(), 3u);
  EXPECT_EQ(Run({"images", "app"}).out, Run({"image", "ls", "app"}).out);
  EXPECT_EQ(Run({"untag", "app:v1"}).out, "Untagged: app:v1\n");
  EXPECT_EQ(Lines(Run({"images"}).out).size(), 2u);
}

TEST_F(CliTest, TagsAreSetAndRemoved) {
  const ManifestInfo app = PutImage("app", {"v1"}, 6);
  const CommandOutcome tag = Run({"image", "tag", "app:v1", "app"});
  EXPECT_EQ(tag.exit_code, 0) << tag.err;
  EXPECT_EQ(tag.out, "");
  EXPECT_EQ(
      Run({"image", "tag", "app@" + app.digest.ToString(), "app:v2", "--json"}).out,
      "{\"repository\":\"app\",\"tag\":\"v2\",\"digest\":\"" + app.digest.ToString() + "\"}\n");
  EXPECT_EQ(Lines(Run({"image", "ls"}).out).size(), 4u);
  EXPECT_EQ(Run({"image", "untag", "app", "app:v2"}).out,
            "Untagged: app:latest\nUntagged: app:v2\n");
  EXPECT_EQ(Run({"image", "untag", "app:v1", "--json"}).out,
            "{\"repository\":\"app\",\"untagged\":\"v1\"}\n");
  // The image stays, without a name.
  EXPECT_THAT(Lines(Run({"image", "ls"}).out),
              ElementsAre(StartsWith("REPOSITORY"), MatchesRegex("app +<none> .*")));
  const CommandOutcome gone = Run({"image", "untag", "app:v1"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(Lines(gone.err), ElementsAre(StartsWith("varve: app:v1: ")));
  EXPECT_EQ(Run({"image", "tag", "app:absent", "app:v3"}).exit_code, 1);
  EXPECT_EQ(Run({"image", "tag", "app@" + app.digest.ToString(), "other:v1"}).exit_code, 0);
  EXPECT_EQ(Lines(Run({"image", "ls", "-q", "other:v1"}).out).size(), 1u);
}

}  // namespace
}  // namespace varve
