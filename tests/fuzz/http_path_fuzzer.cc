// Request targets and range headers of the OCI door. Input: a byte that chooses the parser, then
// its text ('r': the size of the blob in decimal, a line feed, the Range header).
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/http/authority.h"
#include "daemon/http/byte_range.h"
#include "daemon/http/route.h"
#include "storage/image/digest.h"
#include "storage/image/names.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0 && c < ' ') || c == 127; });
}

void CheckSegments(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    FUZZ_INVARIANT(segment != "." && segment != "..");
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
}

void CheckTarget(std::string_view target) {
  const absl::StatusOr<Route> route = ParseTarget(target);
  if (!route.ok()) {
    const absl::StatusCode code = route.status().code();
    FUZZ_INVARIANT(code == absl::StatusCode::kOutOfRange || code == absl::StatusCode::kNotFound ||
                   code == absl::StatusCode::kInvalidArgument);
    return;
  }
  FUZZ_INVARIANT(target.size() <= kMaxTargetBytes && route->query.size() <= kMaxQueryParameters);
  FUZZ_INVARIANT(!HasControlCharacter(route->repository) && !HasControlCharacter(route->reference));
  CheckSegments(route->repository);
  CheckSegments(route->reference);
  for (const QueryParameter& parameter : route->query) {
    FUZZ_INVARIANT(!HasControlCharacter(parameter.key) && !HasControlCharacter(parameter.value));
    FUZZ_INVARIANT(route->Query(parameter.key).has_value());
  }
  if (route->endpoint != Endpoint::kBlob || !ValidateRepositoryName(route->repository).ok() ||
      !Digest::Parse(route->reference).ok()) {
    return;
  }
  const absl::StatusOr<Route> again =
      ParseTarget(BlobLocation(route->repository, route->reference));
  FUZZ_INVARIANT(again.ok() && again->endpoint == Endpoint::kBlob);
  FUZZ_INVARIANT(again->repository == route->repository && again->reference == route->reference);
}

void CheckRange(std::string_view input) {
  const size_t line_feed = std::min(input.find('\n'), input.size());
  const uint64_t size_bytes = ParseDecimal(input.substr(0, line_feed)).value_or(1000);
  const std::string_view header = input.substr(std::min(line_feed + 1, input.size()));
  const ResolvedRange range = ResolveRange(header, size_bytes);
  if (range.kind != RangeKind::kWhole && range.kind != RangeKind::kParts) return;
  FUZZ_INVARIANT(range.parts.empty() == (range.kind == RangeKind::kWhole));
  FUZZ_INVARIANT(range.parts.size() <= kMaxRanges);
  uint64_t left = size_bytes;
  for (const Extent& part : range.parts) {
    FUZZ_INVARIANT(part.offset_bytes < size_bytes && part.length_bytes > 0);
    FUZZ_INVARIANT(part.length_bytes <= size_bytes - part.offset_bytes);
    FUZZ_INVARIANT(part.length_bytes <= left);
    left -= part.length_bytes;
  }
}

// A host is what it was, however often it is read, and has nothing that could end a header.
void CheckAuthority(std::string_view text) {
  const std::optional<Authority> authority = ParseAuthority(text);
  if (!authority.has_value()) return;
  FUZZ_INVARIANT(!HasControlCharacter(authority->host) &&
                 authority->host.find_first_of(" /@?#") == std::string::npos);
  const std::string port = authority->port.empty() ? "" : ":" + authority->port;
  const std::optional<Authority> again = ParseAuthority(authority->host + port);
  FUZZ_INVARIANT(again.has_value() && again->port == authority->port);
  (void)NamesThisMachine(authority->host, {});
  (void)IsOriginOf(text, *authority);
}

void CheckUploadRange(std::string_view header) {
  const absl::StatusOr<UploadRange> range = ParseUploadRange(header);
  if (!range.ok()) {
    FUZZ_INVARIANT(range.status().code() == absl::StatusCode::kInvalidArgument);
    return;
  }
  FUZZ_INVARIANT(range->first <= range->last && range->length_bytes() > 0);
  const absl::StatusOr<UploadRange> again =
      ParseUploadRange(std::to_string(range->first) + "-" + std::to_string(range->last));
  FUZZ_INVARIANT(again.ok() && again->first == range->first && again->last == range->last);
}

// Whatever the text, as a query value it comes back as it was, or the target is refused.
void CheckEncoding(std::string_view text) {
  const std::string encoded = PercentEncode(text);
  FUZZ_INVARIANT(encoded.size() <= 3 * text.size() && !HasControlCharacter(encoded));
  const absl::StatusOr<Route> route = ParseTarget("/v2/_catalog?last=" + encoded);
  if (!route.ok()) {
    FUZZ_INVARIANT(HasControlCharacter(text) || encoded.size() + 18 > kMaxTargetBytes);
    return;
  }
  FUZZ_INVARIANT(route->Query("last") == text);
}

void CheckOne(char parser, std::string_view text) {
  switch (parser) {
    case 't':
      return CheckTarget(text);
    case 'r':
      return CheckRange(text);
    case 'h':
      return CheckAuthority(text);
    case 'u':
      return CheckUploadRange(text);
    case 'p':
      return CheckEncoding(text);
    case 'e':
      FUZZ_INVARIANT(!MatchesEntityTag(text, "\"sha256:00\"") ||
                     text.find("sha256:00") != std::string_view::npos ||
                     text.find('*') != std::string_view::npos);
      return;
    case 's':
      FUZZ_INVARIANT(!IsSessionId(text) || (text.size() <= 128 && !HasControlCharacter(text) &&
                                            text.find('/') == std::string_view::npos));
      return;
    default:
      return;
  }
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  varve::CheckOne(input.front(), input.substr(1));
  return 0;
}
