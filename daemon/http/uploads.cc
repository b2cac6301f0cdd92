// Pushing blobs: uploads in chunks or single requests, and mounts. A request holds its upload from
// its head to its answer; the id of the upload is the last part of its URL, the session of OCI.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "daemon/http/handlers.h"
#include "daemon/http/upload_client.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

void AddSessionHeaders(const Exchange& exchange, const UploadStatus& status, Reply* reply) {
  reply->AddHeader("Location", UploadLocation(exchange.route.repository, status.id));
  reply->AddHeader("Range", UploadProgress(status.offset_bytes));
  reply->AddHeader("Docker-Upload-UUID", status.id);
}

Reply SessionReply(const Exchange& exchange, int http_status, const UploadStatus& status) {
  Reply reply;
  reply.status = http_status;
  AddSessionHeaders(exchange, status, &reply);
  return reply;
}

Reply Created(const Exchange& exchange, const Digest& digest) {
  Reply reply;
  reply.status = 201;
  const std::string text = digest.ToString();
  reply.AddHeader("Location", BlobLocation(exchange.route.repository, text));
  reply.AddDigest(text);
  return reply;
}

Reply UnknownUpload() {
  return ErrorReply(404, "BLOB_UPLOAD_UNKNOWN",
                    "this upload does not exist: it was finished, cancelled or has expired");
}

absl::StatusOr<std::unique_ptr<OpenUpload>> Resume(const Exchange& exchange) {
  if (!IsSessionId(exchange.route.reference)) {
    return absl::NotFoundError("upload session ids are letters, digits and ._=-");
  }
  return exchange.store.blobs.ResumeUpload(exchange.route.repository, exchange.route.reference);
}

Reply ResumeError(const Exchange& exchange, const absl::Status& status) {
  if (absl::IsNotFound(status)) return UnknownUpload();
  return StoreError(exchange, status, About::kUpload);
}

Reply TooLarge() {
  return ErrorReply(413, "SIZE_INVALID",
                    StrCat("a blob may have at most ", kMaxBlobBytes, " bytes"));
}

// What must be true of the request before its body is asked for: its chunk continues the upload,
// and there is room. nullopt when so.
std::optional<Reply> CheckChunk(const Exchange& exchange, OpenUpload& upload,
                                const std::optional<UploadRange>& range) {
  const UploadStatus status = upload.status();
  if (range.has_value() && range->first != status.offset_bytes) {
    Reply reply = ErrorReply(
        416, "BLOB_UPLOAD_INVALID",
        StrCat("the upload has ", status.offset_bytes, " bytes: the next chunk must start there"));
    AddSessionHeaders(exchange, status, &reply);
    return reply;
  }
  const std::optional<uint64_t> length = exchange.request.content_length;
  if (range.has_value() && length.has_value() && *length != range->length_bytes()) {
    return ErrorReply(400, "SIZE_INVALID",
                      "Content-Length and Content-Range contradict each other");
  }
  const uint64_t more = length.value_or(0);
  if (more > kMaxBlobBytes || status.offset_bytes > kMaxBlobBytes - more) return TooLarge();
  if (more > 0) {
    const absl::Status room = upload.Expect(more);
    if (!room.ok()) return StoreError(exchange, room, About::kUpload);
  }
  return std::nullopt;
}

// Content-Range of a request that has a body; a request without one carries no chunk.
absl::StatusOr<std::optional<UploadRange>> ChunkRange(const Request& request) {
  if (request.content_range.empty() || !request.has_body()) return std::optional<UploadRange>();
  ASSIGN_OR_RETURN(const UploadRange range, ParseUploadRange(request.content_range));
  return std::optional<UploadRange>(range);
}

Reply Commit(const Exchange& exchange, OpenUpload& upload, const Digest& digest) {
  const absl::StatusOr<BlobInfo> info = upload.Commit(digest, std::nullopt);
  if (!info.ok()) return StoreError(exchange, info.status(), About::kUpload);
  return Created(exchange, digest);
}

UploadOptions OptionsOf(const Exchange& exchange) {
  UploadOptions options;
  options.client = UploadClient(exchange.ends.client, exchange.request.forwarded_for,
                                exchange.options.trusted_proxies);
  return options;
}

