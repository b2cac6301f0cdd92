// Archives built by tests, block by block, in every dialect; also such as no program writes.
#ifndef VARVE_TESTS_STORAGE_TAR_ARCHIVE_BUILDER_H_
#define VARVE_TESTS_STORAGE_TAR_ARCHIVE_BUILDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve {

enum class Dialect { kV7, kUstar, kGnu };

struct MemberHeader {
  Dialect dialect = Dialect::kUstar;
  char type = '0';
  std::string name = "file";
  uint64_t size_bytes = 0;
  uint64_t seconds = 1'700'000'000;
  bool base256_size = false;
  bool signed_checksum = false;
};

// One block with a right checksum.
std::string Header(const MemberHeader& member);
// `block` with the checksum that its bytes have.
std::string WithChecksum(std::string block, bool signed_checksum = false);
// Zeros that fill the last block of `size_bytes`.
std::string Padding(uint64_t size_bytes);

// Header, content and padding.
std::string File(std::string_view content, MemberHeader member = {});
// A pax header, of the type 'x' or 'g', with these records.
std::string PaxHeader(const std::vector<std::pair<std::string, std::string>>& records,
                      char type = 'x');
// GNU: the name of the next member, of the type 'L', or its link target, 'K'.
std::string LongName(std::string_view name, char type = 'L');
// Old GNU: header, `extensions` further blocks of the map, stored bytes and padding.
std::string OldSparseFile(std::string_view stored, int extensions);
// GNU sparse 1.0: pax header, header, map of `pairs` in the data, stored bytes and padding.
std::string PaxSparseFile(std::string_view stored, int pairs);
inline std::string EndOfArchive() { return std::string(1024, '\0'); }

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_TAR_ARCHIVE_BUILDER_H_
