#include "client/grpc_client.h"

#include <thread>
#include <utility>

#include "client/daemon_address.h"
#include "client/error_details.h"
#include "proto/convert/blobs.h"
#include "proto/convert/images.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/claim_names.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kLeaseKey[] = "varve-lease";  // as claims.proto says
constexpr int kMaxMessageBytes = static_cast<int>(16 * kMiB);

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const std::string& address,
                                                        const ClientOptions& options) {
  ASSIGN_OR_RETURN(const DaemonAddress target, ParseDaemonAddress(address));
  // Metadata takes no other text than this; the library would end the program.
  if (!options.lease.empty()) {
    RETURN_IF_ERROR(ValidateClaimName("the id of a lease", options.lease));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A daemon that was restarted is found again soon; the default grows to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Not a pause but how long one attempt may take: a daemon with much to do answers late.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return std::make_unique<GrpcClient>(
      grpc::CreateCustomChannel(ToString(target), grpc::InsecureChannelCredentials(), arguments),
      options);
}

void GrpcClient::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(std::chrono::system_clock::now() + options_.call_timeout);
}

void GrpcClient::NameLease(grpc::ClientContext& context) const {
  if (!options_.lease.empty()) context.AddMetadata(kLeaseKey, options_.lease);
}

absl::Status GrpcClient::Repeat(const std::function<grpc::Status(grpc::ClientContext*)>& call,
                                Deadline deadline) {
  for (int failures = 1;; ++failures) {
    grpc::ClientContext context;
    if (deadline == Deadline::kUsual) SetDeadline(context);
    NameLease(context);
    const absl::Status status = FromGrpc(call(&context), context);
    // A daemon that has no time for the request now says so, and names the request.
    if (!absl::IsUnavailable(status) || EndedByDaemon(context)) answered_ = true;
    if (absl::IsUnavailable(status) && !answered_) {
      return absl::UnavailableError(
          "nobody answers at the daemon's address; start varved, or give the address of its gRPC "
          "API");
    }
    if (!absl::IsUnavailable(status) || failures >= options_.attempts) return status;
    std::this_thread::sleep_for(options_.WaitAfter(failures));
  }
}

absl::StatusOr<BlobInfo> GrpcClient::StatBlob(std::string_view repository, const Digest& digest) {
  v1::StatBlobRequest request;
  request.set_repository(std::string(repository));
  request.set_digest(digest.ToString());
  v1::StatBlobResponse response;
  RETURN_IF_ERROR(Unary(*blobs_, &v1::Blobs::Stub::Stat, request, &response));
  return FromMessage(response.blob());
}

absl::StatusOr<std::vector<Digest>> GrpcClient::FindMissing(std::string_view repository,
                                                            absl::Span<const Digest> digests) {
  v1::FindMissingRequest request;
  request.set_repository(std::string(repository));
  for (const Digest& digest : digests) request.add_digests(digest.ToString());
  v1::FindMissingResponse response;
  RETURN_IF_ERROR(Unary(*blobs_, &v1::Blobs::Stub::FindMissing, request, &response));
  std::vector<Digest> missing;
  for (const std::string& text : response.missing()) {
    ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(text));
    missing.push_back(digest);
  }
  return missing;
}

absl::StatusOr<ManifestInfo> GrpcClient::PutManifest(std::string_view repository,
                                                     const PutManifestRequest& put) {
  v1::PutManifestRequest request;
  request.set_repository(std::string(repository));
  request.set_manifest(std::string(put.bytes));
  request.set_media_type(put.media_type);
  const Digest expected = put.expected ? *put.expected : HashBytes(put.algorithm, put.bytes);
  request.set_expected_digest(expected.ToString());
  for (const std::string& tag : put.tags) request.add_tags(tag);
  request.set_whole_store(put.whole_store);
  v1::PutManifestResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::PutManifest, request, &response));
  return FromMessage(response.manifest());
}

absl::StatusOr<Manifest> GrpcClient::Resolve(std::string_view repository,
                                             const ManifestReference& reference, bool omit_bytes) {
  v1::ResolveRequest request;
  request.set_repository(std::string(repository));
  SetReference(reference, &request);
  request.set_omit_bytes(omit_bytes);
  v1::ResolveResponse response;
  RETURN_IF_ERROR(Unary(*images_, &v1::Images::Stub::Resolve, request, &response));
  Manifest manifest;
  ASSIGN_OR_RETURN(manifest.info, FromMessage(response.manifest()));
  manifest.bytes = std::move(*response.mutable_bytes());
  return manifest;
}

absl::StatusOr<Manifest> GrpcClient::GetManifest(std::string_view repository,
                                                 const ManifestReference& reference) {
  ASSIGN_OR_RETURN(Manifest manifest, Resolve(repository, reference, false));
  const Digest& digest = manifest.info.digest;
  if (!(HashBytes(digest.algorithm(), manifest.bytes) == digest)) {
    return absl::DataLossError(
        StrCat("the manifest that came does not have the digest ", digest.ToString()));
  }
  return manifest;
}

absl::StatusOr<ManifestInfo> GrpcClient::StatManifest(std::string_view repository,
                                                      const ManifestReference& reference) {
  ASSIGN_OR_RETURN(Manifest manifest, Resolve(repository, reference, true));
  return std::move(manifest.info);
}

absl::Status GrpcClient::Tag(std::string_view repository, std::string_view tag,
                             const Digest& digest) {
  v1::TagRequest request;
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  request.set_digest(digest.ToString());
  v1::TagResponse response;
  return Unary(*images_, &v1::Images::Stub::Tag, request, &response);
}

absl::Status GrpcClient::Untag(std::string_view repository, std::string_view tag, bool force) {
  v1::UntagRequest request;
  request.set_repository(std::string(repository));
  request.set_tag(std::string(tag));
  request.set_force(force);
  v1::UntagResponse response;
  return Unary(*images_, &v1::Images::Stub::Untag, request, &response);
}

}  // namespace varve