Reply OpenSession(const Exchange& exchange) {
  UploadOptions options = OptionsOf(exchange);
  if (const auto name = exchange.route.Query("digest-algorithm")) {
    const absl::StatusOr<DigestAlgorithm> algorithm = ParseDigestAlgorithm(*name);
    if (!algorithm.ok()) return BadDigest(algorithm.status());
    options.algorithm = *algorithm;
  }
  const auto upload =
      exchange.store.blobs.BeginUpload(exchange.route.repository, std::move(options));
  if (!upload.ok()) return StoreError(exchange, upload.status(), About::kUpload);
  return SessionReply(exchange, 202, (*upload)->status());
}

// 201 when the blob could be made visible here; nullopt when the client must send it.
std::optional<Reply> Mount(const Exchange& exchange, std::string_view mount) {
  const absl::StatusOr<Digest> digest = Digest::Parse(mount);
  if (!digest.ok()) return BadDigest(digest.status());
  std::optional<std::string_view> from = exchange.route.Query("from");
  if (from.has_value() && from->empty()) from.reset();
  const absl::StatusOr<BlobInfo> info =
      exchange.store.blobs.MountBlob(exchange.route.repository, *digest, from);
  if (info.ok()) return Created(exchange, *digest);
  if (absl::IsNotFound(info.status()) || absl::IsInvalidArgument(info.status())) {
    return std::nullopt;
  }
  return StoreError(exchange, info.status(), About::kBlob);
}

// The body of a request: goes to the end of the upload. Whatever happens, the bytes that arrived
// are kept, so that a client whose connection dropped resumes behind them.
class UploadBody : public BodySink {
 public:
  enum class End {
    kKeep,    // PATCH: the upload goes on
    kCommit,  // PUT: this was its end
    kWhole,   // POST: commit; nobody knows the id of the upload, so whatever goes wrong drops it
  };

  UploadBody(const Exchange& exchange, std::unique_ptr<OpenUpload> upload, End end,
             std::optional<Digest> digest)
      : exchange_(exchange), upload_(std::move(upload)), end_(end), digest_(std::move(digest)) {}
  ~UploadBody() override {
    if (!answered_) (void)Ended(Reply());
  }

  // Looks whether the body is wanted. nullopt when so.
  std::optional<Reply> Check();
  std::optional<Reply> Take(std::string_view bytes) override;
  Reply Finish() override;
  Reply Fail(const absl::Status& status) override;

 private:
  Reply Ended(Reply failure);

  const Exchange& exchange_;
  const std::unique_ptr<OpenUpload> upload_;
  const End end_;
  const std::optional<Digest> digest_;
  std::optional<UploadRange> range_;
  uint64_t offset_ = 0;
  bool answered_ = false;
};

// Called with every reply but a success.
Reply UploadBody::Ended(Reply failure) {
  answered_ = true;
  if (end_ != End::kWhole) return failure;
  const absl::Status dropped = upload_->Abort();
  failure.cause = Annotate(failure.cause, dropped);
  return failure;
}

std::optional<Reply> UploadBody::Check() {
  const absl::StatusOr<std::optional<UploadRange>> range = ChunkRange(exchange_.request);
  if (!range.ok()) {
    return Ended(ErrorReply(400, "BLOB_UPLOAD_INVALID", ToStd(range.status().message())));
  }
  range_ = *range;
  offset_ = upload_->status().offset_bytes;
  std::optional<Reply> refusal = CheckChunk(exchange_, *upload_, range_);
  if (!refusal.has_value()) return std::nullopt;
  return Ended(*std::move(refusal));
}

std::optional<Reply> UploadBody::Take(std::string_view bytes) {
  const uint64_t end = range_.has_value() ? range_->last + 1 : kMaxBlobBytes;
  if (bytes.size() > end - offset_) {
    if (!range_.has_value()) return Ended(TooLarge());
    return Ended(ErrorReply(400, "SIZE_INVALID", "the body is longer than its Content-Range"));
  }
  const absl::Status status = upload_->Append(offset_, bytes);
  if (!status.ok()) return Ended(StoreError(exchange_, status, About::kUpload));
  offset_ += bytes.size();
  return std::nullopt;
}

