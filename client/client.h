// A connection to a varve daemon over the native API (proto/varve/v1), in the vocabulary of
// storage/api/. Knows no gRPC in its interface. Thread-safe; calls block.
//
// Errors are those of the daemon (storage/base/status.h). Unavailable: the daemon is not reachable,
// or the outcome is unknown; the same call may be repeated.
#ifndef VARVE_CLIENT_CLIENT_H_
#define VARVE_CLIENT_CLIENT_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/byte_source.h"
#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/event_log.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/pruning.h"
#include "storage/api/system.h"

namespace varve {

struct ClientOptions {
  // Everything that calls add or ask for is attached to the lease of this id; empty: to none.
  std::string lease;
  std::chrono::milliseconds call_timeout{60'000};  // of calls that move no blob
  // When the connection breaks: how often to try again in a row without progress, and how long to
  // wait before the first time; the wait doubles each time, up to longest_wait. A daemon that was
  // never there is not waited for.
  int attempts = 15;
  std::chrono::milliseconds first_wait{200};
  std::chrono::milliseconds longest_wait{2'000};

  // Before the next try after so many failures in a row, counted from 1.
  std::chrono::milliseconds WaitAfter(int failures) const {
    return std::min(longest_wait, first_wait * (1 << std::min(failures - 1, 10)));
  }
};

// Called with the bytes transferred so far of the whole blob, from the thread that transfers.
using TransferProgress = std::function<void(uint64_t bytes)>;

struct PutBlobOptions {
  std::string repository;          // where the blob becomes visible; empty: in the whole store only
  std::string upload_id;           // names the upload, so that a later call resumes it; or empty
  std::optional<Digest> expected;  // checked before the commit
  TransferProgress progress;
};

struct GetBlobOptions {
  std::string repository;
  TransferProgress progress;
};

// Takes the next bytes of a blob, in order.
using ByteSink = std::function<absl::Status(std::string_view bytes)>;

struct RepositoryPage {
  std::vector<RepositoryInfo> repositories;
  std::string next_page_token;  // empty after the last page
};

struct BlobPage {
  std::vector<BlobDetails> blobs;
  std::string next_page_token;  // empty after the last page
};

struct Referrer {
  ReferrerInfo info;
  std::string tag;  // that makes it a referrer; empty when it names its subject itself
};

struct ReferrerPage {
  std::vector<Referrer> referrers;
  std::string next_page_token;  // empty after the last page
};

struct HoldPage {
  std::vector<HoldInfo> holds;
  std::string next_page_token;  // empty after the last page
};

struct UploadPage {
  std::vector<UploadInfo> uploads;
  std::string next_page_token;  // empty after the last page
};

struct LeasePage {
  std::vector<LeaseInfo> leases;
  std::string next_page_token;  // empty after the last page
};

struct DaemonInfo {
  std::string version;
  int64_t started_nanos = 0;
  StoreInfo store;
};

struct WatchOptions {
  std::string token;               // go on after this event; empty: see from_oldest
  bool from_oldest = false;        // else begin with the next event to come
  bool follow = true;              // wait for new events; else end when there are no more
  std::vector<Event::Type> types;  // only these; empty: all
  std::string repository;          // only this one; empty: all
};

// Called for each event with the token that goes on after it; false ends the watch.
using EventSink = std::function<bool(const Event& event, const std::string& token)>;

class Client {
 public:
  virtual ~Client() = default;

  // Does not wait for the daemon. InvalidArgument for an address (client/daemon_address.h) or a
  // lease that cannot be one.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& address,
                                                         const ClientOptions& options = {});

  // Whether there is a connection at this moment: tells an unreachable daemon from one that answers
  // Unavailable.
  virtual bool connected() const = 0;

  virtual absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) = 0;
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                          absl::Span<const Digest> digests) = 0;

  // Uploads all of `source`, from its beginning. Bytes that an upload of the same id left at the
  // daemon are not sent again. When the connection breaks, goes on where the daemon stands, if the
  // source can go back there. FailedPrecondition when the source changed while it was read.
  virtual absl::StatusOr<BlobInfo> PutBlob(ByteSource& source, const PutBlobOptions& options) = 0;

