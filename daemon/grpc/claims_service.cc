// varve.v1.Holds and varve.v1.Leases.
#include <string>
#include <vector>

#include "daemon/grpc/paging.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "proto/convert/claims.h"
#include "storage/api/claims.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/claim_names.h"
#include "storage/limits.h"
#include "varve/v1/claims.grpc.pb.h"

namespace varve {
namespace {

absl::Status CheckClaimName(std::string_view name) { return ValidateClaimName("claim", name); }

absl::Status CreateHold(Claims& claims, const v1::CreateHoldRequest& request,
                        v1::CreateHoldResponse* response) {
  ASSIGN_OR_RETURN(const HoldRequest hold, FromMessage(request));
  ASSIGN_OR_RETURN(const HoldInfo info, claims.CreateHold(hold));
  ToMessage(info, response->mutable_hold());
  return absl::OkStatus();
}

absl::Status ReleaseHold(Claims& claims, const v1::ReleaseHoldRequest& request,
                         v1::ReleaseHoldResponse* /*response*/) {
  return claims.ReleaseHold(request.name());
}

absl::Status ListHolds(Claims& claims, const v1::ListHoldsRequest& request,
                       v1::ListHoldsResponse* response) {
  ASSIGN_OR_RETURN(const PageRequest asked, PageOfNames(request, CheckClaimName));
  ASSIGN_OR_RETURN(const Page<HoldInfo> page, claims.ListHolds(asked));
  for (const HoldInfo& hold : page.rows) ToMessage(hold, response->add_holds());
  if (page.more) response->set_next_page_token(page.rows.back().name);
  return absl::OkStatus();
}

absl::Status CreateLease(Claims& claims, const v1::CreateLeaseRequest& request,
                         v1::CreateLeaseResponse* response) {
  ASSIGN_OR_RETURN(const LeaseInfo info, claims.CreateLease(FromMessage(request)));
  ToMessage(info, response->mutable_lease());
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
  ToMessage(info, response->mutable_lease());
  return absl::OkStatus();
}

absl::Status DeleteLease(Claims& claims, const v1::DeleteLeaseRequest& request,
                         v1::DeleteLeaseResponse* /*response*/) {
  return claims.DeleteLease(request.id());
}

absl::Status ListLeases(Claims& claims, const v1::ListLeasesRequest& request,
                        v1::ListLeasesResponse* response) {
  ASSIGN_OR_RETURN(const PageRequest asked, PageOfNames(request, CheckClaimName));
  ASSIGN_OR_RETURN(const Page<LeaseInfo> page, claims.ListLeases(asked));
  for (const LeaseInfo& lease : page.rows) ToMessage(lease, response->add_leases());
  if (page.more) response->set_next_page_token(page.rows.back().id);
  return absl::OkStatus();
}

constexpr UnaryMethod kHoldMethods[] = {
    Changes<CreateHold>("Create", About::kManifest),
    Changes<ReleaseHold>("Release", About::kName),
    Reads<ListHolds>("List", About::kName),
};

constexpr UnaryMethod kLeaseMethods[] = {
    Changes<CreateLease>("Create", About::kName), Changes<Attach>("Attach", About::kName),
    Changes<RenewLease>("Renew", About::kName),   Changes<DeleteLease>("Delete", About::kName),
    Reads<ListLeases>("List", About::kName),
};

}  // namespace

std::unique_ptr<grpc::Service> NewHoldsService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Holds>>(door, kHoldMethods);
}
std::unique_ptr<grpc::Service> NewLeasesService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Leases>>(door, kLeaseMethods);
}

}  // namespace varve
