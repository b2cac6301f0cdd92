#include "storage/tar/tar_joiner.h"

#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

TarJoiner::TarJoiner(Parts parts, uint64_t max_bytes)
    : body_(std::move(parts.operations), std::move(parts.times), max_bytes),
      skeleton_{.bytes = parts.skeleton, .name = "skeleton"},
      contents_{.bytes = parts.contents, .name = "content"} {}

absl::StatusOr<size_t> TarJoiner::Place::Read(absl::Span<char> out) {
  ASSIGN_OR_RETURN(const size_t size, bytes.ReadAt(offset, out));
  offset += size;
  if (size > 0) return size;
  return absl::DataLossError(StrCat("the ", name, " of a packed archive ends before its body"));
}

absl::Status TarJoiner::Place::ExpectEnd() {
  char byte;
  ASSIGN_OR_RETURN(const size_t size, bytes.ReadAt(offset, absl::MakeSpan(&byte, 1)));
  if (size == 0) return absl::OkStatus();
  return absl::DataLossError(StrCat("the ", name, " of a packed archive goes on after its body"));
}

absl::StatusOr<bool> TarJoiner::NextOperation() {
  if (operation_.count > 0) return true;
  ASSIGN_OR_RETURN(const std::optional<TarOperation> next, body_.Next());
  if (next.has_value()) {
    operation_ = *next;
    return true;
  }
  RETURN_IF_ERROR(skeleton_.ExpectEnd());
  RETURN_IF_ERROR(contents_.ExpectEnd());
  return false;
}

absl::StatusOr<size_t> TarJoiner::Read(absl::Span<char> out) {
  if (!rest_of_header_.empty()) return TakeHeader(out);
  ASSIGN_OR_RETURN(const bool more, NextOperation());
  if (!more) return size_t{0};
  if (operation_.kind == TarOperation::Kind::kHeaders) {
    RETURN_IF_ERROR(FillHeader());
    return TakeHeader(out);
  }
  out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), operation_.count)));
  size_t size = out.size();
  if (operation_.kind == TarOperation::Kind::kZeros) {
    std::fill(out.begin(), out.end(), '\0');
  } else {
    const bool content = operation_.kind == TarOperation::Kind::kContent;
    ASSIGN_OR_RETURN(size, (content ? contents_ : skeleton_).Read(out));
  }
  operation_.count -= size;
  return size;
}

absl::Status TarJoiner::Skip(uint64_t size_bytes) {
  while (true) {
    const uint64_t of_header = std::min<uint64_t>(size_bytes, rest_of_header_.size());
    rest_of_header_.remove_prefix(of_header);
    size_bytes -= of_header;
    if (size_bytes == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool more, NextOperation());
    if (!more) return absl::OutOfRangeError("a packed archive ends before the place asked for");
    if (operation_.kind == TarOperation::Kind::kHeaders) {
      RETURN_IF_ERROR(SkipHeaders(&size_bytes));
      continue;
    }
    const uint64_t size = std::min(size_bytes, operation_.count);
    if (operation_.kind == TarOperation::Kind::kSkeleton) skeleton_.offset += size;
    if (operation_.kind == TarOperation::Kind::kContent) contents_.offset += size;
    operation_.count -= size;
    size_bytes -= size;
  }
}

// Whole ones by their times alone; the one in which the place lies is read.
absl::Status TarJoiner::SkipHeaders(uint64_t* size_bytes) {
  for (; operation_.count > 0 && *size_bytes >= kTarBlockBytes; --operation_.count) {
    ASSIGN_OR_RETURN([[maybe_unused]] const uint64_t seconds, body_.NextSeconds());
    skeleton_.offset += kTarBlockBytes;
    *size_bytes -= kTarBlockBytes;
  }
  return operation_.count > 0 && *size_bytes > 0 ? FillHeader() : absl::OkStatus();
}

absl::Status TarJoiner::FillHeader() {
  for (size_t filled = 0; filled < header_.size();) {
    ASSIGN_OR_RETURN(const size_t size, skeleton_.Read(absl::MakeSpan(header_).subspan(filled)));
    filled += size;
  }
  ASSIGN_OR_RETURN(const uint64_t seconds, body_.NextSeconds());
  RETURN_IF_ERROR(RestoreTarTime(seconds, absl::MakeSpan(header_)));
  rest_of_header_ = {header_.data(), header_.size()};
  --operation_.count;
  return absl::OkStatus();
}

size_t TarJoiner::TakeHeader(absl::Span<char> out) {
  const size_t size = rest_of_header_.copy(out.data(), out.size());
  rest_of_header_.remove_prefix(size);
  return size;
}

}  // namespace varve
