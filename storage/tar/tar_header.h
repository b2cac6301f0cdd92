// A 512-byte block of a tar archive, read as a header of a member. v7, ustar, pax and GNU agree on
// what is needed here: checksum, type, size, modification time. Pure functions; the bytes may be
// any.
#ifndef VARVE_STORAGE_TAR_TAR_HEADER_H_
#define VARVE_STORAGE_TAR_TAR_HEADER_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace varve {

inline constexpr size_t kTarBlockBytes = 512;

// The times that a field of 12 octal digits can say end before this.
inline constexpr uint64_t kEndOfTarTimes = uint64_t{1} << 36;

struct TarHeader {
  char type = '0';
  // That the size field says, whether or not the type stores so many bytes after the header. 0 when
  // it says nothing that can be: no number, negative, or over 63 bits.
  uint64_t size_bytes = 0;
  // Old GNU sparse: a block with more of the map follows the header.
  bool sparse_map_goes_on = false;
};

bool IsZeroBlock(std::string_view bytes);

// Nothing when the checksum is not right, as sum of unsigned or of signed bytes. `block` has
// kTarBlockBytes.
std::optional<TarHeader> ParseTarHeader(std::string_view block);

// Whether another block of an old GNU sparse map follows `block`, which is one.
bool SparseMapGoesOn(std::string_view block);

// Takes the modification time out of a header, so that headers that differ in it alone become
// equal: the digits of time and checksum become '0', and all other bytes stay. Nothing, and `block`
// as it was, when RestoreTarTime would not give exactly its bytes back: a time or checksum that is
// not octal digits from the first byte of its field on, or a wrong or signed checksum.
std::optional<uint64_t> TakeTarTime(absl::Span<char> block);

// Puts back what TakeTarTime took. DataLoss when it cannot have taken `seconds` from this block.
absl::Status RestoreTarTime(uint64_t seconds, absl::Span<char> block);

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_TAR_HEADER_H_
