// Repositories, what is visible in them, manifests, tags: everything that has a name. Thread-safe.
//
// Kept in index tables (storage/FORMAT.md): a manifest listed by a repository is a member; what a
// member names there is an edge, which both keeps the target alive and makes it visible in that
// repository; what was pushed or mounted and is not named yet is visible through a link that
// expires.
#ifndef VARVE_STORAGE_CATALOG_CATALOG_H_
#define VARVE_STORAGE_CATALOG_CATALOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/blobs.h"
#include "storage/api/event_log.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/commit_participant.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/pull_times.h"
#include "storage/catalog/recent_pulls.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tag_versions.h"
#include "storage/image/canonical_name.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/index/due_queue.h"
#include "storage/index/index.h"
#include "storage/index/rows.h"
#include "storage/promises/promises.h"

namespace varve {

class Catalog final : public CommitParticipant {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    IdAllocator& ids;
    Promises& promises;
    PullTimes& pull_times;
    Clock& clock;
    bool accept_sparse_index;
    const NameRule& names;
    EventLog& events;
  };

  explicit Catalog(Parts parts);

  Repositories repositories;
  EmptyRepositories empty_repositories;

  // The calls of Blobs and Manifests, with the same contracts.
  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest);
  absl::StatusOr<std::vector<Digest>> FindMissing(std::string_view repository,
                                                  absl::Span<const Digest> digests);
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest);
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from);
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest);

  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request);
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference);
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference);
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest);
  absl::Status Tag(std::string_view repository, std::string_view tag, const Digest& digest);
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force);
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag);

  // find_image.cc
  // Images::FindImage, but no promise.
  absl::StatusOr<ImageMatch> FindImage(std::string_view name);
  // The same, and the answer is a promise wherever the image is.
  absl::StatusOr<ImageMatch> ResolveImage(std::string_view name);

  // listings.cc
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository, const PageRequest& page);
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository);
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page);

  // merge_repositories.cc
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force);

  // blob_listing.cc
  absl::StatusOr<Page<BlobDetails>> ListBlobs(const PageRequest& page);

  // CommitParticipant: an upload makes its blob visible in its repository.
  absl::Status BeforeCommit(std::string_view repository, const Digest& digest) override;
  void WhileUploading(std::string_view repository, int64_t began_nanos) override;
  absl::Status InCommit(Transaction& txn, std::string_view repository,
                        const Digest& digest) override;
  std::string_view CanonicalOf(std::string_view repository) const override {
    return repositories.names().CanonicalOf(repository);
  }

  // Background work, called by Engine::Reclaim and at open: finishes deletions of manifests that a
  // crash or an error interrupted; drops links that have expired.
  absl::Status FinishDeletions();
  absl::Status ExpireLinks();

  // conditional_deletions.cc. Deletions that look, inside their transaction, whether something
  // needs the manifest; kAbsent when the repository does not list it (any more).
  enum class Deletion { kDeleted, kKept, kAbsent };
  // An image that goes, with the tags that may go with it.
  struct Prunable {
    Member image;
    std::vector<std::string> tags;
  };
  // The first of those that go together, unless something else keeps one of them (VisitKeepers):
  // a claim, a tag that is not named, a manifest or a subject that is not among them. Most go
  // alone; several keep each other. With `elsewhere_may_tag`, what other repositories tag does not
  // keep it here. At most kMaxCircle.
  absl::StatusOr<Deletion> DeletePrunable(const std::vector<Prunable>& together,
                                          bool elsewhere_may_tag);
  // delete_page.cc
  // An image that its repository lists, and that nothing keeps; with all that its manifest names.
  struct UnkeptImage {
    Digest manifest;
    std::vector<Digest> targets;
  };
  static constexpr size_t kPageImages = 32;
  static constexpr size_t kPageTargets = 170;
  // Deletes images of one repository, at most kPageImages with kPageTargets in all, by one
  // transaction: each unless something keeps it by now, also when that goes with it. `name` is the
  // repository's; OutOfRange when it is not any more.
  absl::StatusOr<std::vector<Deletion>> DeletePage(RepositoryId repository, std::string_view name,
                                                   absl::Span<const UnkeptImage> images);
  // Unless something of this repository needs it: a tag, an index that lists it, its subject, a
  // hold or a lease.
  // Tags that make it a referrer of `gone_subject` do not count.
  absl::StatusOr<Deletion> DeleteUnneeded(RepositoryId repository, const Digest& manifest,
                                          const Digest& gone_subject);
  // Manifests that tags of the repository make referrers of `subject`.
  absl::StatusOr<std::vector<Digest>> TaggedReferrersOf(RepositoryId repository,
                                                        const Digest& subject);
  // With its tags, unless it is claimed, or an index of this repository lists it. With `only_tags`,
  // also unless it has other tags here than those.
  absl::StatusOr<Deletion> DeleteUnlisted(RepositoryId repository, const Digest& manifest,
                                          const std::vector<std::string>* only_tags);
  // Removes a tag that names `manifest`, in one transaction with the manifest when nothing else of
  // the repository needs that. kKept: only the tag went; kAbsent: it does not name the manifest.
  // FailedPrecondition, unless `force`, as Manifests::Untag.
  absl::StatusOr<Deletion> RemoveTag(RepositoryId repository, std::string_view tag,
                                     const Digest& manifest, bool force);
  // The repositories that list a manifest.
  absl::StatusOr<std::vector<RepositoryId>> RepositoriesOf(const Digest& manifest);
  // Tags of the repository that name a manifest, in byte order.
  absl::StatusOr<std::vector<std::string>> TagsOf(RepositoryId repository, const Digest& manifest);

  // What a repository lists about a manifest; NotFound when it does not list it. Grants nothing.
  absl::StatusOr<ManifestInfo> ReadMember(RepositoryId repository, const Digest& digest);
  // The same of a row that was read.
  static ManifestInfo InfoOf(const Digest& digest, MemberRow row);

 private:
  // What is about to be committed is promised to its pusher, and so is the repository.
  absl::Status PromisePush(RepositoryId repository, const Digest& digest);

  absl::StatusOr<bool> IsVisible(RepositoryId repository, const Digest& digest);
  // The same of many, in their order, with few reads of the index.
  absl::StatusOr<std::vector<bool>> AreVisible(RepositoryId repository,
                                               absl::Span<const Digest> digests);
  absl::StatusOr<bool> IsMember(RepositoryId repository, const Digest& manifest);
  // Shows a blob in a repository until it is named there or a day has passed.
  absl::Status Link(Transaction& txn, RepositoryId repository, const Digest& digest);
  absl::Status PutLink(Transaction& txn, RepositoryId repository, const Digest& digest,
                       int64_t expires);
  // Shows blobs that lose what showed them, but for those that go with the next pass of the
  // reclaimer: no edge is left of them, in no repository, and nobody was promised them. At most
  // kMaxBatchReads.
  absl::Status LinkWhatStays(Transaction& txn, RepositoryId repository,
                             absl::Span<const Digest> blobs);
  // An expiry row, and the link that it is about.
  struct ExpiringLink {
    std::string row;
    int64_t expires = 0;
    RepositoryId repository = 0;
    Digest blob;
  };
  absl::Status ExpireLinkPage(Transaction& txn, absl::Span<const ExpiringLink> links, int64_t now);
  // What manifests of the repository named before it was visible there is visible from now on; up
  // to `limit` of their edges change, two writes each.
  absl::Status ActivatePendingEdges(Transaction& txn, RepositoryId repository, const Digest& digest,
                                    size_t limit);

  // put_manifest.cc. A reference with what was found of it before the transaction.
  struct ResolvedReference {
    Digest digest;
    bool is_child = false;
    bool visible = false;                  // else the edge is pending
    std::optional<uint64_t> stored_bytes;  // absent: it was not there; the transaction looks again
  };
  // Where config and layers of a manifest may be, besides its repository.
  struct Sources {
    bool whole_store = false;
    std::optional<RepositoryId> repository;
    // Of that repository, when all of it moves: whatever the manifest lacks, with its time.
    bool as_it_is = false;
  };
  struct PlacedManifest {
    ManifestInfo info;
    std::string_view repository;  // as the store has it
  };
  absl::StatusOr<PlacedManifest> PutManifestFrom(std::string_view repository,
                                                 const PutManifestRequest& request,
                                                 const Sources& sources);
  absl::StatusOr<std::vector<ResolvedReference>> ResolveReferences(std::string_view repository,
                                                                   const ParsedManifest& manifest,
                                                                   const Sources& sources);
  // Whether the repository, or one of the sources, shows what the references name, or may.
  absl::Status ResolveVisibility(std::optional<RepositoryId> repository, const Sources& sources,
                                 std::vector<ResolvedReference>& references);
  absl::Status ShowBlobs(RepositoryId repository, std::vector<ResolvedReference*>& references);
  absl::StatusOr<int64_t> PushedNanos(RepositoryId from, std::string_view into,
                                      const Digest& digest);
  // One on its way: what its transactions write.
  struct Put {
    std::string_view repository;  // as the store has it
    RepositoryId id = 0;
    Digest digest;
    const PutManifestRequest& request;
    MemberRow member;
    std::vector<ResolvedReference> references;  // ordered by digest
  };
  // Both: OutOfRange when what was resolved is not so any more.
  absl::Status PutAtOnce(const Put& put);
  absl::Status PutInPages(const Put& put) ABSL_LOCKS_EXCLUDED(paged_put_mutex_);
  // Commits the bytes of the manifest, and `also` in the same transaction.
  absl::Status CommitBytes(const Put& put, const std::function<absl::Status(Transaction&)>& also);
  // Guards what the references name; OutOfRange when that is not what was resolved any more.
  absl::Status CheckReferences(Transaction& txn, RepositoryId repository,
                               absl::Span<const ResolvedReference> references);
  absl::Status WriteEdges(Transaction& txn, const Put& put,
                          absl::Span<const ResolvedReference> references);
  // Makes it visible, with its tags; its edges are written, and its bytes committed.
  absl::Status ShowManifest(Transaction& txn, const Put& put);
  absl::Status TagIn(const NamedRepository& repository, std::string_view tag, const Digest& digest);
  absl::Status SetTag(Transaction& txn, RepositoryId repository, std::string_view tag,
                      const TagRow& row);

  // put_in_pages.cc
  absl::Status GuardNote(Transaction& txn, const Put& put, const std::string& note);
  absl::Status CheckChildren(Transaction& txn, const Put& put);

  // tag_from.cc
  struct Copying;  // of one image to another repository
  absl::Status CopyManifest(Copying& copying, const Digest& digest,
                            const std::vector<std::string>& tags, size_t depth);

  // merge_repositories.cc
  struct Merging;
  absl::Status FindCollisions(const Merging& merging, RepositoryMerge* report);
  absl::Status CopyRepository(const Merging& merging);
  absl::Status CopyManifestOf(const Merging& merging, const Digest& manifest);
  // Tags, holds and the time of the last pull; the tags that it had.
  absl::StatusOr<std::vector<std::string>> CopyTagsAndHolds(const Merging& merging,
                                                            const Digest& manifest);
  // A tag that the other repository has set later stays there.
  absl::Status CopyTags(const Merging& merging, const Digest& manifest,
                        absl::Span<const std::string> tags);
  absl::Status MoveHolds(const Merging& merging, const Digest& manifest);
  absl::Status CopyPullTime(const Merging& merging, const Digest& manifest);
  absl::Status MoveRest(const Merging& merging, const std::string& rest, uint64_t* manifests);
  absl::Status MoveMember(const Merging& merging, const Digest& manifest);
  absl::Status MoveLinks(const Merging& merging);

  // find_image.cc
  absl::StatusOr<std::optional<ImageMatch>> FindByReference(const ImageReference& reference);
  absl::StatusOr<ImageMatch> FindById(std::string_view name);
  // Those whose digests begin as `name` says; FailedPrecondition when they are too many.
  absl::StatusOr<std::vector<Digest>> BlobsLike(std::string_view name);
  // Those of them that a repository lists.
  absl::StatusOr<std::vector<Digest>> ManifestsAmong(const std::vector<Digest>& blobs);
  // Each once, and no more than an error shows.
  absl::Status AddImagesOfConfig(const Digest& config, std::vector<Digest>* images);
  // Their ids, with a name for each.
  absl::StatusOr<std::string> ShowImages(const std::vector<Digest>& images);
  absl::StatusOr<std::vector<ImageMatch::Place>> PlacesOf(const Digest& manifest);

  // delete_manifest.cc
  // FailedPrecondition when an index of the repository that lists the manifest, or one that lists
  // such an index, is tagged, held or leased; holds until the commit.
  absl::Status CheckUnlisted(Transaction& txn, std::string_view repository, const Member& manifest);
  // Deletes a manifest from a repository, with its tags there, if `may_go` says so; that is asked
  // inside the deletion's transaction, where the manifest's blob row is guarded exclusively: what
  // it finds of tags and of manifests that list this one holds until the commit. It may write a few
  // rows, also when it says no. The transaction may run several times.
  using MayGo = std::function<absl::StatusOr<bool>(Transaction&, const MemberRow&)>;
  // Those who watch are told the repository's name, or `told_name`.
  absl::StatusOr<Deletion> DeleteManifestIf(RepositoryId repository, const Digest& digest,
                                            const MayGo& may_go, std::string_view told_name = {});
  // conditional_deletions.cc. FailedPrecondition when the tag is the last one, of any repository,
  // of an image with a hold. Between two that remove tags the image's blob row decides, guarded
  // exclusively.
  absl::Status CheckLastTag(Transaction& txn, RepositoryId repository, std::string_view tag,
                            const Digest& manifest);
  // Inside it: whether no tag of the repository but these names the manifest.
  absl::StatusOr<bool> HasNoOtherTags(Transaction& txn, const Member& manifest,
                                      const std::vector<std::string>& tags);
  absl::Status TakeOverDeletion(RepositoryId repository, const Digest& manifest,
                                const std::string& note);
  absl::Status RemoveEdges(RepositoryId repository, const Digest& manifest,
                           const std::string& note);
  // Edges of a manifest that has gone, from indexes of its repository that list it, become pending:
  // they live again when it is pushed again. A page at a time; true when none is left.
  absl::Status Unlist(const Member& manifest, const std::string& note);
  absl::StatusOr<bool> UnlistPage(Transaction& txn, const Member& manifest);
  absl::StatusOr<bool> RemoveEdgePage(RepositoryId repository, const Digest& manifest,
                                      const std::string& note, const std::vector<Digest>& targets,
                                      size_t begin);

  // delete_page.cc
  // Takes the rows of images away that go.
  absl::Status DeleteRows(Transaction& txn, RepositoryId repository,
                          absl::Span<const UnkeptImage* const> images);
  absl::Status RemoveEdgesOf(Transaction& txn, RepositoryId repository,
                             absl::Span<const UnkeptImage* const> images, int64_t now);

  // For those who watch; after the commit. `tag` may be empty.
  void Tell(Event::Type type, std::string_view repository, std::string_view tag,
            const Digest& manifest);
  // That a manifest left the repository, with its tags: those of `untagged` and those that have
  // edges yet.
  void TellDeleted(RepositoryId repository, std::string_view told_name, const Digest& manifest,
                   const std::vector<std::string>& untagged);
  // That a manifest was read, unless that belongs to a pull that was told.
  void TellPull(const NamedRepository& repository, const ManifestReference& reference,
                const Digest& manifest);
  // Whether an index of the repository that lists the manifest was pulled just now.
  bool IsPartOfPull(RepositoryId repository, const Digest& manifest);

  absl::StatusOr<Digest> Resolve(RepositoryId repository, const ManifestReference& reference);
  absl::StatusOr<Manifest> ReadManifest(RepositoryId repository,
                                        const ManifestReference& reference);
  // StatManifest within a repository.
  absl::StatusOr<ManifestInfo> ReadManifestInfo(RepositoryId repository,
                                                const ManifestReference& reference);
  // The member that the reference names, promised: its manifest can be read from now on.
  absl::StatusOr<ManifestInfo> PromiseMember(RepositoryId repository,
                                             const ManifestReference& reference);
  absl::StatusOr<ReferrerInfo> ReadReferrer(RepositoryId repository, const Digest& digest);

  const Parts parts_;
  RecentPulls recent_pulls_;
  TagVersions tag_versions_;
  DueQueue link_expiries_;

  // Two puts of one manifest in pages would each undo what the other has noted.
  Mutex paged_put_mutex_;
  std::atomic<uint64_t> put_in_pages_ = 0;  // the number in the note of the one that runs
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_CATALOG_H_
