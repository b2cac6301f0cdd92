// Pulling and deleting blobs. A loose blob goes out by sendfile (SendReply); an inline one from
// memory.
#include <optional>
#include <string>
#include <utility>

#include "daemon/http/handlers.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr char kBlobMediaType[] = "application/octet-stream";
// A blob never changes, so a cache may keep it for the longest customary time.
constexpr char kImmutable[] = "max-age=31536000, immutable";

Reply BlobHead(const Exchange& exchange, const Digest& digest) {
  const absl::StatusOr<BlobInfo> info = exchange.store.StatBlob(exchange.route.repository, digest);
  if (!info.ok()) return StoreError(exchange, info.status(), Subject::kBlob);
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

}  // namespace

Reply GetBlob(const Exchange& exchange) {
  const absl::StatusOr<Digest> digest = Digest::Parse(exchange.route.reference);
  if (!digest.ok()) return BadDigest(digest.status());
  if (exchange.is_head()) return BlobHead(exchange, *digest);

  absl::StatusOr<BlobReader> blob = exchange.store.OpenBlob(exchange.route.repository, *digest);
  if (!blob.ok()) return StoreError(exchange, blob.status(), Subject::kBlob);
  if (std::optional<Reply> same = NotModified(exchange, *digest)) return *std::move(same);
  const uint64_t size = blob->info.size_bytes;
  const ResolvedRange range = RequestedRange(exchange.request, blob->info);
  if (range.kind == RangeKind::kUnsatisfiable) {
    Reply reply = ErrorReply(416, "SIZE_INVALID",
                             StrCat("the range lies outside the ", size, " bytes of this blob"));
    reply.AddHeader("Content-Range", StrCat("bytes */", size));
    return reply;
  }
  Reply reply;
  AddContentHeaders(&reply, kBlobMediaType, *digest);
  reply.AddHeader("Accept-Ranges", "bytes");
  reply.AddHeader("Cache-Control", kImmutable);
  if (range.kind == RangeKind::kPart) {
    reply.status = 206;
    const uint64_t first = range.extent.offset_bytes;
    reply.AddHeader("Content-Range",
                    StrCat("bytes ", first, "-", first + range.extent.length_bytes - 1, "/", size));
  }
  if (blob->file != nullptr) {
    reply.file = std::move(blob->file);
    reply.extent = range.extent;
  } else if (range.kind == RangeKind::kWhole) {
    reply.body = std::move(blob->inline_bytes);
  } else {
    reply.body = blob->inline_bytes.substr(range.extent.offset_bytes, range.extent.length_bytes);
  }
  return reply;
}

Reply DeleteBlob(const Exchange& exchange) {
  const absl::StatusOr<Digest> digest = Digest::Parse(exchange.route.reference);
  if (!digest.ok()) return BadDigest(digest.status());
  const absl::Status status = exchange.store.DeleteBlob(exchange.route.repository, *digest);
  if (!status.ok()) return StoreError(exchange, status, Subject::kBlob);
  Reply reply;
  reply.status = 202;
  reply.AddDigest(digest->ToString());
  return reply;
}

}  // namespace varve
