// The body of an archive: how it is put together from what TarSplitter told. Three streams, each
// written and read in order, in memory that does not depend on them:
//
//   operations  u8 version, operations, end
//   times       of the headers, in order: zigzag varint of the seconds less those of the one before
//   skeleton    the bytes of kSkeleton and kHeaders, as they are
//
//   operation   varint 4 * count + kind, count > 0, never the kind of the operation before
//                 0 kSkeleton  `count` bytes of the skeleton
//                 1 kHeaders   `count` blocks of the skeleton, each with the next time in it
//                 2 kContent   `count` bytes of the contents
//                 3 kZeros     `count` zero bytes
//   end         varint 0, varint of the bytes of the whole archive
//
// A varint is base 128, the lowest bits first, in its shortest form. So equal archives have equal
// bodies, whatever the pieces they came in, and archives that differ in times alone differ in the
// times alone. The contents are not part of the body. A member costs some 6 bytes here, before
// compression.
#ifndef VARVE_STORAGE_TAR_TAR_BODY_H_
#define VARVE_STORAGE_TAR_TAR_BODY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace varve {

struct TarOperation {
  enum class Kind : uint8_t { kSkeleton = 0, kHeaders = 1, kContent = 2, kZeros = 3 };
  Kind kind = Kind::kSkeleton;
  uint64_t count = 0;  // headers of kHeaders, bytes of the others

  // That it adds to the archive.
  uint64_t size_bytes() const;
};

// Fills the front of `out`, which is not empty; returns the bytes filled, 0 only at the end.
using TarStream = std::function<absl::StatusOr<size_t>(absl::Span<char> out)>;

// Writes operations and times; the skeleton is the caller's to keep. One thread.
class TarBodyWriter {
 public:
  TarBodyWriter();

  void Skeleton(uint64_t size_bytes) { Add(TarOperation::Kind::kSkeleton, size_bytes); }
  void Header(uint64_t seconds);  // under kEndOfTarTimes
  void Content(uint64_t size_bytes) { Add(TarOperation::Kind::kContent, size_bytes); }
  void Zeros(uint64_t size_bytes) { Add(TarOperation::Kind::kZeros, size_bytes); }
  // Nothing may be added after it.
  void Finish();

  // What was written since the last call: to be taken often, so that memory stays small.
  std::string TakeOperations() { return std::exchange(operations_, {}); }
  std::string TakeTimes() { return std::exchange(times_, {}); }

 private:
  void Add(TarOperation::Kind kind, uint64_t count);
  void Write();

  std::string operations_;
  std::string times_;
  TarOperation last_;  // still growing
  uint64_t archive_bytes_ = 0;
  uint64_t last_seconds_ = 0;
};

// The varints of a stream, read through a buffer of 4 KiB. One thread.
class VarintReader {
 public:
  VarintReader(TarStream stream, std::string name);

  // DataLoss, naming the stream, when it ends first or has a varint in no shortest form or of more
  // than 64 bits; errors of the stream.
  absl::StatusOr<uint64_t> Varint();
  absl::StatusOr<uint8_t> Byte();
  // Whether nothing follows.
  absl::StatusOr<bool> AtEnd();

 private:
  absl::Status Fill();

  const TarStream stream_;
  const std::string name_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// Reads what TarBodyWriter wrote. One thread.
//
// Errors of all calls: DataLoss for bytes that it never writes, FailedPrecondition for a version
// that this build does not know, errors of the streams.
class TarBodyReader {
 public:
  // An archive over `max_bytes` is DataLoss before anything of that size is made.
  TarBodyReader(TarStream operations, TarStream times, uint64_t max_bytes);

  // Nothing after the last one, when also no time is left.
  absl::StatusOr<std::optional<TarOperation>> Next();
  // The next header's, in seconds.
  absl::StatusOr<uint64_t> NextSeconds();

 private:
  absl::Status ReadVersion();
  absl::Status ReadEnd();

  VarintReader operations_;
  VarintReader times_;
  const uint64_t max_bytes_;
  bool begun_ = false;
  bool ended_ = false;
  std::optional<TarOperation::Kind> last_kind_;
  uint64_t archive_bytes_ = 0;
  uint64_t seconds_ = 0;
};

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_TAR_BODY_H_
