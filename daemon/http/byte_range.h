// What a Range header asks of a blob, and how several parts of it are put into one answer. Pure
// functions over untrusted text; thread-safe; memory in proportion to the input.
#ifndef VARVE_DAEMON_HTTP_BYTE_RANGE_H_
#define VARVE_DAEMON_HTTP_BYTE_RANGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/file_system.h"

namespace varve {

// What podman asks for at once when it fetches the missing chunks of a layer. Their text, of 40
// bytes each in a blob of terabytes, fits into a request header.
inline constexpr size_t kMaxRanges = 1024;

enum class RangeKind {
  kWhole,
  kParts,
  kUnsatisfiable,  // no range has a byte of the blob
  kTooMany,        // more than kMaxRanges
  kTooLong,        // they overlap so much that they are longer than the blob
};
struct ResolvedRange {
  RangeKind kind = RangeKind::kWhole;
  // Of kParts: one or more, in the order asked for, none empty or past the end; together no longer
  // than the blob, so that no header makes an answer longer than the blob is.
  std::vector<Extent> parts;
};

// `header` is the value of Range, or empty. Other units and malformed text ask for the whole blob,
// as RFC 9110 allows; so does every range of an empty blob, which has no other part. Of several
// ranges those that lie outside are left out. Unsatisfiable are "bytes=5-2" and ranges of which
// none is left.
ResolvedRange ResolveRange(std::string_view header, uint64_t size_bytes);

// Value of Content-Range: "bytes <first>-<last>/<size>".
std::string ContentRange(const Extent& part, uint64_t size_bytes);

// The text before one part of multipart/byteranges, and that behind the last one.
std::string PartHead(std::string_view boundary, std::string_view media_type, const Extent& part,
                     uint64_t size_bytes);
std::string PartsEnd(std::string_view boundary);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_BYTE_RANGE_H_
