#include "client/archive/blob_uploader.h"

#include <algorithm>

#include "client/archive/entry_name.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

// The same in every try, from whatever archive: so a load that broke off goes on. With the size,
// for an archive may lie about what it names, and must not be in the way of one that does not.
std::string UploadIdOf(const Digest& digest, uint64_t size_bytes) {
  constexpr size_t kHexDigits = 64;
  const std::string text = digest.ToString();
  return StrCat("load-", text.substr(text.find(':') + 1, kHexDigits), "-", size_bytes);
}

absl::Status Mismatch(const BlobToUpload& blob, const Digest& digest) {
  return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(blob.name),
                                    " has the digest ", digest.ToString(), ", not ",
                                    blob.expected->ToString()));
}

}  // namespace

absl::StatusOr<std::optional<uint64_t>> BlobUploader::Find(const Digest& digest) {
  RenewPromises();
  const absl::StatusOr<BlobInfo> info = client_.StatBlob("", digest);
  if (absl::IsNotFound(info.status())) return std::nullopt;
  RETURN_IF_ERROR(info.status());
  Keep(digest);
  return info->size_bytes;
}

absl::StatusOr<bool> BlobUploader::Has(const Digest& digest, uint64_t size_bytes) {
  ASSIGN_OR_RETURN(const std::optional<uint64_t> stored_bytes, Find(digest));
  // Of another size, it will turn out to be another blob.
  if (stored_bytes != size_bytes) return false;
  observer_.BlobAlreadyThere(digest.ToString(), size_bytes);
  return true;
}

absl::StatusOr<Digest> BlobUploader::Upload(const BlobToUpload& blob, ByteSource& source) {
  RenewPromises();
  observer_.BlobStarted(blob.expected ? blob.expected->ToString() : blob.name, blob.size_bytes);
  absl::StatusOr<Digest> digest = UploadAndCheck(blob, source);
  if (digest.ok()) {
    observer_.BlobDone();
  } else {
    observer_.BlobFailed();
  }
  return digest;
}

absl::StatusOr<Digest> BlobUploader::UploadAndCheck(const BlobToUpload& blob, ByteSource& source) {
  const std::string upload_id =
      blob.expected ? UploadIdOf(*blob.expected, blob.size_bytes) : blob.upload_id;
  absl::StatusOr<BlobInfo> info = UploadOnce(source, upload_id, blob);
  // Somebody else uploads the same blob: the store keeps it once, whoever is first.
  if (absl::IsAborted(info.status()) && source.offset() == 0) info = UploadOnce(source, "", blob);
  const bool read_whole = blob.expected && source.offset() == blob.size_bytes;
  if (absl::IsInvalidArgument(info.status()) && read_whole) {
    if (!(source.HashedDigest() == *blob.expected)) return Mismatch(blob, source.HashedDigest());
    return absl::AbortedError(StrCat("an earlier load left other bytes under the name of ",
                                     blob.expected->ToString(),
                                     "; they were dropped now: load again"));
  }
  // Nobody goes on with what is refused. What is cut off may come whole the next time.
  const bool refused = absl::IsInvalidArgument(source.read_status()) ||
                       absl::IsResourceExhausted(source.read_status());
  if (refused && !upload_id.empty()) client_.AbortUpload(upload_id).IgnoreError();
  if (!info.ok()) return Annotate(info.status(), StrCat("upload ", Quoted(blob.name)));
  Keep(info->digest);
  if (blob.expected && !(info->digest == *blob.expected)) return Mismatch(blob, info->digest);
  return info->digest;
}

absl::StatusOr<BlobInfo> BlobUploader::UploadOnce(ByteSource& source, const std::string& upload_id,
                                                  const BlobToUpload& blob) {
  PutBlobOptions options;
  options.upload_id = upload_id;
  // Bytes of another digest become another blob, which the daemon reclaims. If they were refused
  // instead, they would stay as the beginning of the upload that the right ones resume. The daemon
  // must know beforehand only of an algorithm that is not its usual one.
  if (blob.expected && blob.expected->algorithm() != DigestAlgorithm::kSha256) {
    options.expected = blob.expected;
  }
  options.progress = [this](uint64_t bytes) {
    observer_.BlobProgress(bytes);
    RenewPromises();
  };
  return client_.PutBlob(source, options);
}

absl::StatusOr<std::string> BlobUploader::Download(const Digest& digest, size_t max_bytes) {
  std::string bytes;
  const ByteSink sink = [&](std::string_view piece) -> absl::Status {
    if (piece.size() > max_bytes - bytes.size()) {
      return absl::InvalidArgumentError(
          StrCat("it is larger than ", max_bytes, " bytes, the limit for a document"));
    }
    bytes.append(piece);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(client_.GetBlob(digest, sink, {}).status());
  return bytes;
}

void BlobUploader::Keep(const Digest& digest) { kept_.push_back(digest); }

void BlobUploader::RenewPromises() {
  const auto now = std::chrono::steady_clock::now();
  if (now - renewed_ < renew_after_) return;
  renewed_ = now;
  for (size_t i = 0; i < kept_.size(); i += kMaxFindMissingDigests) {
    const size_t count = std::min(kMaxFindMissingDigests, kept_.size() - i);
    // Whether it worked shows when the manifests are put, which names what is missing.
    static_cast<void>(client_.FindMissing("", absl::MakeConstSpan(kept_).subspan(i, count)));
  }
}

}  // namespace varve
