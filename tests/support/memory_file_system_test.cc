// The crash tests believe MemoryFileSystem, so each thing that it says about a power cut, a fault
// or a lie is tested here. What it shares with a real disk is in tests/contract.
#include "tests/support/memory_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/base/str_cat.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr size_t kPage = kDiskPageBytes;

class MemoryFileSystemTest : public testing::Test {
 protected:
  std::unique_ptr<WritableFile> Create(const std::string& path) {
    auto file = fs_.Create(path);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  // A file with durable bytes and a durable name.
  void CreateDurably(const std::string& path, std::string_view bytes) {
    const auto file = Create(path);
    ASSERT_EQ(file->WriteAt(0, bytes), absl::OkStatus());
    ASSERT_EQ(file->Sync(), absl::OkStatus());
    ASSERT_EQ(fs_.SyncDirectory("/"), absl::OkStatus());
  }
  // nullopt when there is no such file.
  std::optional<std::string> Read(const std::string& path) {
    const auto file = fs_.OpenForRead(path);
    if (!file.ok()) return std::nullopt;
    std::string bytes(1 << 16, '?');
    bytes.resize((*file)->ReadAt(0, absl::MakeSpan(bytes)).value_or(0));
    return bytes;
  }
  std::vector<std::string> List(const std::string& path) {
    return fs_.List(path).value_or(std::vector<std::string>{"(error)"});
  }

  MemoryFileSystem fs_;
};

TEST_F(MemoryFileSystemTest, UnsyncedBytesAreGoneAfterAPowerCut) {
  CreateDurably("/file", "durable");
  const auto file = fs_.OpenForWrite("/file").value();
  ASSERT_EQ(file->WriteAt(0, "changed and longer"), absl::OkStatus());
  EXPECT_EQ(Read("/file"), "changed and longer");
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), "durable");
}

TEST_F(MemoryFileSystemTest, TruncationIsDurableOnlyAfterASync) {
  CreateDurably("/file", std::string(2 * kPage, 'x'));
  auto file = fs_.OpenForWrite("/file").value();
  ASSERT_EQ(file->Truncate(3), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), std::string(2 * kPage, 'x'));
  file = fs_.OpenForWrite("/file").value();
  ASSERT_EQ(file->Truncate(3), absl::OkStatus());
  ASSERT_EQ(file->Sync(), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), "xxx");
  EXPECT_EQ(fs_.Stat("/file").value().allocated_bytes, kPage);
}

TEST_F(MemoryFileSystemTest, ASyncedFileWithoutASyncedNameIsGone) {
  const auto file = Create("/file");
  ASSERT_EQ(file->WriteAt(0, "bytes"), absl::OkStatus());
  ASSERT_EQ(file->Sync(), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), std::nullopt);
}

TEST_F(MemoryFileSystemTest, ASyncedNameWithoutSyncedBytesIsEmpty) {
  const auto file = Create("/file");
  ASSERT_EQ(file->WriteAt(0, "bytes"), absl::OkStatus());
  ASSERT_EQ(fs_.SyncDirectory("/"), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), "");
}

TEST_F(MemoryFileSystemTest, ARemovedFileReappearsUnlessTheDirectoryWasSynced) {
  CreateDurably("/file", "durable");
  ASSERT_EQ(fs_.Remove("/file"), absl::OkStatus());
  EXPECT_EQ(Read("/file"), std::nullopt);
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), "durable");
  ASSERT_EQ(fs_.Remove("/file"), absl::OkStatus());
  ASSERT_EQ(fs_.SyncDirectory("/"), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), std::nullopt);
}

