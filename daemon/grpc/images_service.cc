#include <algorithm>
#include <string>
#include <vector>

#include "daemon/grpc/messages.h"
#include "daemon/grpc/prune_stream.h"
#include "daemon/grpc/referrer_listing.h"
#include "daemon/grpc/services.h"
#include "daemon/leased_call.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "varve/v1/images.grpc.pb.h"

namespace varve {
namespace {

constexpr CallKind kPutManifest{"Images.PutManifest", Subject::kManifest, true};
constexpr CallKind kResolve{"Images.Resolve", Subject::kManifest, false};
constexpr CallKind kFind{"Images.Find", Subject::kManifest, false};
constexpr CallKind kList{"Images.List", Subject::kName, false};
constexpr CallKind kInspect{"Images.Inspect", Subject::kManifest, false};
constexpr CallKind kListReferrers{"Images.ListReferrers", Subject::kManifest, false};
constexpr CallKind kHistory{"Images.History", Subject::kManifest, false};
constexpr CallKind kTag{"Images.Tag", Subject::kManifest, true};
constexpr CallKind kUntag{"Images.Untag", Subject::kTag, true};
constexpr CallKind kCancelPrune{"Images.CancelPrune", Subject::kName, true};
constexpr CallKind kListPrunes{"Images.ListPrunes", Subject::kName, false};
constexpr CallKind kExplain{"Images.Explain", Subject::kManifest, false};
constexpr CallKind kRemove{"Images.Remove", Subject::kManifest, true};

constexpr size_t kDefaultPageRows = 100;  // as images.proto says

absl::Status RequireRepository(const std::string& repository) {
  return repository.empty() ? absl::InvalidArgumentError("repository is empty") : absl::OkStatus();
}

absl::Status StoreManifest(const Store& store, const v1::PutManifestRequest& request,
                           v1::PutManifestResponse* response, std::string_view lease) {
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
      LeasedManifests(store.manifests, store.claims, lease).PutManifest(request.repository(), put));
  ToMessage(info, response->mutable_manifest());
  return absl::OkStatus();
}

// Of any request that names an image of a repository by tag or digest.
template <typename Request>
absl::StatusOr<ManifestReference> ReferenceOf(const Request& request) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  if (request.has_tag()) return ManifestReference(request.tag());
  if (!request.has_digest()) {
    return absl::InvalidArgumentError("name the image by tag or by digest");
  }
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  return ManifestReference(digest);
}

absl::Status ResolveImage(const Store& store, const v1::ResolveRequest& request,
                          v1::ResolveResponse* response, std::string_view lease) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ReferenceOf(request));
  LeasedManifests manifests(store.manifests, store.claims, lease);
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

absl::Status FindByName(const Store& store, const v1::FindImageRequest& request,
                        v1::FindImageResponse* response) {
  ASSIGN_OR_RETURN(const ImageMatch match, store.images.FindImage(request.name()));
  ToMessage(match, response);
  return absl::OkStatus();
}

absl::Status ListImages(const Store& store, const v1::ListImagesRequest& request,
                        v1::ListImagesResponse* response) {
  ImageQuery query;
  query.repository = request.repository();
  query.filters.assign(request.filters().begin(), request.filters().end());
  query.all = request.all();
  const size_t limit = request.page_size() == 0
                           ? kDefaultPageRows
                           : std::min<size_t>(request.page_size(), kMaxPageRows);
  ASSIGN_OR_RETURN(const ImagePage page,
                   store.images.ListImages(query, request.page_token(), limit));
  for (const ImageInfo& image : page.images) ToMessage(image, response->add_images());
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

absl::Status InspectImage(const Store& store, const v1::InspectImageRequest& request,
                          v1::InspectImageResponse* response) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ReferenceOf(request));
  ASSIGN_OR_RETURN(const ImageDetails details,
                   store.images.InspectImage(request.repository(), reference, request.platform()));
  ToMessage(details, response->mutable_details());
  return absl::OkStatus();
}

absl::Status TellHistory(const Store& store, const v1::ImageHistoryRequest& request,
                         v1::ImageHistoryResponse* response) {
  ASSIGN_OR_RETURN(const ManifestReference reference, ReferenceOf(request));
  ASSIGN_OR_RETURN(const ImageDetails details,
                   store.images.InspectImage(request.repository(), reference, request.platform()));
  ToMessage(details.history, response);
  return absl::OkStatus();
}

absl::Status SetTag(const Store& store, const v1::TagRequest& request, std::string_view lease) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  if (request.source_repository().empty()) {
    return LeasedManifests(store.manifests, store.claims, lease)
        .Tag(request.repository(), request.tag(), digest);
  }
  RETURN_IF_ERROR(AttachTo(store.claims, lease, {digest}));
  return store.images.TagFrom(request.source_repository(), digest, request.repository(),
                              request.tag());
}

absl::Status RemoveTag(const Store& store, const v1::UntagRequest& request) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  return store.manifests.Untag(request.repository(), request.tag(), request.force());
}

absl::Status RemoveImage(const Store& store, const v1::RemoveImageRequest& request,
                         v1::RemoveImageResponse* response) {
  if (request.now()) store.system.EndPromises();
  ASSIGN_OR_RETURN(const RemovedImage removed,
                   store.images.RemoveImage(request.name(), request.force()));
  ToMessage(removed, response);
  return absl::OkStatus();
}

