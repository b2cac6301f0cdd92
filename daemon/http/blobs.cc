// Pulling and deleting blobs. The bytes go out from where they are (ReplySender): by sendfile, or
// from memory.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "daemon/http/byte_range.h"
#include "daemon/http/handlers.h"
#include "daemon/http/request_reader.h"
#include "storage/base/clock.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kBlobMediaType[] = "application/octet-stream";
// A blob never changes, so a cache may keep it for the longest customary time.
constexpr char kImmutable[] = "max-age=31536000, immutable";

// "18446744073709551614-18446744073709551615," is the longest range.
static_assert(kMaxRanges * 42 < kMaxHeaderBytes);

Reply BlobHead(const Exchange& exchange, const Digest& digest) {
  const absl::StatusOr<BlobInfo> info =
      exchange.store.blobs.StatBlob(exchange.route.repository, digest);
  if (!info.ok()) return StoreError(exchange, info.status(), About::kBlob);
  if (std::optional<Reply> same = NotModified(exchange, digest)) return *std::move(same);
  Reply reply;
  AddContentHeaders(&reply, kBlobMediaType, digest);
  reply.AddHeader("Accept-Ranges", "bytes");
  reply.AddHeader("Cache-Control", kImmutable);
  reply.head_length_bytes = info->size_bytes;
  return reply;
}

// The part that the request asks for; If-Range with another version asks for the whole.
ResolvedRange RequestedRange(const Request& request, const BlobInfo& info) {
  const std::string etag = StrCat("\"", info.digest.ToString(), "\"");
  const bool applies = request.if_range.empty() || request.if_range == etag;
  return ResolveRange(applies ? request.range : std::string_view(), info.size_bytes);
}

// Several parts in one answer.
void AddParts(Reply* reply, const std::vector<Extent>& parts, BlobReader blob) {
  const uint64_t size = blob.info.size_bytes;
  // Random, so that nobody can have pushed a blob that contains it.
  const std::string boundary =
      absl::StrFormat("varve-%016x%016x", SystemRandom().Next(), SystemRandom().Next());
  reply->status = 206;
  reply->AddHeader("Content-Type", StrCat("multipart/byteranges; boundary=", boundary));
  for (const Extent& part : parts) {
    reply->AddPart(PartHead(boundary, kBlobMediaType, part, size), part);
  }
  reply->body += PartsEnd(boundary);
  reply->source = std::move(blob.bytes);
}

// Why no such ranges are given; "" when they are.
std::string RangeFault(RangeKind kind, uint64_t size_bytes) {
  switch (kind) {
    case RangeKind::kUnsatisfiable:
      return StrCat("the range lies outside the ", size_bytes, " bytes of this blob");
    case RangeKind::kTooMany:
      return StrCat("more ranges than ", kMaxRanges, " at once; ask for fewer");
    case RangeKind::kTooLong:
      return StrCat("the ranges overlap: together they are longer than the ", size_bytes,
                    " bytes of this blob; ask for fewer");
    case RangeKind::kWhole:
    case RangeKind::kParts:
      break;
  }
  return "";
}

}  // namespace

Reply GetBlob(const Exchange& exchange) {
  const absl::StatusOr<Digest> digest = Digest::Parse(exchange.route.reference);
  if (!digest.ok()) return BadDigest(digest.status());
  if (exchange.is_head()) return BlobHead(exchange, *digest);

  absl::StatusOr<BlobReader> blob =
      exchange.store.blobs.OpenBlob(exchange.route.repository, *digest);
  if (!blob.ok()) return StoreError(exchange, blob.status(), About::kBlob);
  if (std::optional<Reply> same = NotModified(exchange, *digest)) return *std::move(same);
  const uint64_t size = blob->info.size_bytes;
  const ResolvedRange range = RequestedRange(exchange.request, blob->info);
  if (const std::string fault = RangeFault(range.kind, size); !fault.empty()) {
    Reply reply = ErrorReply(416, "SIZE_INVALID", fault);
    reply.AddHeader("Content-Range", StrCat("bytes */", size));
    return reply;
  }
  Reply reply;
  AddIdentity(&reply, *digest);
  reply.AddHeader("Accept-Ranges", "bytes");
  reply.AddHeader("Cache-Control", kImmutable);
  if (range.parts.size() > 1) {
    AddParts(&reply, range.parts, *std::move(blob));
    return reply;
  }
  const Extent extent = range.parts.empty() ? Extent{0, size} : range.parts[0];
  if (range.kind == RangeKind::kParts) {
    reply.status = 206;
    reply.AddHeader("Content-Range", ContentRange(extent, size));
  }
  reply.AddHeader("Content-Type", kBlobMediaType);
  reply.source = std::move(blob->bytes);
  reply.extent = extent;
  return reply;
}

Reply DeleteBlob(const Exchange& exchange) {
  const absl::StatusOr<Digest> digest = Digest::Parse(exchange.route.reference);
  if (!digest.ok()) return BadDigest(digest.status());
  const absl::Status status = exchange.store.blobs.DeleteBlob(exchange.route.repository, *digest);
  if (!status.ok()) return StoreError(exchange, status, About::kBlob);
  Reply reply;
  reply.status = 202;
  reply.AddDigest(digest->ToString());
  return reply;
}

}  // namespace varve
