// What every FileSystem promises, over the machine's disk and over the one in memory. To add an
// implementation, add a Disk and its name to the instantiation at the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/file_system.h"
#include "storage/base/str_cat.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A file system with an empty directory in it, gone with the object.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual FileSystem& file_system() = 0;
  virtual std::string root() = 0;
};

class MachineDisk final : public Disk {
 public:
  FileSystem& file_system() override { return PosixFileSystem(); }
  std::string root() override { return root_.path(); }

 private:
  const TemporaryDirectory root_;
};

class MemoryDisk final : public Disk {
 public:
  FileSystem& file_system() override { return file_system_; }
  std::string root() override { return "/"; }

 private:
  MemoryFileSystem file_system_;
};

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Disk>()> make;
};

class FileSystemContract : public testing::TestWithParam<Implementation> {
 protected:
  FileSystemContract() : disk_(GetParam().make()), fs_(disk_->file_system()) {}

  std::string Path(const std::string& name) const { return StrCat(disk_->root(), "/", name); }

  void Write(const std::string& name, std::string_view bytes) {
    const auto file = fs_.Create(Path(name));
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->WriteAt(0, bytes), absl::OkStatus());
  }

  static std::string Read(const ReadableFile& file, uint64_t offset, size_t size) {
    std::string bytes(size, '?');
    const absl::StatusOr<size_t> count = file.ReadAt(offset, absl::MakeSpan(bytes));
    EXPECT_TRUE(count.ok()) << count.status();
    bytes.resize(count.value_or(0));
    return bytes;
  }
  std::string Read(const std::string& name) {
    const auto file = fs_.OpenForRead(Path(name));
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? Read(**file, 0, 1 << 20) : "";
  }

  FileStat Stat(const std::string& name) {
    const absl::StatusOr<FileStat> stat = fs_.Stat(Path(name));
    EXPECT_TRUE(stat.ok()) << stat.status();
    return stat.value_or(FileStat{});
  }

  const std::unique_ptr<Disk> disk_;
  FileSystem& fs_;
};

TEST_P(FileSystemContract, CreateRefusesAnExistingName) {
  Write("file", "first");
  EXPECT_TRUE(absl::IsAlreadyExists(fs_.Create(Path("file")).status()));
  EXPECT_EQ(Read("file"), "first");
}

TEST_P(FileSystemContract, OpenForWriteKeepsTheBytes) {
  Write("file", "abcdef");
  const auto file = fs_.OpenForWrite(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->WriteAt(2, "XY"), absl::OkStatus());
  EXPECT_EQ(Read("file"), "abXYef");
  EXPECT_TRUE(absl::IsNotFound(fs_.OpenForWrite(Path("missing")).status()));
}

TEST_P(FileSystemContract, BypassingThePageCacheChangesNoBytes) {
  constexpr size_t kBlock = 4096;
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  const std::unique_ptr<char, void (*)(void*)> memory(
      static_cast<char*>(std::aligned_alloc(kBlock, 4 * kBlock)), &std::free);
  const auto part = [&](char fill, size_t size) {
    std::fill_n(memory.get(), size, fill);
    return std::string_view(memory.get(), size);
  };
  ASSERT_EQ((*file)->WriteAt(0, part('a', 100)), absl::OkStatus());
  (*file)->BypassPageCache();
  (*file)->BypassPageCache();
  ASSERT_EQ((*file)->Reserve(8 * kBlock), absl::OkStatus());
  ASSERT_EQ((*file)->WriteAt(kBlock, part('b', 2 * kBlock)), absl::OkStatus());
  ASSERT_EQ((*file)->WriteAt(3 * kBlock, part('c', 10)), absl::OkStatus());      // not whole blocks
  ASSERT_EQ((*file)->WriteAt(3 * kBlock, part('d', kBlock)), absl::OkStatus());  // over them
  ASSERT_EQ((*file)->WriteAt(kBlock - 1, part('e', 2)), absl::OkStatus());
  ASSERT_EQ((*file)->Sync(), absl::OkStatus());
  const std::string whole = std::string(100, 'a') + std::string(kBlock - 101, '\0') + "ee" +
                            std::string(2 * kBlock - 1, 'b') + std::string(kBlock, 'd');
  EXPECT_EQ(Read("file"), whole);
  EXPECT_EQ(Stat("file").size_bytes, whole.size());
}

