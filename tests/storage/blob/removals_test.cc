#include "storage/blob/removals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/index/memory_index.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/flaky_index.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class RemovalsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(disk_.CreateDirectory("/blobs").ok()); }

  void MakeFile(FileId id, size_t size) {
    auto file = files_.Create(id);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->WriteAt(0, std::string(size, 'x')).ok());
    ASSERT_TRUE((*file)->Sync().ok());
    ASSERT_TRUE(files_.SyncEntry(id).ok());
  }
  void Stage(FileId id) {
    ASSERT_TRUE(index_->Run([&](Transaction& txn) { return Removals::Stage(txn, id); }).ok());
  }
  size_t Rows() { return index_->Scan(PrefixRange(RemovingPrefix()), 10'000).value().size(); }
  std::vector<FileId> Files() { return files_.List(1, 10'000).value(); }

  PathPredicate Is(FileId id) const {
    return [path = "/blobs/" + BlobFiles::Name(id)](const std::string& at) { return at == path; };
  }
  uint64_t Attempts(FileId id) const { return disk_.Counters(Is(id)).Calls(FileCall::kRemove); }

  MemoryFileSystem disk_;
  FakeClock clock_;
  std::unique_ptr<Index> index_ = NewMemoryIndex();
  IdAllocator ids_{*index_};
  UnnamedFiles unnamed_{ids_};
  BlobFiles files_{disk_, "/blobs"};
  Removals removals_{*index_, {&files_}, unnamed_, clock_};
};

TEST_F(RemovalsTest, SpaceComesBackAtOnceAndTheRowLater) {
  MakeFile(5, 10'000);
  Stage(5);
  const uint64_t before = disk_.used_bytes();
  const auto freed = removals_.Unlink(5);
  ASSERT_TRUE(freed.ok());
  EXPECT_EQ(*freed, before - disk_.used_bytes());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(Rows(), 1u);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, AddedFilesGoTogether) {
  for (const FileId id : {FileId{5}, FileId{6}}) {
    MakeFile(id, 10'000);
    Stage(id);
    removals_.Add(id);
  }
  EXPECT_THAT(Files(), ElementsAre(5, 6));
  const uint64_t before = disk_.used_bytes();
  const uint64_t freed = removals_.UnlinkAdded().value();
  EXPECT_EQ(freed, before - disk_.used_bytes());
  EXPECT_GE(freed, 20'000u);
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(Rows(), 2u);
  EXPECT_EQ(removals_.UnlinkAdded().value(), 0u);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, FinishTakesWhatWasAdded) {
  MakeFile(5, 1);
  Stage(5);
  removals_.Add(5);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(Rows(), 0u);
}

TEST(AddedRemovals, StayUntilTheirCommitIsDurable) {
  MemoryFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectory("/blobs").ok());
  BlobFiles files(disk, "/blobs");
  FlakyOptions never;
  never.commit_conflict_rate = 0;
  never.commit_unknown_applied_rate = 0;
  never.commit_unknown_lost_rate = 1;
  const std::unique_ptr<Index> index = NewFlakyIndex(NewMemoryIndex(), never);
  FakeClock clock;
  IdAllocator ids(*index);
  UnnamedFiles unnamed(ids);
  Removals removals(*index, {&files}, unnamed, clock);
  ASSERT_TRUE(files.Create(5).ok());
  removals.Add(5);
  EXPECT_FALSE(removals.UnlinkAdded().ok());
  EXPECT_FALSE(removals.Finish().ok());
  EXPECT_THAT(files.List(1, 10'000).value(), ElementsAre(5));
}

TEST_F(RemovalsTest, AFileThatIsGoneGivesNothing) {
  MakeFile(4, 1);
  Stage(5);
  EXPECT_EQ(removals_.Unlink(5).value(), 0u);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 0u);
  EXPECT_THAT(Files(), ElementsAre(4));
}

TEST_F(RemovalsTest, RowStaysUntilTheUnlinkIsDurable) {
  MakeFile(5, 1);
  Stage(5);
  ASSERT_TRUE(removals_.Unlink(5).ok());
  disk_.Inject({FileCall::kSyncDirectory, absl::UnavailableError("failed"), 1, {}, false});
  EXPECT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 1u);
  clock_.Advance(kNanosPerSecond);
  EXPECT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, FailedUnlinkIsTriedAgain) {
  MakeFile(5, 1);
  Stage(5);
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("failed"), 1, {}, false});
  EXPECT_FALSE(removals_.Unlink(5).ok());
  EXPECT_THAT(Files(), ElementsAre(5));
  clock_.Advance(kNanosPerSecond);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(Rows(), 0u);
  EXPECT_EQ(removals_.kept_aside(), 0u);
}

TEST_F(RemovalsTest, AFileThatCannotBeUnlinkedHoldsUpNoOther) {
  for (const FileId id : {FileId{4}, FileId{5}, FileId{6}}) {
    MakeFile(id, 10'000);
    Stage(id);
    removals_.Add(id);
  }
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("not permitted"), 1, Is(5), true});
  EXPECT_GE(removals_.UnlinkAdded().value(), 20'000u);
  EXPECT_THAT(Files(), ElementsAre(5));
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(Rows(), 1u);
  EXPECT_EQ(removals_.kept_aside(), 1u);
  EXPECT_THAT(removals_.ReasonKeptAside(5), HasSubstr("not permitted"));
  EXPECT_EQ(removals_.ReasonKeptAside(4), "");
  EXPECT_THAT(removals_.TakeProblems(), ElementsAre(HasSubstr("blobs/000000/5")));

  // In a day not once a second: the pause doubles, to ten minutes.
  const uint64_t before = Attempts(5);
  for (int second = 0; second < 24 * 3600; ++second) {
    clock_.Advance(kNanosPerSecond);
    ASSERT_TRUE(removals_.Finish().ok());
  }
  EXPECT_GE(Attempts(5) - before, 24u * 6);
  EXPECT_LE(Attempts(5) - before, 24u * 6 + 12);
  EXPECT_THAT(removals_.TakeProblems(), IsEmpty()) << "told once";

  disk_.ClearFaults();
  clock_.Advance(600 * kNanosPerSecond);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(Rows(), 0u);
  EXPECT_EQ(removals_.kept_aside(), 0u);
}

TEST_F(RemovalsTest, AStartGoesOnWithoutAFileThatCannotBeUnlinkedAndPastADamagedRow) {
  for (const FileId id : {FileId{5}, FileId{6}}) {
    MakeFile(id, 100);
    Stage(id);
  }
  ASSERT_TRUE(
      index_->Run([](Transaction& txn) { return txn.Put(RemovingPrefix() + "odd", ""); }).ok());
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("not permitted"), 1, Is(5), true});
  Removals reopened(*index_, {&files_}, unnamed_, clock_);
  ASSERT_TRUE(reopened.Recover().ok());
  EXPECT_THAT(Files(), ElementsAre(5));
  EXPECT_EQ(Rows(), 2u);
  EXPECT_EQ(reopened.kept_aside(), 1u);
  EXPECT_THAT(reopened.TakeProblems(),
              UnorderedElementsAre(HasSubstr("blobs/000000/5"), HasSubstr("damaged")));
}

// They have no row: one that stays gets one, or the low-water mark would pass it.
TEST_F(RemovalsTest, UnnamedFilesThatStayAreStaged) {
  for (const FileId id : {FileId{5}, FileId{6}, FileId{2000}, FileId{2001}}) MakeFile(id, 100);
  disk_.Inject({FileCall::kRemove, absl::UnavailableError("not permitted"), 1, Is(5), false});
  disk_.Inject({FileCall::kSyncDirectory, absl::UnavailableError("failed"), 1,
                Under("/blobs/000001"), false});
  ASSERT_TRUE(removals_.RemoveUnnamed({2000, 6, 5}).ok());
  EXPECT_THAT(Files(), ElementsAre(5, 2001));
  EXPECT_EQ(Rows(), 2u);  // of 5 and 2000
  clock_.Advance(kNanosPerSecond);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(Files(), ElementsAre(2001));
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, WhatIsBeingReadIsNotFreed) {
  MakeFile(5, 10'000);
  MakeFile(6, 10'000);
  for (const FileId id : {FileId{5}, FileId{6}}) Stage(id);
  auto reader = files_.OpenForRead(5);
  ASSERT_TRUE(reader.ok());
  auto other = files_.OpenForRead(5);
  ASSERT_TRUE(other.ok());
  other->reset();
  ASSERT_TRUE(files_.OpenForRead(6).ok());  // and closed
  EXPECT_EQ(removals_.Unlink(5).value(), 0u);
  EXPECT_GE(removals_.Unlink(6).value(), 10'000u);
  const uint64_t before = disk_.used_bytes();
  reader->reset();
  EXPECT_LE(disk_.used_bytes() + 10'000, before);
}

TEST_F(RemovalsTest, ADirectoryGoesWithItsLastFileWhenNoneWillBeMade) {
  const auto directories = [&] { return disk_.List("/blobs").value(); };
  MakeFile(5, 1);
  MakeFile(6, 1);
  Stage(5);
  removals_.Add(5);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(directories(), ElementsAre("000000"));
  Stage(6);
  removals_.Add(6);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(directories(), ElementsAre("000000")) << "its ids are still given out";
  while (unnamed_.Allocate().value() < kFilesPerDirectory) {
  }
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(directories(), ElementsAre("000000")) << "files of such ids are being written";
  for (FileId id = 1; id <= kFilesPerDirectory; ++id) unnamed_.Settle(id);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_THAT(directories(), IsEmpty());
}

TEST_F(RemovalsTest, SyncsOncePerDirectory) {
  const FileId second = kFilesPerDirectory + 1;
  for (const FileId id : {FileId{1}, FileId{2}, FileId{3}, second, second + 1}) {
    MakeFile(id, 1);
    Stage(id);
    ASSERT_TRUE(removals_.Unlink(id).ok());
  }
  const uint64_t before = disk_.Counters().Calls(FileCall::kSyncDirectory);
  ASSERT_TRUE(removals_.Finish().ok());
  EXPECT_EQ(disk_.Counters().Calls(FileCall::kSyncDirectory) - before, 2u);
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, FilesOfAnotherRootGoFromThere) {
  ASSERT_TRUE(disk_.CreateDirectory("/others").ok());
  BlobFiles others(disk_, "/others");
  MakeFile(5, 10'000);
  MakeFile(6, 10'000);
  for (const FileId id : {FileId{5}, FileId{6}}) ASSERT_TRUE(others.Create(id).ok());
  const auto stage = [&](const RootedFile& file) {
    return index_->Run([&](Transaction& txn) { return Removals::Stage(txn, file); });
  };
  ASSERT_TRUE(stage({5, 1}).ok());
  ASSERT_TRUE(stage(6).ok());
  {
    Removals one_root(*index_, {&files_}, unnamed_, clock_);
    ASSERT_TRUE(one_root.Recover().ok());
    EXPECT_THAT(one_root.TakeProblems(), ElementsAre(HasSubstr("the file it names stays")));
    EXPECT_THAT(Files(), ElementsAre(5u));
  }
  ASSERT_TRUE(stage({6, 1}).ok());
  Removals removals(*index_, {&files_, &others}, unnamed_, clock_);
  ASSERT_TRUE(removals.Unlink({6, 1}).ok());
  EXPECT_THAT(others.List(1, 10).value(), ElementsAre(5u));
  ASSERT_TRUE(removals.Recover().ok());
  EXPECT_THAT(others.List(1, 10).value(), IsEmpty());
  EXPECT_THAT(Files(), ElementsAre(5u));
  EXPECT_EQ(Rows(), 0u);
}

TEST_F(RemovalsTest, RecoverFinishesWhatACrashLeft) {
  for (FileId id = 1; id <= 1200; ++id) Stage(id);
  MakeFile(7, 100);
  MakeFile(1100, 100);
  MakeFile(2000, 100);
  Removals reopened(*index_, {&files_}, unnamed_, clock_);
  ASSERT_TRUE(reopened.Recover().ok());
  EXPECT_EQ(Rows(), 0u);
  EXPECT_THAT(Files(), ElementsAre(2000));
}

}  // namespace
}  // namespace varve