TEST_F(MemoryFileSystemTest, AnUnsyncedRenameReverts) {
  CreateDurably("/old", "old");
  CreateDurably("/new", "new");
  ASSERT_EQ(fs_.Rename("/new", "/old"), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/old"), "old");
  EXPECT_EQ(Read("/new"), "new");
}

TEST_F(MemoryFileSystemTest, ADirectoryWithoutASyncedNameTakesItsFilesAlong) {
  ASSERT_EQ(fs_.CreateDirectory("/directory"), absl::OkStatus());
  const auto file = Create("/directory/file");
  ASSERT_EQ(file->Sync(), absl::OkStatus());
  ASSERT_EQ(fs_.SyncDirectory("/directory"), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_THAT(List("/"), IsEmpty());
}

TEST_F(MemoryFileSystemTest, EverythingSurvivesTheDeathOfTheProcess) {
  CreateDurably("/removed", "x");
  const auto file = Create("/file");
  ASSERT_EQ(file->WriteAt(0, "unsynced"), absl::OkStatus());
  ASSERT_EQ(fs_.Remove("/removed"), absl::OkStatus());
  fs_.PowerUp(Survival::kEverything);
  EXPECT_THAT(List("/"), ElementsAre("file"));
  EXPECT_EQ(Read("/file"), "unsynced");
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_THAT(List("/"), ElementsAre("removed")) << "what survived a killed process is not durable";
}

TEST_F(MemoryFileSystemTest, RandomSurvivalKeepsAndDropsSinglePages) {
  std::set<std::string> survivors;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::string path = StrCat("/file", seed);
    CreateDurably(path, std::string(2 * kPage, 'a'));
    const auto file = fs_.OpenForWrite(path).value();
    ASSERT_EQ(file->WriteAt(0, std::string(2 * kPage, 'b')), absl::OkStatus());
    fs_.PowerUp(Survival::kRandom, seed);
    const std::string bytes = Read(path).value_or("");
    ASSERT_EQ(bytes.size(), 2 * kPage);
    EXPECT_EQ(bytes, std::string(kPage, bytes[0]) + std::string(kPage, bytes[kPage]));
    survivors.insert({bytes[0], bytes[kPage]});
  }
  EXPECT_THAT(survivors, UnorderedElementsAre("aa", "ab", "ba", "bb"));
}

TEST_F(MemoryFileSystemTest, RandomSurvivalOfAnAppendIsAPrefixWithHoles) {
  std::set<size_t> sizes;
  bool hole = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const std::string path = StrCat("/file", seed);
    CreateDurably(path, "a");
    const auto file = fs_.OpenForWrite(path).value();
    ASSERT_EQ(file->WriteAt(1, std::string(2 * kPage, 'b')), absl::OkStatus());
    fs_.PowerUp(Survival::kRandom, seed);
    const std::string bytes = Read(path).value_or("");
    EXPECT_THAT(bytes, StartsWith("a")) << "synced bytes never suffer";
    EXPECT_EQ(bytes.find_first_not_of(std::string_view("ab\0", 3)), std::string::npos);
    sizes.insert(bytes.size());
    hole |= bytes.find('\0') != std::string::npos;
  }
  EXPECT_THAT(sizes, IsSupersetOf({size_t{1}, 2 * kPage + 1}));
  EXPECT_GT(sizes.size(), 10u);
  EXPECT_TRUE(hole);
}

TEST_F(MemoryFileSystemTest, RandomSurvivalOfNamesIsIndependent) {
  std::set<std::vector<std::string>> survivors;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::string directory = StrCat("/directory", seed);
    ASSERT_EQ(fs_.CreateDirectory(directory), absl::OkStatus());
    ASSERT_EQ(fs_.SyncDirectory("/"), absl::OkStatus());
    Create(directory + "/removed");
    ASSERT_EQ(fs_.SyncDirectory(directory), absl::OkStatus());
    Create(directory + "/created");
    ASSERT_EQ(fs_.Remove(directory + "/removed"), absl::OkStatus());
    fs_.PowerUp(Survival::kRandom, seed);
    survivors.insert(List(directory));
  }
  EXPECT_THAT(survivors, UnorderedElementsAre(ElementsAre("created", "removed"), IsEmpty(),
                                              ElementsAre("created"), ElementsAre("removed")));
}

TEST_F(MemoryFileSystemTest, ARenameIsAtomicOverAPowerCut) {
  std::set<std::string> survivors;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    CreateDurably(StrCat("/old", seed), "old");
    const auto file = Create(StrCat("/new", seed));
    ASSERT_EQ(file->WriteAt(0, "new"), absl::OkStatus());
    ASSERT_EQ(file->Sync(), absl::OkStatus());
    ASSERT_EQ(fs_.Rename(StrCat("/new", seed), StrCat("/old", seed)), absl::OkStatus());
    fs_.PowerUp(Survival::kRandom, seed);
    survivors.insert(StrCat(Read(StrCat("/old", seed)).value_or("-"), " ",
                            Read(StrCat("/new", seed)).value_or("-")));
  }
  EXPECT_THAT(survivors, UnorderedElementsAre("old -", "old new", "new -"));
}

