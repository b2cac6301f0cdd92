#include <string>
#include <vector>

#include "daemon/grpc/paging.h"
#include "daemon/grpc/prune_stream.h"
#include "daemon/grpc/referrer_listing.h"
#include "daemon/grpc/services.h"
#include "daemon/grpc/unary.h"
#include "daemon/leased_call.h"
#include "proto/convert/images.h"
#include "proto/convert/prunes.h"
#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "varve/v1/images.grpc.pb.h"

namespace varve {
namespace {

absl::Status RequireRepository(const std::string& repository) {
  return repository.empty() ? absl::InvalidArgumentError("repository is empty") : absl::OkStatus();
}

absl::Status StoreManifest(Manifests& manifests, Claims& claims,
                           const v1::PutManifestRequest& request, v1::PutManifestResponse* response,
                           const UnaryCall& call) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  if (request.manifest().size() > kMaxManifestBytes) {
    return absl::InvalidArgumentError(StrCat("a manifest may have at most ", kMaxManifestBytes,
                                             " bytes, this one has ", request.manifest().size()));
  }
  PutManifestRequest put;
  put.bytes = request.manifest();
  put.media_type = request.media_type();
  ASSIGN_OR_RETURN(put.expected, OptionalDigest("expected_digest", request.expected_digest()));
  if (put.expected) put.algorithm = put.expected->algorithm();
  if (static_cast<size_t>(request.tags_size()) > kMaxTagsPerPut) {
    return absl::InvalidArgumentError(
        StrCat("at most ", kMaxTagsPerPut, " tags can be set in one call"));
  }
  put.tags.assign(request.tags().begin(), request.tags().end());
  put.whole_store = request.whole_store();
  ASSIGN_OR_RETURN(
      const ManifestInfo info,
      LeasedManifests(manifests, claims, call.lease()).PutManifest(request.repository(), put));
  ToMessage(info, response->mutable_manifest());
  return absl::OkStatus();
}

// Of any request that names an image of a repository by tag or digest.
template <typename Request>
absl::StatusOr<ManifestReference> ImageOf(const Request& request) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  return ReferenceOf(request);
}

absl::Status ResolveImage(Manifests& stored, Claims& claims, const v1::ResolveRequest& request,
                          v1::ResolveResponse* response, const UnaryCall& call) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ImageOf(request));
  LeasedManifests manifests(stored, claims, call.lease());
  if (request.omit_bytes()) {
    ASSIGN_OR_RETURN(const ManifestInfo info,
                     manifests.StatManifest(request.repository(), reference));
    ToMessage(info, response->mutable_manifest());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Manifest manifest, manifests.GetManifest(request.repository(), reference));
  ToMessage(manifest.info, response->mutable_manifest());
  response->set_bytes(std::move(manifest.bytes));
  return absl::OkStatus();
}

absl::Status FindByName(Images& images, const v1::FindImageRequest& request,
                        v1::FindImageResponse* response) {
  ASSIGN_OR_RETURN(const ImageMatch match, images.FindImage(request.name()));
  ToMessage(match, response);
  return absl::OkStatus();
}

absl::Status ListImages(Images& images, const v1::ListImagesRequest& request,
                        v1::ListImagesResponse* response) {
  const PageRequest wanted = PageOf(request);
  ASSIGN_OR_RETURN(const ImagePage page,
                   images.ListImages(FromMessage(request), wanted.after, wanted.limit));
  for (const ImageInfo& image : page.images) ToMessage(image, response->add_images());
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

absl::Status InspectImage(Images& images, const v1::InspectImageRequest& request,
                          v1::InspectImageResponse* response) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ImageOf(request));
  ASSIGN_OR_RETURN(const ImageDetails details,
                   images.InspectImage(request.repository(), reference, request.platform()));
  ToMessage(details, response->mutable_details());
  return absl::OkStatus();
}

absl::Status TellHistory(Images& images, const v1::ImageHistoryRequest& request,
                         v1::ImageHistoryResponse* response) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ImageOf(request));
  ASSIGN_OR_RETURN(const ImageDetails details,
                   images.InspectImage(request.repository(), reference, request.platform()));
  ToMessage(details.history, response);
  return absl::OkStatus();
}

absl::Status SetTag(Manifests& manifests, Images& images, Claims& claims,
                    const v1::TagRequest& request, v1::TagResponse* /*response*/,
                    const UnaryCall& call) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  if (request.source_repository().empty()) {
    return LeasedManifests(manifests, claims, call.lease())
        .Tag(request.repository(), request.tag(), digest);
  }
  RETURN_IF_ERROR(AttachTo(claims, call.lease(), {digest}));
  return images.TagFrom(request.source_repository(), digest, request.repository(), request.tag());
}

absl::Status RemoveTag(Manifests& manifests, const v1::UntagRequest& request,
                       v1::UntagResponse* /*response*/) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  return manifests.Untag(request.repository(), request.tag(), request.force());
}

absl::Status RemoveImage(Images& images, System& system, const v1::RemoveImageRequest& request,
                         v1::RemoveImageResponse* response) {
  if (request.now()) system.EndPromises();
  ASSIGN_OR_RETURN(const RemovedImage removed, images.RemoveImage(request.name(), request.force()));
  ToMessage(removed, response);
  return absl::OkStatus();
}

absl::Status CancelPrune(Images& images, const v1::CancelPruneRequest& request,
                         v1::CancelPruneResponse* /*response*/) {
  return images.CancelPrune(request.job());
}

absl::Status ListPrunes(Images& images, const v1::ListPrunesRequest& /*request*/,
                        v1::ListPrunesResponse* response) {
  ASSIGN_OR_RETURN(const std::vector<PruneJob> jobs, images.ListPrunes());
  for (const PruneJob& job : jobs) ToMessage(job, response->add_jobs());
  return absl::OkStatus();
}

absl::Status Explain(Claims& claims, const v1::ExplainRequest& request,
                     v1::ExplainResponse* response) {
  ASSIGN_OR_RETURN(const KeeperReport report, claims.ExplainKept(request.name()));
  ToMessage(report, response);
  return absl::OkStatus();
}

constexpr UnaryMethod kMethods[] = {
    Changes<StoreManifest>("PutManifest", About::kManifest),
    Reads<ResolveImage>("Resolve", About::kManifest),
    Reads<FindByName>("Find", About::kManifest),
    Reads<ListImages>("List", About::kName),
    Reads<InspectImage>("Inspect", About::kManifest),
    Reads<ListReferrers>("ListReferrers", About::kManifest),
    Reads<TellHistory>("History", About::kManifest),
    Changes<SetTag>("Tag", About::kManifest),
    Changes<RemoveTag>("Untag", About::kTag),
    Changes<RemoveImage>("Remove", About::kManifest),
    Changes<CancelPrune>("CancelPrune", About::kName),
    Reads<ListPrunes>("ListPrunes", About::kName),
    Reads<Explain>("Explain", About::kManifest),
};

}  // namespace

std::unique_ptr<grpc::Service> NewImagesService(GrpcDoor& door) {
  return std::make_unique<TableService<v1::Images>>(
      door, kMethods, std::vector{NewPruneHandler(door), NewAttachPruneHandler(door)});
}

}  // namespace varve
