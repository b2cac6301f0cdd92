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
using testing::Not;

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

// What the check of the rows tells, the hashing finds as well.
TEST_F(CliFsckTest, BadContentIsToldOnce) {
  OutputOf({"blob", "put", "-q", WriteFile("layer", std::string(100'000, 'l'))});
  OutputOf({"blob", "put", "-q", WriteFile("other", std::string(100'001, 'o'))});
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory_ + "/data/blobs")) {
    if (!entry.is_regular_file()) continue;
    if (entry.file_size() == 100'000) {
      std::filesystem::resize_file(entry.path(), 99'999);
    } else {
      std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << 'x';
    }
  }
  const CommandOutcome outcome = Run({"fsck", "-q", "--content"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.out, MatchesRegex("bad-content: [^\n]*99999 bytes, not 100000[^\n]*\n"
                                        "Checked [^\n]*: 1 findings\n"
                                        "bad-content: [^\n]*\n"
                                        "Hashed 2 blobs, 200kB: 1 findings\n"));
  EXPECT_EQ(outcome.err,
            "varve: the store has 2 findings; blobs whose bytes are bad answer absent\n");
  const CommandOutcome again = Run({"fsck", "-q", "--content"});
  EXPECT_EQ(again.exit_code, 3);
  EXPECT_THAT(again.out, MatchesRegex("bad-content: [^\n]*\nbad-content: [^\n]*\n"
                                      "Checked [^\n]*: 2 findings\n"
                                      "Hashed 0 blobs, 0B: all are what they were\n"));
}

class CliOrphansTest : public CliFsckTest {
 protected:
  // An index from before a blob was pushed anew and another one came.
  void RestoreOlderIndex() {
    const std::string index = Path("data/index");
    ASSERT_NO_FATAL_FAILURE(Push(layer_));
    StopDaemon();
    std::filesystem::copy(index, Path("backup"), std::filesystem::copy_options::recursive);
    ASSERT_NO_FATAL_FAILURE(StartDaemon());
    ASSERT_NO_FATAL_FAILURE(Push(layer_));
    ASSERT_NO_FATAL_FAILURE(Push(std::string(100'000, 'n')));
    StopDaemon();
    std::filesystem::remove_all(index);
    std::filesystem::rename(Path("backup"), index);
    ASSERT_NO_FATAL_FAILURE(StartDaemon());
  }
  void Push(const std::string& bytes) {
    absl::StatusOr<std::unique_ptr<OpenUpload>> upload = store_->blobs.BeginUpload("", {});
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Append(0, bytes).ok());
    ASSERT_TRUE((*upload)->Commit(Sha256Of(bytes), bytes.size()).ok());
  }

  const std::string layer_ = std::string(100'000, 'l');
};

TEST_F(CliOrphansTest, FindingsNameTheAdoptionAndADropAdoptsFirst) {
  ASSERT_NO_FATAL_FAILURE(RestoreOlderIndex());
  const CommandOutcome check = Run({"fsck", "-q"});
  EXPECT_EQ(check.exit_code, 3);
  EXPECT_THAT(check.out, HasSubstr("is gone; a push of it heals that; `varve fsck --adopt` gives "
                                   "its bytes back if one of the 2 files that the index lost has "
                                   "them\n"));
  EXPECT_THAT(Run({"system", "df"}).out,
              testing::AllOf(testing::ContainsRegex("Orphans +2 +- +- +[0-9.]+kB +- +-\n"),
                             HasSubstr("`varve fsck --adopt` gives back what is needed")));
  const CommandOutcome drop = Run({"fsck", "--drop-orphans"});
  EXPECT_EQ(drop.exit_code, 0) << drop.err;
  EXPECT_EQ(drop.out, "Adopted 1 file (100kB); removed 1 file (100kB) that nothing needs\n");
  EXPECT_EQ(Run({"blob", "get", "-q", Sha256Of(layer_).ToString()}).out, layer_);
  EXPECT_EQ(Run({"fsck", "-q"}).exit_code, 0);
  EXPECT_THAT(Run({"system", "df"}).out, Not(HasSubstr("Orphans")));
}

TEST_F(CliOrphansTest, WhatCannotBeAdoptedStaysAndIsTold) {
  ASSERT_NO_FATAL_FAILURE(RestoreOlderIndex());
  // Something else is in the place of the file, which is no file.
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory_ + "/data/blobs")) {
    if (!entry.is_regular_file() || ReadFile(entry.path()) != layer_) continue;
    const std::filesystem::path path = entry.path();
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    break;
  }
  const CommandOutcome drop = Run({"fsck", "--drop-orphans"});
  EXPECT_EQ(drop.exit_code, 1);
  EXPECT_EQ(drop.out, "Adopted 0 files (0B); removed 1 file (100kB) that nothing needs\n");
  EXPECT_THAT(drop.err, HasSubstr("1 file (100kB) could not be read or adopted, and stays until a "
                                  "week old; blobs/0000"));
  EXPECT_THAT(Run({"fsck", "--drop-orphans", "--json"}).out,
              HasSubstr("\"failed\":1,\"failed_bytes\":100000}\n"));
}

TEST_F(CliFsckTest, AStoppedDaemonIsNoFinding) {
  StopDaemon();
  const CommandOutcome outcome = Run({"fsck", "-q"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot reach the daemon"));
}

}  // namespace
}  // namespace varve