TEST_F(MemoryFileSystemTest, RandomSurvivalIsRepeatable) {
  const auto survivors = [](uint64_t seed) {
    MemoryFileSystem fs;
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(fs.Create(StrCat("/file", i)).ok());
    fs.PowerUp(Survival::kRandom, seed);
    return fs.List("/").value();
  };
  EXPECT_EQ(survivors(7), survivors(7));
  EXPECT_NE(survivors(7), survivors(8));
}

TEST_F(MemoryFileSystemTest, TheCutComesAfterSoManyMutatingCalls) {
  CreateDurably("/file", "x");
  const uint64_t before = fs_.mutating_calls();
  EXPECT_EQ(before, 4u) << "create, write, sync, directory sync";
  fs_.CutPowerAfter(2);
  const auto file = fs_.OpenForWrite("/file").value();
  EXPECT_EQ(file->WriteAt(0, "1"), absl::OkStatus());
  EXPECT_EQ(Read("/file"), "1") << "reading is not a cut point";
  EXPECT_EQ(file->WriteAt(0, "2"), absl::OkStatus());
  EXPECT_TRUE(fs_.powered());
  const absl::Status cut = file->WriteAt(0, "3");
  EXPECT_TRUE(absl::IsUnavailable(cut)) << cut;
  EXPECT_THAT(std::string(cut.message()), HasSubstr("power cut"));
  EXPECT_FALSE(fs_.powered());
  EXPECT_EQ(fs_.mutating_calls(), before + 2);
  EXPECT_TRUE(absl::IsUnavailable(file->Sync()));
  EXPECT_TRUE(absl::IsUnavailable(fs_.List("/").status()));
  EXPECT_TRUE(absl::IsUnavailable(fs_.Stat("/file").status()));
  EXPECT_TRUE(absl::IsUnavailable(fs_.OpenForRead("/file").status()));
  EXPECT_TRUE(absl::IsUnavailable(fs_.Lock("/LOCK").status()));
  fs_.PowerUp(Survival::kEverything);
  EXPECT_EQ(Read("/file"), "2");
}

TEST_F(MemoryFileSystemTest, EveryMutatingCallIsACutPoint) {
  CreateDurably("/file", "x");
  ASSERT_EQ(fs_.CreateDirectory("/directory"), absl::OkStatus());
  const std::vector<std::function<absl::Status(WritableFile&)>> calls = {
      [&](WritableFile&) { return fs_.Create("/new").status(); },
      [&](WritableFile& file) { return file.WriteAt(0, "y"); },
      [&](WritableFile& file) { return file.Reserve(100); },
      [&](WritableFile& file) { return file.Truncate(0); },
      [&](WritableFile& file) { return file.Sync(); },
      [&](WritableFile&) { return fs_.Remove("/file"); },
      [&](WritableFile&) { return fs_.Rename("/file", "/other"); },
      [&](WritableFile&) { return fs_.CreateDirectory("/new"); },
      [&](WritableFile&) { return fs_.RemoveDirectory("/directory"); },
      [&](WritableFile&) { return fs_.SyncDirectory("/"); },
  };
  for (size_t i = 0; i < calls.size(); ++i) {
    const auto file = fs_.OpenForWrite("/file").value();
    fs_.CutPowerAfter(0);
    EXPECT_TRUE(absl::IsUnavailable(calls[i](*file))) << i;
    EXPECT_FALSE(fs_.powered()) << i;
    fs_.PowerUp(Survival::kEverything);
    EXPECT_THAT(List("/"), ElementsAre("directory", "file")) << i;
    EXPECT_EQ(Read("/file"), "x") << i;
  }
}

TEST_F(MemoryFileSystemTest, TheWriteAtTheCutMayBeTorn) {
  const auto file = Create("/file");
  fs_.CutPowerAfter(0, Tear::kHalf);
  EXPECT_TRUE(absl::IsUnavailable(file->WriteAt(0, "firstlost!")));
  fs_.PowerUp(Survival::kEverything);
  EXPECT_EQ(Read("/file"), "first");
}

