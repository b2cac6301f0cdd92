#include "proto/convert/blobs.h"

#include "storage/base/status.h"

namespace varve {

void ToMessage(const BlobInfo& info, v1::BlobInfo* message) {
  message->set_digest(info.digest.ToString());
  message->set_size_bytes(info.size_bytes);
  ToMessage(info.created_nanos, message->mutable_created());
}

absl::StatusOr<BlobInfo> FromMessage(const v1::BlobInfo& message) {
  BlobInfo info;
  ASSIGN_OR_RETURN(info.digest, Digest::Parse(message.digest()));
  info.size_bytes = message.size_bytes();
  info.created_nanos = Nanos(message.created());
  return info;
}

void ToMessage(const BlobDetails& details, v1::StoredBlob* message) {
  ToMessage(details.blob, message->mutable_blob());
  message->set_inlined(details.inlined);
  message->set_referenced(details.referenced);
  message->set_quarantined(details.quarantined);
}

absl::StatusOr<BlobDetails> FromMessage(const v1::StoredBlob& message) {
  BlobDetails details;
  ASSIGN_OR_RETURN(details.blob, FromMessage(message.blob()));
  details.inlined = message.inlined();
  details.referenced = message.referenced();
  details.quarantined = message.quarantined();
  return details;
}

void ToMessage(const UploadInfo& info, v1::Upload* message) {
  message->set_id(info.id);
  message->set_repository(info.repository);
  message->set_client(info.client);
  message->set_received_bytes(info.received_bytes);
  ToMessage(info.started_nanos, message->mutable_started());
  ToMessage(info.updated_nanos, message->mutable_updated());
  ToMessage(info.expires_nanos, message->mutable_expires());
  message->set_in_request(info.in_request);
}

UploadInfo FromMessage(const v1::Upload& message) {
  UploadInfo info;
  info.id = message.id();
  info.repository = message.repository();
  info.client = message.client();
  info.received_bytes = message.received_bytes();
  info.started_nanos = Nanos(message.started());
  info.updated_nanos = Nanos(message.updated());
  info.expires_nanos = Nanos(message.expires());
  info.in_request = message.in_request();
  return info;
}

}  // namespace varve
