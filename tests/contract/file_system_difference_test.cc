// The same random calls on the machine's disk and on the one in memory: every answer must be equal,
// or the crash tests test a disk that does not exist.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "storage/base/file_system.h"
#include "storage/base/str_cat.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

constexpr uint64_t kPlaces = 40'000;  // offsets and sizes: a few pages, and their middles

// Draws calls from a seed and answers each with a line that says what came back.
class RandomCaller {
 public:
  RandomCaller(FileSystem& fs, std::string root, uint64_t seed)
      : fs_(fs), root_(std::move(root)), random_(seed) {}

  std::string NextCall() {
    const uint64_t kind = random_.Below(13);
    const std::string path = SomePath();
    switch (kind) {
      case 0:
      case 1:
        return StrCat("create ", path, ": ", Keep(fs_.Create(root_ + path)));
      case 2:
        return StrCat("open for write ", path, ": ", Keep(fs_.OpenForWrite(root_ + path)));
      case 3:
        // Opening a directory succeeds on Linux, and only reading it fails.
        if (fs_.List(root_ + path).ok()) return "open of a directory";
        return StrCat("open ", path, ": ", Keep(fs_.OpenForRead(root_ + path)));
      case 4:
        return StrCat("remove ", path, ": ", Code(fs_.Remove(root_ + path)));
      case 5:
        return Rename(path);
      case 6:
        return StrCat("mkdir ", path, ": ", Code(fs_.CreateDirectory(root_ + path)));
      case 7:
        return StrCat("list ", path, ": ", List(path));
      case 8:
        return StrCat("sync directory ", path, ": ", Code(fs_.SyncDirectory(root_ + path)));
      case 9:
        return StrCat("close: ", Close());
      default:
        return random_.Below(2) == 0 ? Change() : Read();
    }
  }

 private:
  static std::string Code(const absl::Status& status) {
    return absl::StatusCodeToString(status.code());
  }

  std::string SomePath() {
    const std::string name = StrCat("/", random_.Below(4));
    return random_.Below(3) == 0 ? StrCat("/", random_.Below(4), name) : name;
  }

  template <typename File>
  std::string Keep(absl::StatusOr<std::unique_ptr<File>> file) {
    const std::string code = Code(file.status());
    if (!file.ok()) return code;
    if constexpr (std::is_same_v<File, WritableFile>) {
      writers_.push_back(*std::move(file));
    } else {
      readers_.push_back(*std::move(file));
    }
    return code;
  }

  // Within one directory: the memory disk models no other renames.
  std::string Rename(const std::string& from) {
    const std::string to = StrCat(from.substr(0, from.rfind('/')), "/", random_.Below(4));
    return StrCat("rename ", from, " ", to, ": ", Code(fs_.Rename(root_ + from, root_ + to)));
  }

  std::string List(const std::string& path) {
    absl::StatusOr<std::vector<std::string>> names = fs_.List(root_ + path);
    if (!names.ok()) return Code(names.status());
    std::sort(names->begin(), names->end());
    std::string line;
    for (const std::string& name : *names) line += name + ",";
    return line;
  }

  std::string Close() {
    const uint64_t index = random_.Below(8);
    if (index < writers_.size()) writers_.erase(writers_.begin() + static_cast<int>(index));
    if (index < readers_.size()) readers_.erase(readers_.begin() + static_cast<int>(index));
    return StrCat(writers_.size(), " ", readers_.size());
  }

  std::string Change() {
    if (writers_.empty()) return "no writer";
    WritableFile& file = *writers_[random_.Below(writers_.size())];
    const uint64_t place = random_.Below(kPlaces);
    const uint64_t size = random_.Below(kPlaces / 2);
    switch (random_.Below(6)) {
      case 0:
        return StrCat("truncate: ", Code(file.Truncate(place)));
      case 1:
        return StrCat("reserve: ", Code(file.Reserve(place)));
      case 2:
        return StrCat("sync: ", Code(file.Sync()));
      default: {
        const char fill = static_cast<char>('a' + random_.Below(26));
        return StrCat("write: ", Code(file.WriteAt(place, std::string(size, fill))));
      }
    }
  }

  std::string Read() {
    if (readers_.empty()) return "no reader";
    const ReadableFile& file = *readers_[random_.Below(readers_.size())];
    std::string bytes(random_.Below(kPlaces), '?');
    const auto count = file.ReadAt(random_.Below(kPlaces), absl::MakeSpan(bytes));
    bytes.resize(count.value_or(0));
    return StrCat("read of ", file.Stat().value().size_bytes, ": ", bytes);
  }

  FileSystem& fs_;
  const std::string root_;
  SeededRandom random_;
  std::vector<std::unique_ptr<WritableFile>> writers_;
  std::vector<std::unique_ptr<ReadableFile>> readers_;
};

TEST(FileSystemDifference, RandomCallsAnswerTheSame) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const TemporaryDirectory directory;
    MemoryFileSystem memory;
    {
      RandomCaller real(PosixFileSystem(), directory.path(), seed);
      RandomCaller modelled(memory, "", seed);
      for (int call = 0; call < 500 && !HasFailure(); ++call) {
        const std::string expected = real.NextCall();
        EXPECT_EQ(modelled.NextCall(), expected) << "seed " << seed << " call " << call;
      }
    }
  }
}

}  // namespace
}  // namespace varve
