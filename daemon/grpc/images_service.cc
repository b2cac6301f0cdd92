#include <algorithm>
#include <string>
#include <vector>

#include "daemon/grpc/messages.h"
#include "daemon/grpc/services.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"
#include "varve/v1/images.grpc.pb.h"

namespace varve {
namespace {

constexpr CallKind kPutManifest{"Images.PutManifest", Subject::kManifest, true};
constexpr CallKind kResolve{"Images.Resolve", Subject::kManifest, false};
constexpr CallKind kList{"Images.List", Subject::kName, false};
constexpr CallKind kTag{"Images.Tag", Subject::kManifest, true};
constexpr CallKind kUntag{"Images.Untag", Subject::kTag, true};

constexpr size_t kDefaultPageRows = 100;  // as images.proto says

absl::Status RequireRepository(const std::string& repository) {
  return repository.empty() ? absl::InvalidArgumentError("repository is empty") : absl::OkStatus();
}

absl::Status StoreManifest(Store& store, const v1::PutManifestRequest& request,
                           v1::PutManifestResponse* response) {
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
  ASSIGN_OR_RETURN(const ManifestInfo info, store.PutManifest(request.repository(), put));
  ToMessage(info, response->mutable_manifest());
  return absl::OkStatus();
}

absl::StatusOr<ManifestReference> ReferenceOf(const v1::ResolveRequest& request) {
  switch (request.reference_case()) {
    case v1::ResolveRequest::kTag:
      return ManifestReference(request.tag());
    case v1::ResolveRequest::kDigest: {
      ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
      return ManifestReference(digest);
    }
    case v1::ResolveRequest::REFERENCE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("name the image by tag or by digest");
}

absl::Status ResolveImage(Store& store, const v1::ResolveRequest& request,
                          v1::ResolveResponse* response) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  ASSIGN_OR_RETURN(const ManifestReference reference, ReferenceOf(request));
  if (request.omit_bytes()) {
    ASSIGN_OR_RETURN(const ManifestInfo info, store.StatManifest(request.repository(), reference));
    ToMessage(info, response->mutable_manifest());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Manifest manifest, store.GetManifest(request.repository(), reference));
  ToMessage(manifest.info, response->mutable_manifest());
  response->set_bytes(std::move(manifest.bytes));
  return absl::OkStatus();
}

absl::Status ListImages(Store& store, const v1::ListImagesRequest& request,
                        v1::ListImagesResponse* response) {
  PageRequest page;
  page.after = request.page_token();
  page.limit = request.page_size() == 0 ? kDefaultPageRows
                                        : std::min<size_t>(request.page_size(), kMaxPageRows);
  ASSIGN_OR_RETURN(const Page<ImageInfo> images, store.ListImages(request.repository(), page));
  for (const ImageInfo& image : images.rows) ToMessage(image, response->add_images());
  if (images.more && !images.rows.empty()) {
    const ImageInfo& last = images.rows.back();
    response->set_next_page_token(StrCat(last.repository, ":", last.tag));
  }
  return absl::OkStatus();
}

absl::Status SetTag(Store& store, const v1::TagRequest& request) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  ASSIGN_OR_RETURN(const Digest digest, RequiredDigest("digest", request.digest()));
  return store.Tag(request.repository(), request.tag(), digest);
}

absl::Status RemoveTag(Store& store, const v1::UntagRequest& request) {
  RETURN_IF_ERROR(RequireRepository(request.repository()));
  return store.Untag(request.repository(), request.tag());
}

class ImagesService final : public v1::Images::CallbackService {
 public:
  explicit ImagesService(GrpcDoor& door) : door_(door) {}

  grpc::ServerUnaryReactor* PutManifest(grpc::CallbackServerContext* context,
                                        const v1::PutManifestRequest* request,
                                        v1::PutManifestResponse* response) override {
    return AnswerUnary(door_, kPutManifest, context, request, response,
                       [&store = door_.store](const auto& in, auto* out) {
                         return StoreManifest(store, in, out);
                       });
  }

  grpc::ServerUnaryReactor* Resolve(grpc::CallbackServerContext* context,
                                    const v1::ResolveRequest* request,
                                    v1::ResolveResponse* response) override {
    return AnswerUnary(
        door_, kResolve, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return ResolveImage(store, in, out); });
  }

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListImagesRequest* request,
                                 v1::ListImagesResponse* response) override {
    return AnswerUnary(
        door_, kList, context, request, response,
        [&store = door_.store](const auto& in, auto* out) { return ListImages(store, in, out); });
  }

  grpc::ServerUnaryReactor* Tag(grpc::CallbackServerContext* context, const v1::TagRequest* request,
                                v1::TagResponse* response) override {
    return AnswerUnary(door_, kTag, context, request, response,
                       [&store = door_.store](const auto& in, auto*) { return SetTag(store, in); });
  }

  grpc::ServerUnaryReactor* Untag(grpc::CallbackServerContext* context,
                                  const v1::UntagRequest* request,
                                  v1::UntagResponse* response) override {
    return AnswerUnary(
        door_, kUntag, context, request, response,
        [&store = door_.store](const auto& in, auto*) { return RemoveTag(store, in); });
  }

 private:
  GrpcDoor& door_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewImagesService(GrpcDoor& door) {
  return std::make_unique<ImagesService>(door);
}

}  // namespace varve