TEST_F(MemoryFileSystemTest, FilesAndLocksFromBeforeTheCutAreDead) {
  CreateDurably("/file", "x");
  const auto writer = fs_.OpenForWrite("/file").value();
  const auto reader = fs_.OpenForRead("/file").value();
  auto lock = fs_.Lock("/LOCK").value();
  fs_.PowerUp(Survival::kOnlySynced);
  ASSERT_EQ(fs_.OpenForWrite("/file").value()->WriteAt(0, "y"), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(writer->WriteAt(0, "z")));
  EXPECT_TRUE(absl::IsUnavailable(writer->Sync()));
  EXPECT_TRUE(absl::IsUnavailable(reader->Stat().status()));
  EXPECT_EQ(Read("/file"), "y");
  const auto again = fs_.Lock("/LOCK");
  EXPECT_TRUE(again.ok()) << again.status();
  lock.reset();
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_.Lock("/LOCK").status()))
      << "a dead lock must not release the new one";
}

TEST_F(MemoryFileSystemTest, AFaultHitsTheNthCallOfItsKindAndPath) {
  fs_.Inject({.call = FileCall::kCreate,
              .status = absl::ResourceExhaustedError("no descriptors"),
              .nth = 2,
              .path = Under("/blobs")});
  ASSERT_EQ(fs_.CreateDirectory("/blobs"), absl::OkStatus());
  EXPECT_TRUE(fs_.Create("/blobs/1").ok());
  EXPECT_TRUE(fs_.Create("/blobsnot").ok());
  EXPECT_EQ(fs_.Create("/blobs/2").status(), absl::ResourceExhaustedError("no descriptors"));
  EXPECT_TRUE(fs_.Create("/blobs/2").ok());
}

TEST_F(MemoryFileSystemTest, ARepeatingFaultStaysUntilCleared) {
  const auto file = Create("/file");
  fs_.Inject(
      {.call = FileCall::kWrite, .status = absl::UnavailableError("broken"), .repeats = true});
  EXPECT_TRUE(absl::IsUnavailable(file->WriteAt(0, "x")));
  EXPECT_TRUE(absl::IsUnavailable(file->WriteAt(0, "x")));
  fs_.ClearFaults();
  EXPECT_EQ(file->WriteAt(0, "x"), absl::OkStatus());
}

// The trap of a failed sync: the second one answers OK and the bytes are lost all the same.
TEST_F(MemoryFileSystemTest, AFailedSyncLosesThePagesForGood) {
  const auto file = Create("/file");
  ASSERT_EQ(fs_.SyncDirectory("/"), absl::OkStatus());
  ASSERT_EQ(file->WriteAt(0, std::string(kPage, 'x')), absl::OkStatus());
  fs_.Inject({.call = FileCall::kSync, .status = absl::UnavailableError("EIO")});
  EXPECT_TRUE(absl::IsUnavailable(file->Sync()));
  EXPECT_EQ(Read("/file"), std::string(kPage, 'x')) << "the page cache still has them";
  ASSERT_EQ(file->WriteAt(kPage, "later"), absl::OkStatus());
  EXPECT_EQ(file->Sync(), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/file"), std::string(kPage, '\0') + "later");
}

TEST_F(MemoryFileSystemTest, ALyingFileSyncMakesNothingDurable) {
  fs_.IgnoreFileSyncs([](const std::string& path) { return path == "/liar"; });
  CreateDurably("/liar", "lost");
  CreateDurably("/honest", "kept");
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/liar"), "");
  EXPECT_EQ(Read("/honest"), "kept");
}

TEST_F(MemoryFileSystemTest, ALyingDirectorySyncMakesNothingDurable) {
  ASSERT_EQ(fs_.CreateDirectory("/directory"), absl::OkStatus());
  fs_.IgnoreDirectorySyncs(Under("/directory"));
  CreateDurably("/honest", "kept");
  const auto file = Create("/directory/file");
  ASSERT_EQ(fs_.SyncDirectory("/directory"), absl::OkStatus());
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(Read("/honest"), "kept");
  EXPECT_THAT(List("/directory"), IsEmpty());
}

TEST_F(MemoryFileSystemTest, TheDiskRunsFullAndRecovers) {
  fs_.SetCapacity(4 * kPage);
  auto file = Create("/file");
  ASSERT_EQ(file->WriteAt(0, std::string(kPage + 1, 'x')), absl::OkStatus());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 2 * kPage);
  EXPECT_TRUE(absl::IsResourceExhausted(file->WriteAt(2 * kPage, std::string(3 * kPage, 'y'))));
  EXPECT_EQ(fs_.FreeBytes("/").value(), 0u) << "what fitted was written";
  EXPECT_EQ(file->WriteAt(0, "rewriting needs no room"), absl::OkStatus());
  const auto reader = fs_.OpenForRead("/file").value();
  file.reset();
  ASSERT_EQ(fs_.Remove("/file"), absl::OkStatus());
  EXPECT_EQ(fs_.FreeBytes("/").value(), 0u) << "it is still open";
}

