// The way in of a manifest: parsed, its references checked, then manifest, edges, membership and
// tags made visible in one transaction, or in pages when it names more than one takes. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_MANIFEST_PUTS_H_
#define VARVE_STORAGE_CATALOG_MANIFEST_PUTS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/edge_removals.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/links.h"
#include "storage/catalog/members.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/image/manifest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/promises/promises.h"

namespace varve {

class ManifestPuts {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Promises& promises;
    Clock& clock;
    bool accept_sparse_index;
    Repositories& repositories;
    ImageEvents& events;
    Members& members;
    Tags& tags;
    Links& links;
    EdgeRemovals& edge_removals;
  };

  explicit ManifestPuts(Parts parts) : parts_(parts) {}

  // Manifests::PutManifest.
  absl::StatusOr<ManifestInfo> Put(std::string_view repository, const PutManifestRequest& request);

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
  // The same; tells nobody who watches.
  absl::StatusOr<PlacedManifest> PutFrom(std::string_view repository,
                                         const PutManifestRequest& request, const Sources& sources);

 private:
  // A reference with what was found of it before the transaction.
  struct ResolvedReference {
    Digest digest;
    bool is_child = false;
    bool visible = false;                  // else the edge is pending
    std::optional<uint64_t> stored_bytes;  // absent: it was not there; the transaction looks again
  };
  // One on its way: what its transactions write.
  struct NewManifest {
    std::string_view repository;  // as the store has it
    RepositoryId id = 0;
    Digest digest;
    const PutManifestRequest& request;
    MemberRow member;
    std::vector<ResolvedReference> references;  // ordered by digest
  };

  absl::StatusOr<std::vector<ResolvedReference>> ResolveReferences(std::string_view repository,
                                                                   const ParsedManifest& manifest,
                                                                   const Sources& sources);
  // Whether the repository, or one of the sources, shows what the references name, or may.
  absl::Status ResolveVisibility(std::optional<RepositoryId> repository, const Sources& sources,
                                 std::vector<ResolvedReference>& references);
  absl::Status ShowBlobs(RepositoryId repository, std::vector<ResolvedReference*>& references);
  absl::StatusOr<int64_t> PushedNanos(RepositoryId from, std::string_view into,
                                      const Digest& digest);

  // Both: OutOfRange when what was resolved is not so any more.
  absl::Status PutAtOnce(const NewManifest& put);
  absl::Status PutInPages(const NewManifest& put) ABSL_LOCKS_EXCLUDED(paged_put_mutex_);
  // Commits the bytes of the manifest, and `also` in the same transaction.
  absl::Status CommitBytes(const NewManifest& put,
                           const std::function<absl::Status(Transaction&)>& also);
  // Guards what the references name; OutOfRange when that is not what was resolved any more.
  absl::Status CheckReferences(Transaction& txn, RepositoryId repository,
                               absl::Span<const ResolvedReference> references);
  absl::Status WriteEdges(Transaction& txn, const NewManifest& put,
                          absl::Span<const ResolvedReference> references);
  // Makes it visible, with its tags; its edges are written, and its bytes committed.
  absl::Status ShowManifest(Transaction& txn, const NewManifest& put);

  // put_in_pages.cc
  absl::Status GuardNote(Transaction& txn, const NewManifest& put, const std::string& note);
  absl::Status CheckChildren(Transaction& txn, const NewManifest& put);

  const Parts parts_;
  // Two puts of one manifest in pages would each undo what the other has noted.
  Mutex paged_put_mutex_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_MANIFEST_PUTS_H_