TEST_P(FileSystemContract, WritesExtendAndLeaveHolesOfZeros) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->WriteAt(100'000, "end"), absl::OkStatus());
  ASSERT_EQ((*file)->WriteAt(4094, "across"), absl::OkStatus());
  ASSERT_EQ((*file)->WriteAt(0, ""), absl::OkStatus());
  std::string expected(100'003, '\0');
  expected.replace(4094, 6, "across").replace(100'000, 3, "end");
  EXPECT_EQ(Read("file"), expected);
  EXPECT_EQ(Stat("file").size_bytes, expected.size());
}

TEST_P(FileSystemContract, AnEmptyWriteExtendsNothing) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->WriteAt(1000, ""), absl::OkStatus());
  EXPECT_EQ(Stat("file").size_bytes, 0u);
}

TEST_P(FileSystemContract, ReadsAreShortOnlyAtTheEnd) {
  Write("file", "0123456789");
  const auto file = fs_.OpenForRead(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Read(**file, 3, 4), "3456");
  EXPECT_EQ(Read(**file, 8, 100), "89");
  EXPECT_EQ(Read(**file, 10, 100), "");
  EXPECT_EQ(Read(**file, 1'000'000, 100), "");
  EXPECT_EQ(Read(**file, 5, 0), "");
}

