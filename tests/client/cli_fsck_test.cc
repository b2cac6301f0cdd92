// `varve fsck` as people and scripts meet it.
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

using CliFsckTest = CommandTest;

TEST_F(CliFsckTest, ASoundStoreHasNoFindings) {
  PutImage("app", {"latest"}, 1);
  const CommandOutcome outcome = Run({"fsck"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              MatchesRegex("Checked [0-9]+ rows, 1 manifests, [0-9]+ files: nothing is wrong\n"));
  EXPECT_THAT(outcome.err, HasSubstr("store"));
  EXPECT_EQ(Run({"system", "fsck", "--quiet"}).err, "");
  EXPECT_THAT(Run({"fsck", "-q", "--json"}).out,
              MatchesRegex(R"(\{"rows":[0-9]+,"manifests":1,"files":[0-9]+,"findings":0\})"
                           "\n"));
}

TEST_F(CliFsckTest, FindingsAreSentencesAndAnExitCode) {
  PutImage("app", {"latest"}, 1);
  const std::string stray = directory_ + "/data/blobs/000000/notes";
  std::filesystem::create_directories(directory_ + "/data/blobs/000000");
  WriteFile("data/blobs/000000/notes", "x");
  ASSERT_TRUE(std::filesystem::exists(stray));
  const CommandOutcome outcome = Run({"fsck", "-q"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("stray-file: nothing names the file blobs/000000/notes: "
                                     "nothing removes it\nChecked "));
  EXPECT_EQ(outcome.err, "varve: the store has 1 finding; nothing was changed\n");
  const CommandOutcome json = Run({"system", "fsck", "--json", "-q"});
  EXPECT_EQ(json.exit_code, 3);
  EXPECT_THAT(json.out, HasSubstr("{\"finding\":\"stray-file\",\"text\":\"nothing names the file "
                                  "blobs/000000/notes: nothing removes it\"}\n{\"rows\":"));
  EXPECT_THAT(json.out, HasSubstr("\"findings\":1}\n"));
}

TEST_F(CliFsckTest, ContentIsHashedOnRequest) {
  OutputOf({"blob", "put", "-q", WriteFile("layer", std::string(100'000, 'l'))});
  EXPECT_THAT(Run({"fsck", "-q", "--content"}).out,
              MatchesRegex("Checked .*: nothing is wrong\n"
                           "Hashed 1 blobs, 100kB: all are what they were\n"));
  EXPECT_THAT(Run({"fsck", "-q", "--content", "--json"}).out,
              HasSubstr("{\"hashed_blobs\":1,\"hashed_bytes\":100000,\"findings\":0}\n"));
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory_ + "/data/blobs")) {
    if (!entry.is_regular_file()) continue;
    std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << 'x';
  }
  EXPECT_EQ(Run({"fsck", "-q"}).exit_code, 0);
  const CommandOutcome outcome = Run({"fsck", "-q", "--content"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("bad-content: blob sha256:"));
  EXPECT_THAT(outcome.out,
              HasSubstr("a push of it heals that\nHashed 1 blobs, 100kB: 1 findings\n"));
  EXPECT_EQ(outcome.err,
            "varve: the store has 1 finding; blobs whose bytes are bad answer absent\n");
  // From now on it is known.
  EXPECT_EQ(Run({"fsck", "-q"}).exit_code, 3);
}

TEST_F(CliFsckTest, AStoppedDaemonIsNoFinding) {
  StopDaemon();
  const CommandOutcome outcome = Run({"fsck", "-q"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot reach the daemon"));
}

}  // namespace
}  // namespace varve