absl::Status ListPrunes(const Store& store, v1::ListPrunesResponse* response) {
  ASSIGN_OR_RETURN(const std::vector<PruneJob> jobs, store.images.ListPrunes());
  ToMessage(jobs, response);
  return absl::OkStatus();
}

absl::Status Explain(const Store& store, const v1::ExplainRequest& request,
                     v1::ExplainResponse* response) {
  ASSIGN_OR_RETURN(const KeeperReport report, store.claims.ExplainKept(request.name()));
  ToMessage(report, response);
  return absl::OkStatus();
}

class ImagesService final : public v1::Images::CallbackService {
 public:
  explicit ImagesService(GrpcDoor& door) : door_(door) {}

  grpc::ServerUnaryReactor* PutManifest(grpc::CallbackServerContext* context,
                                        const v1::PutManifestRequest* request,
                                        v1::PutManifestResponse* response) override {
    return AnswerUnary(door_, kPutManifest, context, request, response,
                       [&store = door_.store](const auto& in, auto* out, std::string_view lease) {
                         return StoreManifest(store, in, out, lease);
                       });
  }

  grpc::ServerUnaryReactor* Resolve(grpc::CallbackServerContext* context,
                                    const v1::ResolveRequest* request,
                                    v1::ResolveResponse* response) override {
    return AnswerUnary(door_, kResolve, context, request, response,
                       [&store = door_.store](const auto& in, auto* out, std::string_view lease) {
                         return ResolveImage(store, in, out, lease);
                       });
  }

  grpc::ServerUnaryReactor* Find(grpc::CallbackServerContext* context,
                                 const v1::FindImageRequest* request,
                                 v1::FindImageResponse* response) override {
    return AnswerUnary(
        door_, kFind, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return FindByName(store, in, out); });
  }

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListImagesRequest* request,
                                 v1::ListImagesResponse* response) override {
    return AnswerUnary(
        door_, kList, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return ListImages(store, in, out); });
  }

  grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext* context,
                                    const v1::InspectImageRequest* request,
                                    v1::InspectImageResponse* response) override {
    return AnswerUnary(
        door_, kInspect, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return InspectImage(store, in, out); });
  }

  grpc::ServerUnaryReactor* ListReferrers(grpc::CallbackServerContext* context,
                                          const v1::ListReferrersRequest* request,
                                          v1::ListReferrersResponse* response) override {
    return AnswerUnary(door_, kListReferrers, context, request, response,
                       [&store = door_.store](const auto& in, auto* out) {
                         return varve::ListReferrers(store, in, out);
                       });
  }

  grpc::ServerUnaryReactor* History(grpc::CallbackServerContext* context,
                                    const v1::ImageHistoryRequest* request,
                                    v1::ImageHistoryResponse* response) override {
    return AnswerUnary(
        door_, kHistory, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return TellHistory(store, in, out); });
  }

  grpc::ServerUnaryReactor* Tag(grpc::CallbackServerContext* context, const v1::TagRequest* request,
                                v1::TagResponse* response) override {
    return AnswerUnary(door_, kTag, context, request, response,
                       [&store = door_.store](const auto& in, auto*, std::string_view lease) {
                         return SetTag(store, in, lease);
                       });
  }

  grpc::ServerUnaryReactor* Untag(grpc::CallbackServerContext* context,
                                  const v1::UntagRequest* request,
                                  v1::UntagResponse* response) override {
    return AnswerUnary(
        door_, kUntag, context, request, response,
        [&store = door_.store](const auto& in, auto*) { return RemoveTag(store, in); });
  }

  grpc::ServerUnaryReactor* Remove(grpc::CallbackServerContext* context,
                                   const v1::RemoveImageRequest* request,
                                   v1::RemoveImageResponse* response) override {
    return AnswerUnary(
        door_, kRemove, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return RemoveImage(store, in, out); });
  }

  grpc::ServerWriteReactor<v1::PruneResponse>* Prune(grpc::CallbackServerContext* context,
                                                     const v1::PruneRequest* request) override {
    return NewPruneStream(door_, context, request);
  }

  grpc::ServerWriteReactor<v1::PruneResponse>* AttachPrune(
      grpc::CallbackServerContext* context, const v1::AttachPruneRequest* request) override {
    return NewPruneStream(door_, context, request);
  }

  grpc::ServerUnaryReactor* CancelPrune(grpc::CallbackServerContext* context,
                                        const v1::CancelPruneRequest* request,
                                        v1::CancelPruneResponse* response) override {
    return AnswerUnary(door_, kCancelPrune, context, request, response,
                       [&store = door_.store](const auto& in, auto*) {
                         return store.images.CancelPrune(in.job());
                       });
  }

  grpc::ServerUnaryReactor* ListPrunes(grpc::CallbackServerContext* context,
                                       const v1::ListPrunesRequest* request,
                                       v1::ListPrunesResponse* response) override {
    return AnswerUnary(
        door_, kListPrunes, context, request, response,
        [&store = door_.store](const auto&, auto* out) { return varve::ListPrunes(store, out); });
  }

  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override {
    return AnswerUnary(door_, kExplain, context, request, response,
                       [&store = door_.store](const auto& in, auto* out) {
                         return varve::Explain(store, in, out);
                       });
  }

 private:
  GrpcDoor& door_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewImagesService(GrpcDoor& door) {
  return std::make_unique<ImagesService>(door);
}

}  // namespace varve