TEST_P(FileSystemContract, ReadersSeeWhatIsWrittenAfterTheyOpened) {
  const auto writer = fs_.Create(Path("file"));
  ASSERT_TRUE(writer.ok()) << writer.status();
  const auto reader = fs_.OpenForRead(Path("file"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(Read(**reader, 0, 10), "");
  ASSERT_EQ((*writer)->WriteAt(0, "grown"), absl::OkStatus());
  EXPECT_EQ(Read(**reader, 0, 10), "grown");
  EXPECT_EQ((*reader)->Stat().value().size_bytes, 5u);
}

TEST_P(FileSystemContract, TruncateCutsAndExtendsWithZeros) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->WriteAt(0, std::string(10'000, 'x')), absl::OkStatus());
  ASSERT_EQ((*file)->Truncate(5), absl::OkStatus());
  EXPECT_EQ(Read("file"), "xxxxx");
  ASSERT_EQ((*file)->Truncate(9000), absl::OkStatus());
  EXPECT_EQ(Read("file"), "xxxxx" + std::string(8995, '\0'));
}

TEST_P(FileSystemContract, ReserveTakesRoomAndKeepsTheSize) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->Reserve(0), absl::OkStatus());
  ASSERT_EQ((*file)->Reserve(1 << 20), absl::OkStatus());
  EXPECT_EQ(Stat("file").size_bytes, 0u);
  if (Stat("file").allocated_bytes == 0) GTEST_SKIP() << "this disk cannot reserve";
  EXPECT_GE(Stat("file").allocated_bytes, uint64_t{1} << 20);
  ASSERT_EQ((*file)->WriteAt(0, std::string(10'000, 'x')), absl::OkStatus());
  EXPECT_GE(Stat("file").allocated_bytes, uint64_t{1} << 20);
}

// The room of a reservation that the upload did not need comes back at its commit, at which the
// file has its size already.
TEST_P(FileSystemContract, TruncateToTheSizeGivesReservedRoomBack) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->Reserve(1 << 20), absl::OkStatus());
  ASSERT_EQ((*file)->WriteAt(0, std::string(10'000, 'x')), absl::OkStatus());
  ASSERT_EQ((*file)->Truncate(10'000), absl::OkStatus());
  ASSERT_EQ((*file)->Sync(), absl::OkStatus());
  EXPECT_EQ(Read("file"), std::string(10'000, 'x'));
  EXPECT_LT(Stat("file").allocated_bytes, uint64_t{1} << 19);
  EXPECT_GE(Stat("file").allocated_bytes, 10'000u);
}

TEST_P(FileSystemContract, ReservingMoreThanThereIsFailsAndTakesNothing) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  const uint64_t free = fs_.FreeBytes(disk_->root()).value();
  const absl::Status status = (*file)->Reserve(free + free / 2);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(Stat("file").allocated_bytes, 0u);
}

TEST_P(FileSystemContract, AbsurdOffsetsAreErrorsAndChangeNothing) {
  constexpr uint64_t kAbsurd = std::numeric_limits<uint64_t>::max();
  Write("file", "bytes");
  const auto file = fs_.OpenForWrite(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE((*file)->WriteAt(kAbsurd - 1, "abc").ok());
  EXPECT_FALSE((*file)->WriteAt(kAbsurd / 2 - 1, "abc").ok());
  EXPECT_FALSE((*file)->Truncate(kAbsurd).ok());
  EXPECT_FALSE((*file)->Reserve(kAbsurd).ok());
  EXPECT_EQ(Read("file"), "bytes");
  const auto reader = fs_.OpenForRead(Path("file"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(Read(**reader, kAbsurd - 1, 10), "");
}

TEST_P(FileSystemContract, SyncsSucceed) {
  const auto file = fs_.Create(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->WriteAt(0, "bytes"), absl::OkStatus());
  (*file)->StartWriteback({.offset_bytes = 0, .length_bytes = 5});
  (*file)->StartWriteback({.offset_bytes = 0, .length_bytes = 0});
  EXPECT_EQ((*file)->Sync(), absl::OkStatus());
  EXPECT_EQ(fs_.SyncDirectory(disk_->root()), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(fs_.SyncDirectory(Path("missing"))));
  EXPECT_FALSE(fs_.SyncDirectory(Path("file")).ok());
}

TEST_P(FileSystemContract, StatSaysNotFound) {
  const absl::Status status = fs_.Stat(Path("missing")).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing"));
}

TEST_P(FileSystemContract, RemovedFilesStayReadableWhereTheyAreOpen) {
  Write("file", "pinned");
  const auto reader = fs_.OpenForRead(Path("file"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ(fs_.Remove(Path("file")), absl::OkStatus());
  EXPECT_EQ(Read(**reader, 0, 100), "pinned");
  EXPECT_TRUE(absl::IsNotFound(fs_.OpenForRead(Path("file")).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_.Remove(Path("file"))));
  Write("file", "another");
  EXPECT_EQ(Read(**reader, 0, 100), "pinned");
}

TEST_P(FileSystemContract, RemoveRefusesADirectory) {
  ASSERT_EQ(fs_.CreateDirectory(Path("directory")), absl::OkStatus());
  EXPECT_FALSE(fs_.Remove(Path("directory")).ok());
  EXPECT_TRUE(fs_.List(Path("directory")).ok());
}

TEST_P(FileSystemContract, RenameReplaces) {
  Write("new", "new bytes");
  Write("old", "old bytes");
  const auto reader = fs_.OpenForRead(Path("old"));
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ(fs_.Rename(Path("new"), Path("old")), absl::OkStatus());
  EXPECT_EQ(Read("old"), "new bytes");
  EXPECT_EQ(Read(**reader, 0, 100), "old bytes");
  EXPECT_TRUE(absl::IsNotFound(fs_.Stat(Path("new")).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_.Rename(Path("new"), Path("old"))));
}

TEST_P(FileSystemContract, DirectoriesListTheirEntries) {
  ASSERT_EQ(fs_.CreateDirectory(Path("directory")), absl::OkStatus());
  EXPECT_THAT(fs_.List(Path("directory")).value(), IsEmpty());
  Write("directory/file", "x");
  ASSERT_EQ(fs_.CreateDirectory(Path("directory/inner")), absl::OkStatus());
  EXPECT_THAT(fs_.List(Path("directory")).value(), UnorderedElementsAre("file", "inner"));
  EXPECT_EQ(fs_.CreateDirectory(Path("directory")), absl::OkStatus()) << "it is there already";
  EXPECT_THAT(fs_.List(Path("directory")).value(), UnorderedElementsAre("file", "inner"));
}

TEST_P(FileSystemContract, OnlyAnEmptyDirectoryIsRemoved) {
  EXPECT_TRUE(absl::IsNotFound(fs_.RemoveDirectory(Path("directory"))));
  ASSERT_EQ(fs_.CreateDirectory(Path("directory")), absl::OkStatus());
  Write("directory/file", "x");
  EXPECT_EQ(fs_.RemoveDirectory(Path("directory")).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Read("directory/file"), "x");
  EXPECT_FALSE(fs_.RemoveDirectory(Path("directory/file")).ok());
  ASSERT_EQ(fs_.Remove(Path("directory/file")), absl::OkStatus());
  EXPECT_EQ(fs_.RemoveDirectory(Path("directory")), absl::OkStatus());
  EXPECT_TRUE(absl::IsNotFound(fs_.List(Path("directory")).status()));
}

TEST_P(FileSystemContract, DirectoriesNeedTheirParent) {
  EXPECT_TRUE(absl::IsNotFound(fs_.CreateDirectory(Path("missing/inner"))));
  EXPECT_TRUE(absl::IsNotFound(fs_.Create(Path("missing/file")).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_.List(Path("missing")).status()));
  Write("file", "x");
  EXPECT_TRUE(absl::IsAlreadyExists(fs_.CreateDirectory(Path("file"))));
  EXPECT_FALSE(fs_.List(Path("file")).ok());
}

TEST_P(FileSystemContract, FreeBytesIsOfTheDiskThatHoldsThePath) {
  const absl::StatusOr<uint64_t> free = fs_.FreeBytes(disk_->root());
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_GT(*free, 0u);
  EXPECT_TRUE(absl::IsNotFound(fs_.FreeBytes(Path("missing")).status()));
}

TEST_P(FileSystemContract, TotalBytesIsOfTheDiskThatHoldsThePath) {
  const absl::StatusOr<uint64_t> total = fs_.TotalBytes(disk_->root());
  ASSERT_TRUE(total.ok()) << total.status();
  EXPECT_GE(*total, fs_.FreeBytes(disk_->root()).value());
  EXPECT_TRUE(absl::IsNotFound(fs_.TotalBytes(Path("missing")).status()));
}

TEST_P(FileSystemContract, ASecondLockNamesTheHolder) {
  auto first = fs_.Lock(Path("LOCK"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(Read("LOCK"), StrCat(getpid(), "\n"));
  const absl::Status second = fs_.Lock(Path("LOCK")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()),
              AllOf(HasSubstr(disk_->root()), HasSubstr(StrCat("by process ", getpid(), ";")),
                    HasSubstr("stop it first, or choose another --data-dir")));
  first->reset();
  EXPECT_TRUE(fs_.Lock(Path("LOCK")).ok());
}

TEST_P(FileSystemContract, ManyThreadsReadOneFile) {
  Write("file", std::string(50'000, 'a') + std::string(50'000, 'b'));
  const auto file = fs_.OpenForRead(Path("file"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, &file, i] {
      for (int round = 0; round < 50; ++round) {
        EXPECT_EQ(Read(**file, 49'999, 2), "ab");
        const std::string name = StrCat("thread", i, "round", round);
        Write(name, name);
        EXPECT_EQ(Read(name), name);
        EXPECT_EQ(fs_.Remove(Path(name)), absl::OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(fs_.List(disk_->root()).value(), UnorderedElementsAre("file"));
}

INSTANTIATE_TEST_SUITE_P(
    All, FileSystemContract,
    testing::Values(Implementation{"Posix", [] { return std::unique_ptr<Disk>(new MachineDisk); }},
                    Implementation{"Memory", [] { return std::unique_ptr<Disk>(new MemoryDisk); }}),
    [](const testing::TestParamInfo<Implementation>& param) { return param.param.name; });

// What only a real disk can show.
TEST(PosixFileSystemTest, FilesHaveTheStoresModesAndADescriptor) {
  MachineDisk disk;
  FileSystem& fs = PosixFileSystem();
  ASSERT_EQ(fs.CreateDirectory(disk.root() + "/directory"), absl::OkStatus());
  ASSERT_TRUE(fs.Create(disk.root() + "/directory/file").ok());
  using std::filesystem::perms;
  const perms world = perms::others_all;
  EXPECT_EQ(std::filesystem::status(disk.root() + "/directory").permissions() & world, perms::none);
  EXPECT_EQ(std::filesystem::status(disk.root() + "/directory/file").permissions() & world,
            perms::none);
  const auto reader = fs.OpenForRead(disk.root() + "/directory/file");
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_GE((*reader)->descriptor(), 0);
}

TEST(PosixFileSystemTest, AFullDeviceIsResourceExhausted) {
  char directory[] = "/tmp/vfullXXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  if (mount("varve-test", directory, "tmpfs", 0, "size=64k") != 0) {
    rmdir(directory);
    GTEST_SKIP() << "only root may mount a small file system";
  }
  {
    const auto file = PosixFileSystem().Create(StrCat(directory, "/file"));
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::Status status = (*file)->WriteAt(0, std::string(100'000, 'x'));
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the disk is full"));
  }
  EXPECT_EQ(umount(directory), 0);
  EXPECT_EQ(rmdir(directory), 0);
}

// A write that the kernel takes only a part of goes on, and fails with the reason for the rest.
TEST(PosixFileSystemTest, AShortWriteGoesOn) {
  MachineDisk disk;
  const auto file = PosixFileSystem().Create(disk.root() + "/file");
  ASSERT_TRUE(file.ok()) << file.status();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = before;
  tight.rlim_cur = 1000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const absl::Status status = (*file)->WriteAt(0, std::string(1500, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("too large"));
  EXPECT_EQ(PosixFileSystem().Stat(disk.root() + "/file").value().size_bytes, 1000u);
}

TEST(PosixFileSystemTest, ALockFileWithoutAPidStillConflicts) {
  MachineDisk disk;
  const auto held = PosixFileSystem().Lock(disk.root() + "/LOCK");
  ASSERT_TRUE(held.ok()) << held.status();
  std::filesystem::resize_file(disk.root() + "/LOCK", 0);
  const absl::Status second = PosixFileSystem().Lock(disk.root() + "/LOCK").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("in use by another process"));
}

}  // namespace
}  // namespace varve
