// What a repository shows of the blobs in the store: those that its manifests name, by their edges,
// and by a link what was pushed or mounted, until a manifest there names it or a day has passed.
// Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_LINKS_H_
#define VARVE_STORAGE_CATALOG_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/clock.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/image/digest.h"
#include "storage/index/due_queue.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/promises/promises.h"

namespace varve {

class Links {
 public:
  struct Parts {
    Index& index;
    Promises& promises;
    Clock& clock;
    EmptyRepositories& empty_repositories;
  };

  explicit Links(Parts parts);

  absl::StatusOr<bool> IsVisible(RepositoryId repository, const Digest& digest);
  // The same of many, in their order, with few reads of the index.
  absl::StatusOr<std::vector<bool>> AreVisible(RepositoryId repository,
                                               absl::Span<const Digest> digests);

  // Shows a blob in a repository from now on.
  absl::Status Add(Transaction& txn, RepositoryId repository, const Digest& digest);
  // Shows blobs that lose what showed them, but for those that go with the next pass of the
  // reclaimer: no edge is left of them, in no repository, and nobody was promised them. At most
  // kMaxBatchReads.
  absl::Status AddToWhatStays(Transaction& txn, RepositoryId repository,
                              absl::Span<const Digest> blobs);
  // What manifests of the repository named before it was visible there is visible from now on; up
  // to `limit` of their edges change, two writes each.
  absl::Status ActivatePendingEdges(Transaction& txn, RepositoryId repository, const Digest& digest,
                                    size_t limit);

  // Moves all links of a repository to another one, where their time begins anew.
  absl::Status MoveAll(RepositoryId from, RepositoryId into);
  // Background work: drops links that have expired.
  absl::Status Expire();

 private:
  // An expiry row, and the link that it is about.
  struct ExpiringLink {
    std::string row;
    int64_t expires = 0;
    RepositoryId repository = 0;
    Digest blob;
  };

  absl::Status Put(Transaction& txn, RepositoryId repository, const Digest& digest,
                   int64_t expires);
  absl::Status ExpirePage(Transaction& txn, absl::Span<const ExpiringLink> links, int64_t now);

  const Parts parts_;
  DueQueue expiries_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_LINKS_H_
