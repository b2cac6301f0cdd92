// The seam between the doors (gRPC, OCI HTTP) and the engine. Doors know this header, the digest
// and the status codes, nothing below. Thread-safe; calls block on the disk.
//
// `repository` is a name such as "team/app": the repository of exactly that name if there is one,
// else the one of its canonical name, under which new ones are made (image/canonical_name.h).
// Answers that name a repository say what the store calls it. Where a blob call says so, the empty
// name means the whole store: only doors for trusted local clients may pass it.
//
// Every *exists* answer (StatBlob, FindMissing, MountBlob, a commit) and every answer with the
// digest of a manifest (PutManifest, GetManifest, StatManifest, FindImage, ListReferrers) is a
// promise: the content stays at least EngineOptions::promise_nanos, whatever is pruned or reclaimed
// meanwhile, and what was promised in a repository may be named there. ListImages, ListTags and
// InspectImage promise nothing: people look before they prune. A deletion that somebody asks for by
// name takes a manifest out of its repository all the same. Errors: storage/base/status.h. On an
// error nothing has changed, unless the code is kUnavailable, where the outcome is unknown and the
// same call may be repeated. Durability: when a call that changes something answers OK, the change
// is on stable storage.
#ifndef VARVE_STORAGE_API_STORE_H_
#define VARVE_STORAGE_API_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/event_log.h"
#include "storage/api/store_types.h"
#include "storage/base/byte_source.h"
#include "storage/image/digest.h"

namespace varve {

// An open blob; its bytes stay readable while it lives, whatever is removed meanwhile. Thread-safe.
struct BlobReader {
  BlobInfo info;
  std::unique_ptr<ByteSource> bytes;  // [0, info.size_bytes)
};

// One upload, held exclusively by its holder until destruction, which keeps what was received: the
// upload can be resumed by its id. Not thread-safe.
class Ingest {
 public:
  virtual ~Ingest() = default;

