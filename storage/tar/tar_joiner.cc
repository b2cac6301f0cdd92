#include "storage/tar/tar_joiner.h"

#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

absl::StatusOr<size_t> ReadSome(const TarStream& stream, std::string_view name,
                                absl::Span<char> out) {
  ASSIGN_OR_RETURN(const size_t size, stream(out));
  if (size > 0) return size;
  return absl::DataLossError(StrCat("the ", name, " of a packed archive ends before its body"));
}

absl::Status ExpectEnd(const TarStream& stream, std::string_view name) {
  char byte;
  ASSIGN_OR_RETURN(const size_t size, stream(absl::MakeSpan(&byte, 1)));
  if (size == 0) return absl::OkStatus();
  return absl::DataLossError(StrCat("the ", name, " of a packed archive goes on after its body"));
}

}  // namespace

TarJoiner::TarJoiner(TarParts parts, uint64_t max_bytes)
    : body_(std::move(parts.operations), std::move(parts.times), max_bytes),
      skeleton_(std::move(parts.skeleton)),
      contents_(std::move(parts.contents)) {}

absl::StatusOr<bool> TarJoiner::NextOperation() {
  ASSIGN_OR_RETURN(const std::optional<TarOperation> next, body_.Next());
  if (next.has_value()) {
    operation_ = *next;
    return true;
  }
  RETURN_IF_ERROR(ExpectEnd(skeleton_, "skeleton"));
  RETURN_IF_ERROR(ExpectEnd(contents_, "content"));
  return false;
}

absl::StatusOr<size_t> TarJoiner::Read(absl::Span<char> out) {
  if (!rest_of_header_.empty()) return ReadHeader(out);
  if (operation_.count == 0) {
    ASSIGN_OR_RETURN(const bool more, NextOperation());
    if (!more) return size_t{0};
  }
  if (operation_.kind == TarOperation::Kind::kHeaders) {
    RETURN_IF_ERROR(FillHeader());
    --operation_.count;
    return ReadHeader(out);
  }
  out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), operation_.count)));
  size_t size = out.size();
  if (operation_.kind == TarOperation::Kind::kZeros) {
    std::fill(out.begin(), out.end(), '\0');
  } else if (operation_.kind == TarOperation::Kind::kSkeleton) {
    ASSIGN_OR_RETURN(size, ReadSome(skeleton_, "skeleton", out));
  } else {
    ASSIGN_OR_RETURN(size, ReadSome(contents_, "content", out));
  }
  operation_.count -= size;
  return size;
}

absl::StatusOr<size_t> TarJoiner::ReadHeader(absl::Span<char> out) {
  const size_t size = rest_of_header_.copy(out.data(), out.size());
  rest_of_header_.remove_prefix(size);
  return size;
}

absl::Status TarJoiner::FillHeader() {
  for (size_t filled = 0; filled < header_.size();) {
    ASSIGN_OR_RETURN(const size_t size,
                     ReadSome(skeleton_, "skeleton", absl::MakeSpan(header_).subspan(filled)));
    filled += size;
  }
  ASSIGN_OR_RETURN(const uint64_t seconds, body_.NextSeconds());
  RETURN_IF_ERROR(RestoreTarTime(seconds, absl::MakeSpan(header_)));
  rest_of_header_ = {header_.data(), header_.size()};
  return absl::OkStatus();
}

}  // namespace varve
