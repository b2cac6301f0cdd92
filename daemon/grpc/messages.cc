#include "daemon/grpc/messages.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {

void ToMessage(int64_t nanos, google::protobuf::Timestamp* message) {
  int64_t seconds = nanos / kNanosPerSecond;
  int64_t rest = nanos % kNanosPerSecond;
  if (rest < 0) {  // a Timestamp's nanos count forward, also before 1970
    rest += kNanosPerSecond;
    --seconds;
  }
  message->set_seconds(seconds);
  message->set_nanos(static_cast<int32_t>(rest));
}

void ToMessage(const BlobInfo& info, v1::BlobInfo* message) {
  message->set_digest(info.digest.ToString());
  message->set_size_bytes(info.size_bytes);
  ToMessage(info.created_nanos, message->mutable_created());
}

void ToMessage(const ManifestInfo& info, v1::ManifestInfo* message) {
  message->set_digest(info.digest.ToString());
  message->set_media_type(info.media_type);
  message->set_artifact_type(info.artifact_type);
  if (info.subject) message->set_subject_digest(info.subject->ToString());
  if (info.config) message->set_config_digest(info.config->ToString());
  message->set_size_bytes(info.size_bytes);
  message->set_content_bytes(info.content_bytes);
  ToMessage(info.pushed_nanos, message->mutable_pushed());
}

void ToMessage(const BlobDetails& details, v1::StoredBlob* message) {
  ToMessage(details.blob, message->mutable_blob());
  message->set_inlined(details.inlined);
  message->set_referenced(details.referenced);
  message->set_quarantined(details.quarantined);
}

absl::StatusOr<Digest> RequiredDigest(std::string_view field, const std::string& text) {
  absl::StatusOr<Digest> digest = Digest::Parse(text);
  if (!digest.ok()) return Annotate(digest.status(), field);
  return digest;
}

absl::StatusOr<std::optional<Digest>> OptionalDigest(std::string_view field,
                                                     const std::string& text) {
  if (text.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest(field, text));
  return digest;
}

absl::Status ValidateUploadId(std::string_view id) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  if (!id.empty() && id.size() <= kMaxIngestIdBytes && std::all_of(id.begin(), id.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      StrCat("upload_id must be 1 to ", kMaxIngestIdBytes, " letters, digits, '-', '_' or '.'"));
}

}  // namespace varve