  virtual IngestStatus status() const = 0;
  // Announces `more` further bytes, so that a full disk is found before they are sent.
  virtual absl::Status Expect(uint64_t more_bytes) = 0;
  // `offset` must be status().offset_bytes, else OutOfRange. ResourceExhausted when there is no
  // room, after uploads that nobody works on gave way: what was received stays, status() says how
  // much, and the upload can go on when there is some. After any other error it is dropped.
  virtual absl::Status Append(uint64_t offset, std::string_view bytes) = 0;
  // Starts again at offset 0, dropping what was received.
  virtual absl::Status Restart() = 0;
  // Makes everything received so far resumable after a restart of the daemon. Not a commit.
  virtual absl::Status Checkpoint() = 0;
  // Checks size and digest, makes the blob durable and visible in the repository, ends the upload.
  // The same digest again is success. InvalidArgument on a mismatch: the upload is dropped.
  virtual absl::StatusOr<BlobInfo> Commit(const Digest& expected,
                                          std::optional<uint64_t> size_bytes) = 0;
  virtual absl::Status Abort() = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Blobs. NotFound when absent, damaged, or not visible in the repository. "" = whole store.
  virtual absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) = 0;
  virtual absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                          absl::Span<const Digest> digests) = 0;
  virtual absl::StatusOr<BlobReader> OpenBlob(std::string_view repository,
                                              const Digest& digest) = 0;
  // Makes a blob of `from` visible in `repository` too. Without `from`: of any repository.
  virtual absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                             std::optional<std::string_view> from) = 0;
  // FailedPrecondition while a manifest of the repository names it.
  virtual absl::Status DeleteBlob(std::string_view repository, const Digest& digest) = 0;

  // Uploads, which may be resumed by another name of their repository; a commit is to the one of
  // the last name. Another holder of the same id: waits up to a second, then Aborted. "" = whole
  // store. When there are kMaxOpenIngests already, the client with most of them loses its idlest
  // empty one; ResourceExhausted with kRetryAfterPayload when that does not help.
  virtual absl::StatusOr<std::unique_ptr<Ingest>> BeginIngest(std::string_view repository,
                                                              IngestOptions options) = 0;
  virtual absl::StatusOr<std::unique_ptr<Ingest>> ResumeIngest(std::string_view repository,
                                                               std::string_view id) = 0;
  virtual absl::StatusOr<Page<UploadInfo>> ListUploads(const PageRequest& page) = 0;  // by id
  // Of any repository; waits and Aborted as ResumeIngest.
  virtual absl::Status AbortUpload(std::string_view id) = 0;

  // Manifests. Put: InvalidArgument for what is malformed, FailedPrecondition when it names content
  // that is absent (payload kMissingDigestPayload: the digest).
  virtual absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                                   const PutManifestRequest& request) = 0;
  virtual absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                               const ManifestReference& reference) = 0;
  virtual absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                                    const ManifestReference& reference) = 0;
  // Removes it and its tags from this repository, and from no other. FailedPrecondition when a hold
  // or a lease is on it, and when an index there lists it, directly or through others, that is
  // tagged, held or leased. A promise refuses nothing.
  virtual absl::Status DeleteManifest(std::string_view repository, const Digest& digest) = 0;
  virtual absl::Status Tag(std::string_view repository, std::string_view tag,
                           const Digest& digest) = 0;
  // The image stays, as a dangling one if nothing else names it. FailedPrecondition, unless
  // `force`, when it is the last tag, of any repository, of an image with a hold: the hold keeps
  // the image, which only its digest names from then on. A tag that moves on is never refused.
  virtual absl::Status Untag(std::string_view repository, std::string_view tag, bool force) = 0;

  // Listings, in byte order of the name. NotFound when the repository does not exist.
  virtual absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                                 const PageRequest& page) = 0;
  // A number that is another one once a tag of the repository has changed, and sometimes when none
  // has: what was made of a listing can be used again while it stays the same, if it was asked for
  // before the listing. Another run of the daemon has other numbers.
  virtual absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) = 0;
  virtual absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) = 0;
  // `page.after` is a digest. With `artifact_type`, only referrers of that type. A promise for each
  // one told.
  virtual absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                           const Digest& subject,
                                                           std::string_view artifact_type,
                                                           const PageRequest& page) = 0;

  // Images as people see them.
  // Docker's rules: `name` is a reference, "REPOSITORY[:TAG][@DIGEST]", if there is such an image;
  // else an image id, which is the digest of the manifest or index, or so many of its leading
  // hexadecimal digits that it is the only one; where no id begins so, the digest of a config that
  // just one image has, likewise. NotFound; FailedPrecondition: ambiguous, with the images it may
  // be.
  // A promise.
  virtual absl::StatusOr<ImageMatch> FindImage(std::string_view name) = 0;
  // By repository in byte order: first its tags, then its manifests without a tag. At most
  // kMaxPageRows an answer. NotFound when the repository of the query does not exist.
  virtual absl::StatusOr<ImagePage> ListImages(const ImageQuery& query,
                                               const std::string& page_token, size_t limit) = 0;
  // Of an index, describes the child for `platform` ("os/arch[/variant]"); without one, the child
  // for this machine's platform, else its first image. NotFound when there is no such child.
  virtual absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                                    const ManifestReference& reference,
                                                    std::string_view platform) = 0;
  // Gives an image of `from` a tag in `repository`, which then lists it, with all its children.
  virtual absl::Status TagFrom(std::string_view from, const Digest& digest,
                               std::string_view repository, std::string_view tag) = 0;
  // Docker's `rmi`: a tag loses its name, and the image goes with its last tag of the repository;
  // an id goes from every repository; untagged and without `force`, it is left to those where it
  // refers to an image, unless it does in all. FailedPrecondition, unless `force`, when an id or a
  // digest has tags that the name does not imply, and for a last tag as in Untag. What an index
  // lists stays, and what loses its last tag while the image it refers to is there.
  virtual absl::StatusOr<RemovedImage> RemoveImage(std::string_view name, bool force) = 0;
  // Removes the dangling images that match, or all that are not in use, and reclaims what only they
  // kept.
  virtual absl::StatusOr<PruneReport> Prune(const PruneRequest& request,
                                            const PruneObserver& observer) = 0;
  // One prune runs at a time, others wait; one that is equal to another, filters in any order, is
  // that one: its caller attaches. A dry run removes nothing, so it never waits and has no id.
  // NotFound when no such prune runs or waits. A cancelled one, and one whose last caller left,
  // ends after the images it is at, 32 at most; those who follow it get Cancelled, and an equal
  // request that comes after that is another prune.
  virtual absl::StatusOr<PruneReport> AttachPrune(std::string_view id,
                                                  const PruneObserver& observer) = 0;
  virtual absl::Status CancelPrune(std::string_view id) = 0;
  virtual absl::StatusOr<std::vector<PruneJob>> ListPrunes() = 0;  // the latest that ended too

  // What keeps an image (by any name that FindImage takes) or any content (by its digest) alive,
  // down to tags, holds, leases and promises. Grants no promise. NotFound when it is not here.
  virtual absl::StatusOr<KeeperReport> ExplainKept(std::string_view name) = 0;
  // Holds keep an image, and what it lists, from prune and from deletion. The same hold again is
  // success and sets its end anew; AlreadyExists when the name holds another image; NotFound when
  // the repository does not list the manifest.
  virtual absl::StatusOr<HoldInfo> CreateHold(const HoldRequest& request) = 0;
  virtual absl::Status ReleaseHold(std::string_view name) = 0;
  virtual absl::StatusOr<Page<HoldInfo>> ListHolds(const PageRequest& page) = 0;  // by name
  // Leases keep content, by digest, from the reclaimer, and manifests from prune and deletion.
  // AlreadyExists when there is a lease of that id.
  virtual absl::StatusOr<LeaseInfo> CreateLease(const LeaseRequest& request) = 0;
  // Content that is not here is kept as soon as it comes. Answers which of it is not here now.
  virtual absl::StatusOr<std::vector<Digest>> AttachToLease(std::string_view id,
                                                            absl::Span<const Digest> contents) = 0;
  // From now on.
  virtual absl::StatusOr<LeaseInfo> RenewLease(std::string_view id, int64_t ttl_nanos) = 0;
  virtual absl::Status DeleteLease(std::string_view id) = 0;
  virtual absl::StatusOr<Page<LeaseInfo>> ListLeases(const PageRequest& page) = 0;  // by id

  // The store as a whole.
  virtual absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page) = 0;  // by digest
  virtual absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) = 0;
  // Makes everything of `from` part of `into`: images with their tags, holds and times, and what
  // was pushed and not named yet; then `from` is gone. When there is no `into`, `from` is called so
  // from then on. Of tags that both have for different images the one that was set last stays; with
  // such tags, and without `force`, nothing is done. Pushes and pulls go on meanwhile. Broken off,
  // the same call, or what the error says, goes on. FailedPrecondition: they are one already, or an
  // image of `from` cannot be read; Aborted: somebody else changed one of them. Time in proportion
  // to `from`.
  virtual absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from,
                                                            std::string_view into, bool force) = 0;
  virtual absl::StatusOr<StoreInfo> Info() = 0;
  virtual absl::StatusOr<RecentActivity> ListActivity() = 0;
  // Ends what was promised so far, and the wait after a start: then what nothing keeps goes with
  // the next Reclaim. For operators; not leases or holds.
  virtual void EndPromises() = 0;
  // Walks the whole index: takes time in proportion to the store, and little memory.
  virtual absl::StatusOr<DiskUsage> MeasureDiskUsage() = 0;
  // Looks for what is wrong: what must be alive, by what tags, members, holds, leases and the
  // manifests themselves say, is compared with edges, blobs, the condemned queue, counters and
  // files. Tells each finding as it is met; what changes meanwhile is none. Repairs nothing, and
  // does not hash content. Takes time in proportion to the store, and little memory. Cancelled when
  // the observer says no.
  virtual absl::StatusOr<CheckReport> Check(const CheckObserver& observer) = 0;
  // Reads every blob back from the disk and hashes it, at half speed while clients push. One whose
  // bytes are not what its digest says is told, and quarantined: it answers absent until it is
  // pushed again. Broken off, or stopped with the daemon, the next call goes on where it was.
  // Cancelled when the observer says no.
  virtual absl::StatusOr<CheckReport> CheckContent(const CheckObserver& observer) = 0;
  // Files that lost their rows because the index was damaged or replaced, kept for a week. Adopt
  // reads and hashes each, and makes those blobs again that something needs. Drop does the same and
  // removes the rest. One that cannot be read or made a blob again stays, and the others go on.
  // Both take time in proportion to the bytes, and are cancelled when `go_on` says no, between two
  // files.
  virtual absl::StatusOr<OrphanReport> DropOrphans(const std::function<bool()>& go_on) = 0;
  virtual absl::StatusOr<OrphanReport> AdoptOrphans(const std::function<bool()>& go_on) = 0;
  // Costs no more than a look at the disk's free space, and waits for nobody.
  virtual StoreHealth Health() = 0;
  // What happened to images since the daemon started; the newest kMaxEvents are kept.
  virtual EventLog& events() = 0;

  // Removes what is due (DESIGN: the condemned queue) and expired uploads; time in proportion to
  // the garbage. Safe at any moment beside everything else.
  virtual absl::StatusOr<ReclaimReport> Reclaim() = 0;

  // Makes all open uploads resumable; called before a shutdown.
  virtual absl::Status CheckpointIngests() = 0;
};

// Status payload that names the digest a manifest put missed: "sha256:…".
inline constexpr char kMissingDigestPayload[] = "varve/missing-digest";
// Status payload of ResourceExhausted when it is a limit of how much may go on at once: after so
// many seconds, in decimal, the same call may succeed.
inline constexpr char kRetryAfterPayload[] = "varve/retry-after-seconds";

}  // namespace varve

#endif  // VARVE_STORAGE_API_STORE_H_
