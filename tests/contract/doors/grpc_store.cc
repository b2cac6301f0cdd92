#include "tests/contract/doors/grpc_store.h"

#include <algorithm>
#include <utility>

#include "storage/api/pruning.h"
#include "storage/base/status.h"
#include "storage/limits.h"
#include "tests/contract/doors/grpc_upload.h"

namespace varve {
namespace {

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A server that comes back on the same path must not meet a connection in back-off.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<Client> NewClient(const std::string& address) {
  // What the daemon says is compared, not what it says when asked again.
  ClientOptions options;
  options.attempts = 1;
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(address, options);
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

template <typename Row>
struct Chunk {
  std::vector<Row> rows;
  std::string next_page_token;
};

// The page after a name. The door's page tokens are opaque, so the way there leads through all
// chunks before it.
template <typename Row, typename Name, typename NextChunk>
absl::StatusOr<Page<Row>> PageAfter(const PageRequest& page, const Name& name,
                                    const NextChunk& next_chunk) {
  const size_t limit = std::min(page.limit, kMaxPageRows);
  Page<Row> result;
  std::string token;
  do {
    ASSIGN_OR_RETURN(Chunk<Row> chunk, next_chunk(token));
    for (Row& row : chunk.rows) {
      if (name(row) <= page.after) continue;
      if (result.rows.size() == limit) {
        result.more = true;
        return result;
      }
      result.rows.push_back(std::move(row));
    }
    token = std::move(chunk.next_page_token);
  } while (!token.empty());
  return result;
}

}  // namespace

GrpcStore::GrpcStore(const Store& engine, const std::string& socket_path)
    : DoorStore(engine),
      client_(NewClient("unix://" + socket_path)),
      blobs_(v1::Blobs::NewStub(NewChannel("unix://" + socket_path))) {}

// What the API has no words for.
bool GrpcStore::Can(Ability ability) {
  switch (ability) {
    // varve.v1 has no mount: its clients name blobs of the whole store.
    case Ability::kMountBlob:
    // varve.v1 removes images; their blobs go with them.
    case Ability::kDeleteBlob:
    // varve.v1 has no deletion of a manifest whatever lists it.
    case Ability::kDeleteManifest:
    // Between two Write streams an upload is kept so that it survives a restart.
    case Ability::kSmallUploads:
    // The client has read the whole blob when OpenBlob returns (see DoorsTest).
    case Ability::kOpenReaders:
    // A Write to an upload that exists goes on with it.
    case Ability::kNewUploadIds:
    // Each piece is a Write stream of its own, and nothing is held in between.
    case Ability::kHeldUploads:
    // No call tells it; what is made of it shows in listings of tags over HTTP.
    case Ability::kTagsVersion:
    // The disk is the machine's business.
    case Ability::kPowerCut:
      return false;
    case Ability::kWholeStore:
    case Ability::kFindMissing:
    case Ability::kListImages:
    case Ability::kClaims:
    case Ability::kTagWithoutContent:
    case Ability::kManifestDetails:
    case Ability::kChosenUploadIds:
    case Ability::kRestartUpload:
    case Ability::kUploadSize:
      return true;
  }
  return false;
}

absl::StatusOr<BlobInfo> GrpcStore::StatBlob(std::string_view repository, const Digest& digest) {
  return client_->StatBlob(repository, digest);
}

absl::StatusOr<std::vector<Digest>> GrpcStore::FindMissing(std::string_view repository,
                                                           absl::Span<const Digest> digests) {
  return client_->FindMissing(repository, digests);
}

absl::StatusOr<BlobReader> GrpcStore::OpenBlob(std::string_view repository, const Digest& digest) {
  BlobReader reader;
  GetBlobOptions options;
  options.repository = repository;
  std::string whole;
  const auto take = [&whole](std::string_view bytes) {
    whole += bytes;
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(reader.info, client_->GetBlob(digest, take, options));
  reader.bytes = std::make_unique<BytesInMemory>(std::move(whole));
  return reader;
}

absl::StatusOr<std::unique_ptr<OpenUpload>> GrpcStore::BeginUpload(std::string_view repository,
                                                                   UploadOptions options) {
  return GrpcUpload::Begin(*blobs_, repository, options);
}

absl::StatusOr<std::unique_ptr<OpenUpload>> GrpcStore::ResumeUpload(std::string_view repository,
                                                                    std::string_view id) {
  return GrpcUpload::Resume(*blobs_, repository, id);
}

absl::StatusOr<ManifestInfo> GrpcStore::PutManifest(std::string_view repository,
                                                    const PutManifestRequest& request) {
  return client_->PutManifest(repository, request);
}

absl::StatusOr<Manifest> GrpcStore::GetManifest(std::string_view repository,
                                                const ManifestReference& reference) {
  return client_->GetManifest(repository, reference);
}

absl::StatusOr<ManifestInfo> GrpcStore::StatManifest(std::string_view repository,
                                                     const ManifestReference& reference) {
  return client_->StatManifest(repository, reference);
}

absl::Status GrpcStore::Tag(std::string_view repository, std::string_view tag,
                            const Digest& digest) {
  return client_->Tag(repository, tag, digest);
}

absl::Status GrpcStore::Untag(std::string_view repository, std::string_view tag, bool force) {
  return client_->Untag(repository, tag, force);
}

absl::StatusOr<Page<TagInfo>> GrpcStore::ListTags(std::string_view repository,
                                                  const PageRequest& page) {
  // An empty repository would list those of all.
  if (repository.empty()) return absl::InvalidArgumentError("repository is empty");
  ImageQuery query;
  query.repository = repository;
  query.filters = {"dangling=false"};  // those with a tag
  return PageAfter<TagInfo>(
      page, [](const TagInfo& tag) { return tag.name; },
      [&](const std::string& token) -> absl::StatusOr<Chunk<TagInfo>> {
        ASSIGN_OR_RETURN(ImagePage images, client_->ListImages(query, token, kMaxPageRows));
        Chunk<TagInfo> tags{{}, std::move(images.next_page_token)};
        for (const ImageInfo& image : images.images) {
          tags.rows.push_back({image.tag, image.manifest.digest, image.tagged_nanos});
        }
        return tags;
      });
}

absl::StatusOr<Page<std::string>> GrpcStore::ListRepositories(const PageRequest& page) {
  return PageAfter<std::string>(
      page, [](const std::string& name) { return name; },
      [&](const std::string& token) -> absl::StatusOr<Chunk<std::string>> {
        ASSIGN_OR_RETURN(RepositoryPage found, client_->ListRepositories(token, kMaxPageRows));
        Chunk<std::string> names{{}, std::move(found.next_page_token)};
        for (RepositoryInfo& repository : found.repositories) {
          names.rows.push_back(std::move(repository.name));
        }
        return names;
      });
}

// The token of a page is the digest before it. Clients must not know that; here it shows what the
// door says to a wrong one. The store lists no referrers by tag.
absl::StatusOr<Page<ReferrerInfo>> GrpcStore::ListReferrers(std::string_view repository,
                                                            const Digest& subject,
                                                            std::string_view artifact_type,
                                                            const PageRequest& page) {
  ASSIGN_OR_RETURN(
      const ReferrerPage found,
      client_->ListReferrers(repository, subject, artifact_type, page.after, page.limit));
  Page<ReferrerInfo> result;
  for (const Referrer& referrer : found.referrers) {
    if (referrer.tag.empty()) result.rows.push_back(referrer.info);
  }
  result.more = !found.next_page_token.empty();
  return result;
}

// As that of ListReferrers.
absl::StatusOr<Page<BlobDetails>> GrpcStore::ListBlobs(const PageRequest& page) {
  ASSIGN_OR_RETURN(BlobPage found, client_->ListBlobs(page.after, page.limit));
  return Page<BlobDetails>{std::move(found.blobs), !found.next_page_token.empty(), {}};
}

absl::StatusOr<RepositoryInfo> GrpcStore::DescribeRepository(std::string_view repository) {
  return client_->DescribeRepository(repository);
}

absl::StatusOr<ImageMatch> GrpcStore::FindImage(std::string_view name) {
  return client_->FindImage(name);
}

absl::StatusOr<ImagePage> GrpcStore::ListImages(const ImageQuery& query,
                                                const std::string& page_token, size_t limit) {
  return client_->ListImages(query, page_token, limit);
}

absl::StatusOr<ImageDetails> GrpcStore::InspectImage(std::string_view repository,
                                                     const ManifestReference& reference,
                                                     std::string_view platform) {
  ASSIGN_OR_RETURN(ImageDetails details, client_->InspectImage(repository, reference, platform));
  ASSIGN_OR_RETURN(details.history, client_->ImageHistory(repository, reference, platform));
  return details;
}

absl::Status GrpcStore::TagFrom(std::string_view from, const Digest& digest,
                                std::string_view repository, std::string_view tag) {
  return client_->TagFrom(from, digest, repository, tag);
}

absl::StatusOr<RemovedImage> GrpcStore::RemoveImage(std::string_view name, bool force) {
  return client_->RemoveImage(name, force, /*now=*/false);
}

absl::StatusOr<PruneReport> GrpcStore::Prune(const PruneRequest& request,
                                             const PruneObserver& observer) {
  return client_->Prune(request, observer);
}

absl::StatusOr<PruneReport> GrpcStore::AttachPrune(std::string_view id,
                                                   const PruneObserver& observer) {
  return client_->AttachPrune(id, observer);
}

absl::Status GrpcStore::CancelPrune(std::string_view id) { return client_->CancelPrune(id); }

absl::StatusOr<std::vector<PruneJob>> GrpcStore::ListPrunes() { return client_->ListPrunes(); }

absl::StatusOr<KeeperReport> GrpcStore::ExplainKept(std::string_view name) {
  return client_->ExplainKept(name);
}

absl::StatusOr<HoldInfo> GrpcStore::CreateHold(const HoldRequest& request) {
  return client_->CreateHold(request);
}

absl::Status GrpcStore::ReleaseHold(std::string_view name) { return client_->ReleaseHold(name); }

absl::StatusOr<Page<HoldInfo>> GrpcStore::ListHolds(const PageRequest& page) {
  ASSIGN_OR_RETURN(HoldPage found, client_->ListHolds(page.after, page.limit));
  return Page<HoldInfo>{std::move(found.holds), !found.next_page_token.empty(), {}};
}

absl::StatusOr<LeaseInfo> GrpcStore::CreateLease(const LeaseRequest& request) {
  return client_->CreateLease(request);
}

absl::StatusOr<std::vector<Digest>> GrpcStore::AttachToLease(std::string_view id,
                                                             absl::Span<const Digest> contents) {
  return client_->AttachToLease(id, contents);
}

absl::StatusOr<LeaseInfo> GrpcStore::RenewLease(std::string_view id, int64_t ttl_nanos) {
  return client_->RenewLease(id, ttl_nanos);
}

absl::Status GrpcStore::DeleteLease(std::string_view id) { return client_->DeleteLease(id); }

absl::StatusOr<Page<LeaseInfo>> GrpcStore::ListLeases(const PageRequest& page) {
  ASSIGN_OR_RETURN(LeasePage found, client_->ListLeases(page.after, page.limit));
  return Page<LeaseInfo>{std::move(found.leases), !found.next_page_token.empty(), {}};
}

absl::StatusOr<RepositoryMerge> GrpcStore::MergeRepositories(std::string_view from,
                                                             std::string_view into, bool force) {
  return client_->MergeRepositories(from, into, force);
}

absl::StatusOr<StoreInfo> GrpcStore::Info() {
  ASSIGN_OR_RETURN(DaemonInfo daemon, client_->Info());
  return std::move(daemon.store);
}

absl::StatusOr<DiskUsage> GrpcStore::MeasureDiskUsage() { return client_->MeasureDiskUsage(); }

absl::StatusOr<CheckReport> GrpcStore::Check(const CheckObserver& observer) {
  return client_->Check(observer);
}

absl::StatusOr<CheckReport> GrpcStore::CheckContent(const CheckObserver& observer) {
  return client_->CheckContent(observer);
}

absl::StatusOr<OrphanReport> GrpcStore::DropOrphans(const std::function<bool()>& /*go_on*/) {
  return client_->DropOrphans();
}

absl::StatusOr<OrphanReport> GrpcStore::AdoptOrphans(const std::function<bool()>& /*go_on*/) {
  return client_->AdoptOrphans();
}

}  // namespace varve
