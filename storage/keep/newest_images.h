// The newest images of a repository, which the filter keep-last=N protects. Remembers one
// repository at a time, as a prune walks them; memory in proportion to N. One thread.
#ifndef VARVE_STORAGE_KEEP_NEWEST_IMAGES_H_
#define VARVE_STORAGE_KEEP_NEWEST_IMAGES_H_

#include <cstddef>
#include <functional>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

class NewestImages {
 public:
  // Only what `counts` says yes to takes one of the `count` places of its repository.
  using Counts =
      std::function<absl::StatusOr<bool>(RepositoryId repository, const Digest& manifest)>;

  NewestImages(Index& index, size_t count, Counts counts)
      : index_(index), count_(count), counts_(std::move(counts)) {}

  // Whether the manifest is one of those pushed last. What an index of the repository lists, and
  // what refers to another image, is not an image of its own: it neither counts nor is among them.
  absl::StatusOr<bool> Contains(RepositoryId repository, const Digest& manifest);

 private:
  absl::Status Load(RepositoryId repository);

  Index& index_;
  const size_t count_;
  const Counts counts_;
  std::optional<RepositoryId> repository_;
  absl::flat_hash_set<Digest> newest_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_KEEP_NEWEST_IMAGES_H_