  // Reads a whole blob into `sink`, going on after a broken connection without repeating bytes.
  // DataLoss when all the bytes together do not have that digest: what the sink got is worthless.
  virtual absl::StatusOr<BlobInfo> GetBlob(const Digest& digest, const ByteSink& sink,
                                           const GetBlobOptions& options) = 0;

  virtual absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                                   const PutManifestRequest& request) = 0;
  virtual absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                               const ManifestReference& reference) = 0;
  virtual absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                                    const ManifestReference& reference) = 0;
  virtual absl::Status Tag(std::string_view repository, std::string_view tag,
                           const Digest& digest) = 0;
  virtual absl::Status Untag(std::string_view repository, std::string_view tag, bool force) = 0;

  // The calls of storage/api/ with the same names and contracts.
  virtual absl::StatusOr<ImageMatch> FindImage(std::string_view name) = 0;
  virtual absl::StatusOr<ImagePage> ListImages(const ImageQuery& query,
                                               const std::string& page_token, size_t limit) = 0;
  // What refers to `subject`, by tags such as cosign's and then by its own word.
  virtual absl::StatusOr<ReferrerPage> ListReferrers(std::string_view repository,
                                                     const Digest& subject,
                                                     std::string_view artifact_type,
                                                     const std::string& page_token,
                                                     size_t limit) = 0;
  // Without its history.
  virtual absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                                    const ManifestReference& reference,
                                                    std::string_view platform) = 0;
  virtual absl::StatusOr<std::vector<HistoryEntry>> ImageHistory(std::string_view repository,
                                                                 const ManifestReference& reference,
                                                                 std::string_view platform) = 0;
  virtual absl::Status TagFrom(std::string_view from, const Digest& digest,
                               std::string_view repository, std::string_view tag) = 0;
  // With `now` all promises end first (System::EndPromises).
  virtual absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force, bool now) = 0;
  virtual absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                            const PruneObserver& observer) = 0;
  // Begins a prune that goes on without a caller; its id.
  virtual absl::StatusOr<std::string> StartPrune(const PruneRequest& request) = 0;
  virtual absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                                  const PruneObserver& observer) = 0;
  virtual absl::Status CancelPrune(std::string_view id) = 0;
  virtual absl::StatusOr<std::vector<PruneJob>> ListPrunes() = 0;
  virtual absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) = 0;

  virtual absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) = 0;
  virtual absl::Status ReleaseHold(std::string_view name) = 0;
  virtual absl::StatusOr<HoldPage> ListHolds(const std::string& page_token, size_t limit) = 0;
  virtual absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) = 0;
  virtual absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                            absl::Span<const Digest> contents) = 0;
  virtual absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) = 0;
  virtual absl::Status DeleteLease(std::string_view id) = 0;
  virtual absl::StatusOr<LeasePage> ListLeases(const std::string& page_token, size_t limit) = 0;

  virtual absl::StatusOr<UploadPage> ListUploads(const std::string& page_token, size_t limit) = 0;
  virtual absl::Status AbortUpload(std::string_view id) = 0;

  virtual absl::StatusOr<BlobPage> ListBlobs(const std::string& page_token, size_t limit) = 0;
  virtual absl::StatusOr<RepositoryPage> ListRepositories(const std::string& page_token,
                                                          size_t limit) = 0;
  virtual absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) = 0;
  virtual absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from,
                                                            std::string_view into, bool force) = 0;
  virtual absl::StatusOr<DaemonInfo> Info() = 0;
  virtual absl::StatusOr<RecentActivity> ListActivity() = 0;
  virtual absl::StatusOr<DiskUsage> MeasureDiskUsage() = 0;
  virtual absl::StatusOr<CheckReport> Check(const CheckObserver& observer) = 0;
  virtual absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) = 0;
  // See storage/api/system.h. Both take as long as the files are large.
  virtual absl::StatusOr<OrphanReport> DropOrphans() = 0;
  virtual absl::StatusOr<OrphanReport> AdoptOrphans() = 0;
  // Until the sink has enough, or there are no more. When the connection breaks, goes on after the
  // last event. OutOfRange when events were missed.
  virtual absl::Status WatchEvents(const WatchOptions& options, const EventSink& sink) = 0;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLIENT_H_
