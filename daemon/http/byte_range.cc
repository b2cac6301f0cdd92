#include "daemon/http/byte_range.h"

#include <algorithm>
#include <optional>

#include "daemon/http/route.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

std::string_view TrimSpaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// One range of the set; empty when it lies outside of the blob; nullopt when malformed.
std::optional<Extent> ResolveOne(std::string_view text, uint64_t size_bytes) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = text.substr(0, dash);
  const std::string_view last_text = text.substr(dash + 1);
  const std::optional<uint64_t> last = ParseSaturating(last_text);
  if (!last.has_value() && (first_text.empty() || !last_text.empty())) return std::nullopt;
  if (first_text.empty()) {  // the last N bytes
    const uint64_t length = std::min(*last, size_bytes);
    return Extent{size_bytes - length, length};
  }
  const std::optional<uint64_t> first = ParseSaturating(first_text);
  if (!first.has_value()) return std::nullopt;
  if (*first >= size_bytes || (last.has_value() && *last < *first)) return Extent{};
  const uint64_t end = last.has_value() && *last < size_bytes ? *last + 1 : size_bytes;
  return Extent{*first, end - *first};
}

}  // namespace

ResolvedRange ResolveRange(std::string_view header, uint64_t size_bytes) {
  const ResolvedRange whole;
  constexpr std::string_view kUnit = "bytes=";
  std::string_view rest = TrimSpaces(header);
  if (size_bytes == 0 || rest.substr(0, kUnit.size()) != kUnit) return whole;
  rest.remove_prefix(kUnit.size());
  ResolvedRange result{RangeKind::kParts, {}};
  size_t asked = 0;
  uint64_t total_bytes = 0;  // never over size_bytes
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view text = TrimSpaces(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (text.empty()) continue;
    const std::optional<Extent> part = ResolveOne(text, size_bytes);
    if (!part.has_value()) return whole;
    if (++asked > kMaxRanges) return {RangeKind::kTooMany, {}};
    if (part->length_bytes == 0) continue;
    if (part->length_bytes > size_bytes - total_bytes) return {RangeKind::kTooLong, {}};
    total_bytes += part->length_bytes;
    result.parts.push_back(*part);
  }
  if (asked == 0) return whole;
  if (result.parts.empty()) return {RangeKind::kUnsatisfiable, {}};
  return result;
}

std::string ContentRange(const Extent& part, uint64_t size_bytes) {
  return StrCat("bytes ", part.offset_bytes, "-", part.offset_bytes + part.length_bytes - 1, "/",
                size_bytes);
}

std::string PartHead(std::string_view boundary, std::string_view media_type, const Extent& part,
                     uint64_t size_bytes) {
  return StrCat("\r\n--", boundary, "\r\nContent-Type: ", media_type,
                "\r\nContent-Range: ", ContentRange(part, size_bytes), "\r\n\r\n");
}

std::string PartsEnd(std::string_view boundary) { return StrCat("\r\n--", boundary, "--\r\n"); }

}  // namespace varve
