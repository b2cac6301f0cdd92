// Random archives in every dialect, then mutated: whatever comes out, splitting and joining give it
// back, and the pieces it comes in make no difference. A failure prints its seed.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "storage/base/str_cat.h"
#include "tests/storage/tar/archive_builder.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

class RandomArchive {
 public:
  explicit RandomArchive(uint32_t seed) : random_(seed) {}

  size_t Below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random_); }
  bool OneIn(size_t n) { return Below(n) == 0; }

  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    if (OneIn(4)) return bytes;
    for (char& byte : bytes) byte = static_cast<char>(Below(256));
    return bytes;
  }

  // Sizes around every threshold.
  size_t Size() {
    constexpr size_t kSizes[] = {0, 1, 510, 511, 512, 513, 1023, 1024, 1025, 5'000, 70'000};
    return OneIn(2) ? kSizes[Below(std::size(kSizes))] : Below(3'000);
  }

  MemberHeader Member() {
    constexpr char kTypes[] = {'0', '0', '0', '\0', '7', '1', '2', '5', 'S', 'V', 'M', 'D', 'Z'};
    return {.dialect = static_cast<Dialect>(Below(3)),
            .type = kTypes[Below(std::size(kTypes))],
            .name = OneIn(3) ? "caf\xc3\xa9" : "file",
            .seconds = OneIn(3) ? Below(uint64_t{1} << 33) : 1'700'000'000,
            .base256_size = OneIn(5),
            .signed_checksum = OneIn(4)};
  }

  std::string Piece() {
    const std::string content = Bytes(Size());
    switch (Below(12)) {
      case 0:
        return LongName(Bytes(Size()), OneIn(2) ? 'L' : 'K');
      case 1:
        return PaxHeader({{"path", Bytes(Size())}, {"mtime", "1700000000.5"}},
                         OneIn(3) ? 'g' : 'x');
      case 2: {
        const std::string size = StrCat(OneIn(3) ? Below(100'000) : content.size());
        return StrCat(PaxHeader({{"size", size}}), Header({.size_bytes = 3}), content,
                      Padding(content.size()));
      }
      case 3:
        return OldSparseFile(content, static_cast<int>(Below(4)));
      case 4:
        return PaxSparseFile(content, static_cast<int>(Below(120)));
      case 5:
        return std::string(512 * Below(5), '\0');
      case 6: {
        MemberHeader lying = Member();
        lying.size_bytes = OneIn(2) ? Below(100'000) : uint64_t{1} << Below(63);
        lying.base256_size = true;
        return StrCat(Header(lying), content, Padding(content.size()));
      }
      case 7:
        return OneIn(4) ? content : "";  // garbage
      default:
        return File(content, Member());
    }
  }

  std::string Whole() {
    std::string archive;
    for (size_t members = Below(12); members > 0; --members) archive += Piece();
    return OneIn(3) ? archive : archive + EndOfArchive();
  }

  // Flips, cuts, inserts.
  void Mutate(std::string* archive) {
    if (archive->empty()) return;
    const size_t at = Below(archive->size());
    switch (Below(5)) {
      case 0:
        (*archive)[at] = static_cast<char>(Below(256));
        break;
      case 1:
        archive->resize(at);
        break;
      case 2:
        archive->erase(at, Below(1'500));
        break;
      case 3:
        archive->insert(at, Bytes(Below(1'500)));
        break;
      default:  // in a field of a header, where it matters
        (*archive)[std::min(archive->size() - 1, at / 512 * 512 + 100 + Below(160))] ^=
            static_cast<char>(1 << Below(8));
    }
  }

 private:
  std::mt19937 random_;
};

void ExpectLossless(RandomArchive& random, std::string_view archive) {
  const absl::StatusOr<ArchiveParts> whole = SplitArchive(archive);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const size_t max_piece = random.OneIn(2) ? 700 : 20'000;
  const absl::StatusOr<ArchiveParts> pieces =
      SplitArchive(archive, [&] { return 1 + random.Below(max_piece); });
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  ASSERT_TRUE(*whole == *pieces);
  const JoinOptions pieces_of_any_size{.piece_bytes = 1 + random.Below(3'000)};
  const absl::StatusOr<std::string> joined = JoinArchive(*whole, pieces_of_any_size);
  ASSERT_TRUE(joined.ok()) << joined.status();
  ASSERT_TRUE(*joined == archive);
  const size_t place = random.Below(archive.size() + 1);
  const absl::StatusOr<std::string> rest = JoinArchive(*whole, {.skipped_bytes = place});
  ASSERT_TRUE(rest.ok()) << rest.status();
  ASSERT_TRUE(*rest == archive.substr(place)) << place;
}

TEST(RandomArchivesTest, AreGivenBackExactlyHoweverTheyAreMutated) {
  int tars = 0;
  for (uint32_t seed = 0; seed < 1'000; ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    RandomArchive random(seed);
    std::string archive = random.Whole();
    ExpectLossless(random, archive);
    for (size_t mutations = random.Below(6); mutations > 0; --mutations) {
      random.Mutate(&archive);
      ExpectLossless(random, archive);
    }
    if (::testing::Test::HasFatalFailure()) return;
    tars += SplitArchive(archive)->is_tar ? 1 : 0;
  }
  EXPECT_GT(tars, 700);  // else they test little
}

// Whatever part of what was stored is damaged, joining ends, and says so or gives other bytes.
TEST(RandomArchivesTest, DamagedPartsAreAnErrorOrOtherBytes) {
  int errors = 0;
  for (uint32_t seed = 0; seed < 1'000; ++seed) {
    SCOPED_TRACE(StrCat("seed ", seed));
    RandomArchive random(seed);
    const std::string archive = random.Whole();
    ArchiveParts parts = SplitArchive(archive).value();
    std::string* const damaged[] = {&parts.operations, &parts.times, &parts.skeleton};
    std::string* const part = damaged[random.Below(3)];
    const std::string before = *part;
    random.Mutate(part);
    const absl::StatusOr<std::string> joined = JoinArchive(parts, {.max_bytes = 4'000'000});
    if (*part == before) {
      ASSERT_TRUE(joined.ok() && *joined == archive);
    } else if (joined.ok()) {
      ASSERT_NE(*joined, archive);
    } else {
      ++errors;
      ASSERT_TRUE(absl::IsDataLoss(joined.status()) || absl::IsFailedPrecondition(joined.status()));
    }
  }
  EXPECT_GT(errors, 300);
}

}  // namespace
}  // namespace varve
