// The calls of varve.v1.Holds and varve.v1.Leases.
#include <utility>

#include "client/grpc_client.h"
#include "proto/convert/claims.h"
#include "proto/convert/values.h"
#include "storage/base/status.h"

namespace varve {
absl::StatusOr<HoldInfo> GrpcClient::CreateHold(const HoldRequest& hold) {
  v1::CreateHoldRequest request;
  ToMessage(hold, &request);
  v1::CreateHoldResponse response;
  RETURN_IF_ERROR(Unary(*holds_, &v1::Holds::Stub::Create, request, &response));
  return FromMessage(response.hold());
}

absl::Status GrpcClient::ReleaseHold(std::string_view name) {
  v1::ReleaseHoldRequest request;
  request.set_name(std::string(name));
  v1::ReleaseHoldResponse response;
  return Unary(*holds_, &v1::Holds::Stub::Release, request, &response);
}

absl::StatusOr<HoldPage> GrpcClient::ListHolds(const std::string& page_token, size_t limit) {
  v1::ListHoldsRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListHoldsResponse response;
  RETURN_IF_ERROR(Unary(*holds_, &v1::Holds::Stub::List, request, &response));
  HoldPage page;
  for (const v1::Hold& message : response.holds()) {
    ASSIGN_OR_RETURN(HoldInfo hold, FromMessage(message));
    page.holds.push_back(std::move(hold));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<LeaseInfo> GrpcClient::CreateLease(const LeaseRequest& lease) {
  v1::CreateLeaseRequest request;
  ToMessage(lease, &request);
  v1::CreateLeaseResponse response;
  RETURN_IF_ERROR(Unary(*leases_, &v1::Leases::Stub::Create, request, &response));
  return FromMessage(response.lease());
}

absl::StatusOr<std::vector<Digest>> GrpcClient::AttachToLease(std::string_view id,
                                                              absl::Span<const Digest> contents) {
  v1::AttachToLeaseRequest request;
  request.set_id(std::string(id));
  for (const Digest& digest : contents) request.add_digests(digest.ToString());
  v1::AttachToLeaseResponse response;
  RETURN_IF_ERROR(Unary(*leases_, &v1::Leases::Stub::Attach, request, &response));
  std::vector<Digest> absent;
  for (const std::string& text : response.absent()) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(text));
    absent.push_back(digest);
  }
  return absent;
}

absl::StatusOr<LeaseInfo> GrpcClient::RenewLease(std::string_view id, int64_t ttl_nanos) {
  v1::RenewLeaseRequest request;
  request.set_id(std::string(id));
  ToMessage(ttl_nanos, request.mutable_ttl());
  v1::RenewLeaseResponse response;
  RETURN_IF_ERROR(Unary(*leases_, &v1::Leases::Stub::Renew, request, &response));
  return FromMessage(response.lease());
}

absl::Status GrpcClient::DeleteLease(std::string_view id) {
  v1::DeleteLeaseRequest request;
  request.set_id(std::string(id));
  v1::DeleteLeaseResponse response;
  return Unary(*leases_, &v1::Leases::Stub::Delete, request, &response);
}

absl::StatusOr<LeasePage> GrpcClient::ListLeases(const std::string& page_token, size_t limit) {
  v1::ListLeasesRequest request;
  request.set_page_token(page_token);
  request.set_page_size(static_cast<uint32_t>(limit));
  v1::ListLeasesResponse response;
  RETURN_IF_ERROR(Unary(*leases_, &v1::Leases::Stub::List, request, &response));
  LeasePage page;
  for (const v1::Lease& message : response.leases()) {
    page.leases.push_back(FromMessage(message));
  }
  page.next_page_token = response.next_page_token();
  return page;
}

}  // namespace varve
