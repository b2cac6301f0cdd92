// The catalogue: repositories, what is visible in them, manifests, tags; everything that has a
// name. Its parts over one set of index tables (storage/FORMAT.md), in order of construction: each
// knows some of those before it. A manifest listed by a repository is a member; what a member names
// there is an edge, which both keeps the target alive and makes it visible in that repository; what
// was pushed or mounted and is not named yet is visible through a link that expires. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_CATALOG_H_
#define VARVE_STORAGE_CATALOG_CATALOG_H_

#include "storage/api/event_log.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/id_allocator.h"
#include "storage/catalog/edge_removals.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/image_copies.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/image_finder.h"
#include "storage/catalog/links.h"
#include "storage/catalog/manifest_deletions.h"
#include "storage/catalog/manifest_puts.h"
#include "storage/catalog/manifest_reads.h"
#include "storage/catalog/members.h"
#include "storage/catalog/pull_times.h"
#include "storage/catalog/referrers.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/repository_blobs.h"
#include "storage/catalog/repository_merges.h"
#include "storage/catalog/tags.h"
#include "storage/image/canonical_name.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"

namespace varve {

struct Catalog {
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

  explicit Catalog(const Parts& parts);

  // Whose rows the others go by.
  Repositories repositories;
  EmptyRepositories empty_repositories;
  ImageEvents events;
  Members members;
  Tags tags;
  Links links;
  // What clients ask, and find.
  RepositoryBlobs blobs;
  ManifestReads reads;
  Referrers referrers;
  ImageFinder finder;
  // How manifests come and go.
  EdgeRemovals edge_removals;
  ManifestDeletions deletions;
  ManifestPuts puts;
  ImageCopies copies;
  RepositoryMerges merges;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_CATALOG_H_
