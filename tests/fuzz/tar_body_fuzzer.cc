// Bodies of archives as a disk may give them back. Input: the sizes of operations and times, two
// bytes each, then operations, times and skeleton. What is read is written again as the same bytes;
// joining ends, within its limit.
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "tests/fuzz/invariant.h"
#include "tests/storage/tar/archive_parts.h"

namespace varve {
namespace {

constexpr uint64_t kMaxArchiveBytes = 200'000;

void CheckError(const absl::Status& status) {
  FUZZ_INVARIANT(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status));
}

void Write(const TarOperation& operation, TarBodyReader& reader, TarBodyWriter& writer,
           absl::Status* failure) {
  switch (operation.kind) {
    case TarOperation::Kind::kSkeleton:
      return writer.Skeleton(operation.count);
    case TarOperation::Kind::kContent:
      return writer.Content(operation.count);
    case TarOperation::Kind::kZeros:
      return writer.Zeros(operation.count);
    case TarOperation::Kind::kHeaders:
      break;
  }
  for (uint64_t i = 0; i < operation.count; ++i) {
    const absl::StatusOr<uint64_t> seconds = reader.NextSeconds();
    if (!seconds.ok()) {
      *failure = seconds.status();
      return;
    }
    writer.Header(*seconds);
  }
}

// Of all contents as many bytes as the operations ask for, when they can be read.
uint64_t CheckBody(const ArchiveParts& parts) {
  TarBodyReader reader(StreamOf(parts.operations, 7), StreamOf(parts.times, 7), kMaxArchiveBytes);
  TarBodyWriter writer;
  uint64_t content_bytes = 0;
  while (true) {
    const absl::StatusOr<std::optional<TarOperation>> next = reader.Next();
    absl::Status failure = next.status();
    if (next.ok() && !next->has_value()) break;
    if (next.ok()) Write(**next, reader, writer, &failure);
    if (!failure.ok()) {
      CheckError(failure);
      return content_bytes;
    }
    if ((*next)->kind == TarOperation::Kind::kContent) content_bytes += (*next)->count;
  }
  writer.Finish();
  FUZZ_INVARIANT(writer.TakeOperations() == parts.operations);
  FUZZ_INVARIANT(writer.TakeTimes() == parts.times);
  return content_bytes;
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  varve::ByteReader input({reinterpret_cast<const char*>(data), size});
  const size_t operations_bytes = static_cast<size_t>(input.U8()) << 8 | input.U8();
  const size_t times_bytes = static_cast<size_t>(input.U8()) << 8 | input.U8();
  varve::ArchiveParts parts;
  parts.operations = input.Raw(operations_bytes);
  parts.times = input.Raw(times_bytes);
  if (!input.ok()) return 0;
  parts.skeleton = input.rest();
  parts.contents.push_back({std::nullopt, std::string(varve::CheckBody(parts), 'c')});
  const absl::StatusOr<std::string> joined =
      varve::JoinArchive(parts, {.max_bytes = varve::kMaxArchiveBytes});
  if (!joined.ok()) {
    varve::CheckError(joined.status());
    return 0;
  }
  FUZZ_INVARIANT(joined->size() <= varve::kMaxArchiveBytes);
  const absl::StatusOr<std::string> rest =
      varve::JoinArchive(parts, {.skipped_bytes = joined->size() / 2});
  FUZZ_INVARIANT(rest.ok() && *rest == joined->substr(joined->size() / 2));
  return 0;
}
