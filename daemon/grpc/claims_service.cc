// varve.v1.Holds and varve.v1.Leases.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "storage/api/claims.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "varve/v1/claims.grpc.pb.h"

namespace varve {
namespace {

constexpr size_t kDefaultPageRows = 100;  // as claims.proto says

void Fill(const HoldInfo& info, v1::Hold* message) {
  message->set_name(info.name);
  message->set_repository(info.repository);
  message->set_digest(info.manifest.ToString());
  ToMessage(info.created_nanos, message->mutable_created());
  if (info.expires_nanos != 0) ToMessage(info.expires_nanos, message->mutable_expires());
}

void Fill(const LeaseInfo& info, v1::Lease* message) {
  message->set_id(info.id);
  message->set_owner(info.owner);
  ToMessage(info.created_nanos, message->mutable_created());
  ToMessage(info.deadline_nanos, message->mutable_deadline());
  message->set_contents(info.contents);
  for (const auto& [key, value] : info.labels) (*message->mutable_labels())[key] = value;
}

// What lies outside every limit of a span stays outside.
int64_t Nanos(const google::protobuf::Duration& duration) {
  int64_t nanos = 0;
  if (__builtin_mul_overflow(duration.seconds(), kNanosPerSecond, &nanos) ||
      __builtin_add_overflow(nanos, duration.nanos(), &nanos)) {
    return duration.seconds() < 0 ? std::numeric_limits<int64_t>::min()
                                  : std::numeric_limits<int64_t>::max();
  }
  return nanos;
}

template <typename Request>
PageRequest PageOf(const Request& request) {
  return {request.page_token(), request.page_size() == 0
                                    ? kDefaultPageRows
                                    : std::min<size_t>(request.page_size(), kMaxPageRows)};
}

absl::Status CreateHold(Claims& claims, const v1::CreateHoldRequest& request,
                        v1::CreateHoldResponse* response) {
  HoldRequest hold;
  hold.name = request.name();
  hold.repository = request.repository();
  ASSIGN_OR_RETURN(hold.manifest, RequiredDigest("digest", request.digest()));
  if (request.has_ttl()) {
    hold.ttl_nanos = Nanos(request.ttl());
    if (hold.ttl_nanos == 0) return absl::InvalidArgumentError("ttl: leave it out for no end");
  }
  ASSIGN_OR_RETURN(const HoldInfo info, claims.CreateHold(hold));
  Fill(info, response->mutable_hold());
  return absl::OkStatus();
}

absl::Status ReleaseHold(Claims& claims, const v1::ReleaseHoldRequest& request,
                         v1::ReleaseHoldResponse* /*response*/) {
  return claims.ReleaseHold(request.name());
}

absl::Status ListHolds(Claims& claims, const v1::ListHoldsRequest& request,
                       v1::ListHoldsResponse* response) {
  ASSIGN_OR_RETURN(const Page<HoldInfo> page, claims.ListHolds(PageOf(request)));
  for (const HoldInfo& hold : page.rows) Fill(hold, response->add_holds());
  if (page.more) response->set_next_page_token(page.rows.back().name);
  return absl::OkStatus();
}

absl::Status CreateLease(Claims& claims, const v1::CreateLeaseRequest& request,
                         v1::CreateLeaseResponse* response) {
  LeaseRequest lease;
  lease.id = request.id();
  lease.owner = request.owner();
  lease.ttl_nanos = Nanos(request.ttl());
  lease.labels.assign(request.labels().begin(), request.labels().end());
  std::sort(lease.labels.begin(), lease.labels.end());
  ASSIGN_OR_RETURN(const LeaseInfo info, claims.CreateLease(lease));
  Fill(info, response->mutable_lease());
  return absl::OkStatus();
}

absl::Status Attach(Claims& claims, const v1::AttachToLeaseRequest& request,
                    v1::AttachToLeaseResponse* response) {
  if (static_cast<size_t>(request.digests_size()) > kMaxAttachedDigests) {
    return absl::InvalidArgumentError(
        StrCat("attach at most ", kMaxAttachedDigests, " digests at once"));
  }
  std::vector<Digest> contents;
  for (const std::string& text : request.digests()) {
    ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digests", text));
    contents.push_back(digest);
  }
  ASSIGN_OR_RETURN(const std::vector<Digest> absent, claims.AttachToLease(request.id(), contents));
  for (const Digest& digest : absent) response->add_absent(digest.ToString());
  return absl::OkStatus();
}

absl::Status RenewLease(Claims& claims, const v1::RenewLeaseRequest& request,
                        v1::RenewLeaseResponse* response) {
  ASSIGN_OR_RETURN(const LeaseInfo info, claims.RenewLease(request.id(), Nanos(request.ttl())));
  Fill(info, response->mutable_lease());
  return absl::OkStatus();
}

absl::Status DeleteLease(Claims& claims, const v1::DeleteLeaseRequest& request,
                         v1::DeleteLeaseResponse* /*response*/) {
  return claims.DeleteLease(request.id());
}

absl::Status ListLeases(Claims& claims, const v1::ListLeasesRequest& request,
                        v1::ListLeasesResponse* response) {
  ASSIGN_OR_RETURN(const Page<LeaseInfo> page, claims.ListLeases(PageOf(request)));
  for (const LeaseInfo& lease : page.rows) Fill(lease, response->add_leases());
  if (page.more) response->set_next_page_token(page.rows.back().id);
  return absl::OkStatus();
}

constexpr UnaryMethod kHoldMethods[] = {
    Changes<CreateHold>("Create", Subject::kManifest),
    Changes<ReleaseHold>("Release", Subject::kName),
    Reads<ListHolds>("List", Subject::kName),
};

constexpr UnaryMethod kLeaseMethods[] = {
    Changes<CreateLease>("Create", Subject::kName), Changes<Attach>("Attach", Subject::kName),
    Changes<RenewLease>("Renew", Subject::kName),   Changes<DeleteLease>("Delete", Subject::kName),
    Reads<ListLeases>("List", Subject::kName),
};

}  // namespace

std::unique_ptr<grpc::Service> NewHoldsService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Holds>>(door, kHoldMethods);
}
std::unique_ptr<grpc::Service> NewLeasesService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Leases>>(door, kLeaseMethods);
}

}  // namespace varve
