#include "proto/convert/claims.h"

#include "storage/base/status.h"

namespace varve {

void ToMessage(const HoldRequest& request, v1::CreateHoldRequest* message) {
  message->set_name(request.name);
  message->set_repository(request.repository);
  message->set_digest(request.manifest.ToString());
  if (request.ttl_nanos != 0) ToMessage(request.ttl_nanos, message->mutable_ttl());
}

absl::StatusOr<HoldRequest> FromMessage(const v1::CreateHoldRequest& message) {
  HoldRequest request;
  request.name = message.name();
  request.repository = message.repository();
  ASSIGN_OR_RETURN(request.manifest, RequiredDigest("digest", message.digest()));
  request.ttl_nanos = Nanos(message.ttl());
  if (message.has_ttl() && request.ttl_nanos == 0) {
    return absl::InvalidArgumentError("ttl: leave it out for no end");
  }
  return request;
}

void ToMessage(const HoldInfo& info, v1::Hold* message) {
  message->set_name(info.name);
  message->set_repository(info.repository);
  message->set_digest(info.manifest.ToString());
  ToMessage(info.created_nanos, message->mutable_created());
  if (info.expires_nanos != 0) ToMessage(info.expires_nanos, message->mutable_expires());
}

absl::StatusOr<HoldInfo> FromMessage(const v1::Hold& message) {
  HoldInfo info;
  info.name = message.name();
  info.repository = message.repository();
  ASSIGN_OR_RETURN(info.manifest, Digest::Parse(message.digest()));
  info.created_nanos = Nanos(message.created());
  info.expires_nanos = Nanos(message.expires());
  return info;
}

void ToMessage(const LeaseRequest& request, v1::CreateLeaseRequest* message) {
  message->set_id(request.id);
  message->set_owner(request.owner);
  ToMessage(request.ttl_nanos, message->mutable_ttl());
  ToMessage(request.labels, message->mutable_labels());
}

LeaseRequest FromMessage(const v1::CreateLeaseRequest& message) {
  LeaseRequest request;
  request.id = message.id();
  request.owner = message.owner();
  request.ttl_nanos = Nanos(message.ttl());
  request.labels = SortedPairs(message.labels());
  return request;
}

void ToMessage(const LeaseInfo& info, v1::Lease* message) {
  message->set_id(info.id);
  message->set_owner(info.owner);
  ToMessage(info.created_nanos, message->mutable_created());
  ToMessage(info.deadline_nanos, message->mutable_deadline());
  message->set_contents(info.contents);
  ToMessage(info.labels, message->mutable_labels());
}

LeaseInfo FromMessage(const v1::Lease& message) {
  LeaseInfo info;
  info.id = message.id();
  info.owner = message.owner();
  info.created_nanos = Nanos(message.created());
  info.deadline_nanos = Nanos(message.deadline());
  info.contents = message.contents();
  info.labels = SortedPairs(message.labels());
  return info;
}

}  // namespace varve
