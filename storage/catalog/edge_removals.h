// The end of a manifest's edges, a page at a time: a manifest with many references needs no large
// transaction. A note row says that the edges of a manifest have to go: a deletion writes it when
// it makes the manifest invisible, a put in pages before the manifest is visible. A crash leaves
// the note, and FinishAll goes on. Indexes that list the manifest stay, with a pending edge.
// Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_EDGE_REMOVALS_H_
#define VARVE_STORAGE_CATALOG_EDGE_REMOVALS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/blob/blob_store.h"
#include "storage/blob/id_allocator.h"
#include "storage/catalog/empty_repositories.h"
#include "storage/catalog/links.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/promises/promises.h"

namespace varve {

class EdgeRemovals {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    IdAllocator& ids;
    Promises& promises;
    Clock& clock;
    EmptyRepositories& empty_repositories;
    Tags& tags;
    Links& links;
  };

  explicit EdgeRemovals(Parts parts) : parts_(parts) {}

  // The value of a new note (EdgeRemovalKey), unlike all others: it tells a deletion from a later
  // one of the same manifest, pushed again in between.
  absl::StatusOr<std::string> NewNote();
  // Removes the edges, and the note at last, as long as the note is this one.
  absl::Status Run(RepositoryId repository, const Digest& manifest, const std::string& note);
  // The same under a note of its own, which stops whoever wrote this one: a put in pages writes no
  // more edges.
  absl::Status TakeOver(RepositoryId repository, const Digest& manifest, const std::string& note);
  // Background work, and at open: finishes what a crash or an error interrupted.
  absl::Status FinishAll() ABSL_LOCKS_EXCLUDED(running_mutex_);

  // The put in pages that runs, one at a time: while it lives, FinishAll leaves its note alone.
  class RunningPut {
   public:
    RunningPut(EdgeRemovals& edge_removals, const std::string& note);
    ~RunningPut();
    RunningPut(const RunningPut&) = delete;
    RunningPut& operator=(const RunningPut&) = delete;

   private:
    EdgeRemovals& edge_removals_;
  };

  // Whether an index of the repository is there; an image that names a manifest among its blobs
  // needs no more than its bytes.
  static absl::StatusOr<bool> IsIndexHere(Transaction& txn, const Member& lister);

 private:
  bool IsOfRunningPut(const std::string& note) ABSL_LOCKS_EXCLUDED(running_mutex_);
  // Edges of a manifest that has gone, from indexes of its repository that list it, become pending:
  // they live again when it is pushed again. A page at a time; true when none is left.
  absl::Status Unlist(const Member& manifest, const std::string& note);
  absl::StatusOr<bool> UnlistPage(Transaction& txn, const Member& manifest);
  absl::StatusOr<bool> RemoveEdgePage(RepositoryId repository, const Digest& manifest,
                                      const std::string& note, const std::vector<Digest>& targets,
                                      size_t begin);

  const Parts parts_;
  Mutex running_mutex_;
  std::string running_put_ ABSL_GUARDED_BY(running_mutex_);  // its note; empty: none runs
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_EDGE_REMOVALS_H_