Reply UploadBody::Finish() {
  if (range_.has_value() && offset_ != range_->last + 1) {
    return Ended(ErrorReply(400, "SIZE_INVALID", "the body is shorter than its Content-Range"));
  }
  answered_ = true;
  if (end_ != End::kKeep) return Commit(exchange_, *upload_, *digest_);
  const absl::Status kept = upload_->Checkpoint();
  if (!kept.ok()) return StoreError(exchange_, kept, About::kUpload);
  return SessionReply(exchange_, 202, upload_->status());
}

Reply UploadBody::Fail(const absl::Status& status) {
  if (end_ == End::kWhole) return Ended(BodyError(exchange_, status));
  const absl::Status kept = upload_->Checkpoint();
  return Ended(BodyError(exchange_, Annotate(status, kept)));
}

Answer Receive(const Exchange& exchange, std::unique_ptr<OpenUpload> upload, UploadBody::End end,
               std::optional<Digest> digest) {
  auto body = std::make_unique<UploadBody>(exchange, std::move(upload), end, std::move(digest));
  if (std::optional<Reply> refusal = body->Check()) return *std::move(refusal);
  return body;
}

// POST …?digest=: the whole blob in one request.
Answer PushInOneRequest(const Exchange& exchange, const Digest& digest) {
  if (exchange.request.content_length.value_or(0) > kMaxBlobBytes) return TooLarge();
  UploadOptions options = OptionsOf(exchange);
  options.algorithm = digest.algorithm();
  options.size_bytes = exchange.request.content_length;
  auto upload = exchange.store.blobs.BeginUpload(exchange.route.repository, std::move(options));
  if (!upload.ok()) return StoreError(exchange, upload.status(), About::kUpload);
  return Receive(exchange, *std::move(upload), UploadBody::End::kWhole, digest);
}

}  // namespace

Answer StartUpload(const Exchange& exchange) {
  if (const auto mount = exchange.route.Query("mount")) {
    if (std::optional<Reply> reply = Mount(exchange, *mount)) return *std::move(reply);
    return OpenSession(exchange);
  }
  if (const auto text = exchange.route.Query("digest")) {
    const absl::StatusOr<Digest> digest = Digest::Parse(*text);
    if (!digest.ok()) return BadDigest(digest.status());
    // Without a body only the empty blob is pushed so; for any other the client wants a session.
    if (exchange.request.has_body() || HashBytes(digest->algorithm(), "") == *digest) {
      return PushInOneRequest(exchange, *digest);
    }
  }
  return OpenSession(exchange);
}

Reply GetUpload(const Exchange& exchange) {
  const auto upload = Resume(exchange);
  if (!upload.ok()) return ResumeError(exchange, upload.status());
  return SessionReply(exchange, 204, (*upload)->status());
}

Answer PatchUpload(const Exchange& exchange) {
  auto upload = Resume(exchange);
  if (!upload.ok()) return ResumeError(exchange, upload.status());
  return Receive(exchange, *std::move(upload), UploadBody::End::kKeep, std::nullopt);
}

Answer FinishUpload(const Exchange& exchange) {
  const std::optional<std::string_view> text = exchange.route.Query("digest");
  if (!text.has_value()) {
    return ErrorReply(400, "DIGEST_INVALID",
                      "the last request of an upload must say ?digest=<digest of the blob>");
  }
  const absl::StatusOr<Digest> digest = Digest::Parse(*text);
  if (!digest.ok()) return BadDigest(digest.status());
  auto upload = Resume(exchange);
  if (absl::IsNotFound(upload.status()) &&
      exchange.store.blobs.StatBlob(exchange.route.repository, *digest).ok()) {
    // The answer to the first such request was lost, and the client repeats it.
    return Created(exchange, *digest);
  }
  if (!upload.ok()) return ResumeError(exchange, upload.status());
  return Receive(exchange, *std::move(upload), UploadBody::End::kCommit, *digest);
}

Reply CancelUpload(const Exchange& exchange) {
  const auto upload = Resume(exchange);
  if (!upload.ok()) return ResumeError(exchange, upload.status());
  const absl::Status status = (*upload)->Abort();
  if (!status.ok()) return StoreError(exchange, status, About::kUpload);
  Reply reply;
  reply.status = 204;
  return reply;
}

}  // namespace varve