TEST_F(MemoryFileSystemTest, RoomComesBackWithTheLastHandle) {
  fs_.SetCapacity(4 * kPage);
  CreateDurably("/file", std::string(2 * kPage, 'x'));
  auto reader = fs_.OpenForRead("/file").value();
  ASSERT_EQ(fs_.Remove("/file"), absl::OkStatus());
  EXPECT_EQ(fs_.used_bytes(), 2 * kPage);
  reader.reset();
  EXPECT_EQ(fs_.used_bytes(), 0u);
  fs_.PowerUp(Survival::kOnlySynced);
  EXPECT_EQ(fs_.used_bytes(), 2 * kPage) << "the removal was not durable";
}

TEST_F(MemoryFileSystemTest, ReservationsCount) {
  fs_.SetCapacity(4 * kPage);
  const auto file = Create("/file");
  EXPECT_TRUE(absl::IsResourceExhausted(file->Reserve(5 * kPage)));
  EXPECT_EQ(fs_.used_bytes(), 0u);
  EXPECT_EQ(file->Reserve(3 * kPage), absl::OkStatus());
  EXPECT_EQ(fs_.FreeBytes("/").value(), kPage);
  const auto other = Create("/other");
  EXPECT_TRUE(absl::IsResourceExhausted(other->WriteAt(0, std::string(2 * kPage, 'x'))));
  EXPECT_EQ(file->WriteAt(0, std::string(3 * kPage, 'x')), absl::OkStatus());
  EXPECT_EQ(file->Truncate(1), absl::OkStatus());
  EXPECT_EQ(fs_.used_bytes(), 2 * kPage);
}

TEST_F(MemoryFileSystemTest, CountsCallsAndBytesByPath) {
  ASSERT_EQ(fs_.CreateDirectory("/blobs"), absl::OkStatus());
  CreateDurably("/blobs/1", "12345");
  CreateDurably("/index", "123");
  EXPECT_EQ(Read("blobs//./1"), "12345");
  const FileCounters blobs = fs_.Counters(Under("/blobs"));
  EXPECT_EQ(blobs.bytes_written, 5u);
  EXPECT_EQ(blobs.bytes_read, 5u);
  EXPECT_EQ(blobs.Calls(FileCall::kSync), 1u);
  const FileCounters all = fs_.Counters();
  EXPECT_EQ(all.bytes_written, 8u);
  EXPECT_EQ(all.Calls(FileCall::kSync), 2u);
  EXPECT_EQ(all.Calls(FileCall::kSyncDirectory), 2u);
}

TEST_F(MemoryFileSystemTest, RefusesWhatItDoesNotModel) {
  ASSERT_EQ(fs_.CreateDirectory("/directory"), absl::OkStatus());
  CreateDurably("/file", "x");
  EXPECT_TRUE(absl::IsInvalidArgument(fs_.Rename("/file", "/directory/file")));
  EXPECT_TRUE(absl::IsInvalidArgument(fs_.Stat("/directory/../file").status()));
  EXPECT_THAT(List("/"), Contains("file"));
}

// The loop of the header comment: a file that is acknowledged must be there after every cut.
TEST(PowerCutLoop, WriteSyncSyncDirectoryIsDurableAtEveryCutPoint) {
  uint64_t cut = 0;
  for (bool finished = false; !finished; ++cut) {
    MemoryFileSystem fs;
    fs.CutPowerAfter(cut);
    const bool acknowledged = [&fs] {
      const auto file = fs.Create("/file");
      return file.ok() && (*file)->WriteAt(0, "bytes").ok() && (*file)->Sync().ok() &&
             fs.SyncDirectory("/").ok();
    }();
    finished = fs.powered();
    fs.CutPower();
    fs.PowerUp(Survival::kRandom, cut);
    if (acknowledged) {
      EXPECT_EQ(fs.Stat("/file").value().size_bytes, 5u);
    }
    EXPECT_EQ(acknowledged, finished);
  }
  EXPECT_EQ(cut, 5u) << "four calls, and once without a cut";
}

}  // namespace
}  // namespace varve
