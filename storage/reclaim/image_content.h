// What an image of a repository is made of, and what belongs to it: for those that remove images.
// Reads only. Thread-safe: no shared state.
#ifndef VARVE_STORAGE_RECLAIM_IMAGE_CONTENT_H_
#define VARVE_STORAGE_RECLAIM_IMAGE_CONTENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/catalog.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"

namespace varve {

struct ImageParts {
  Index& index;
  BlobStore& blobs;
  Catalog& catalog;
};

// A manifest with what it names.
struct ImageContent {
  Member image;
  std::vector<Digest> children;
  std::vector<Digest> blobs;  // the manifest too; here or not
  bool complete = false;      // else it is lost or damaged, and names more
};

// Reads what the manifest names. One that is lost or damaged names nothing.
absl::StatusOr<ImageContent> ReadContent(const ImageParts& parts, const Member& image);

// nullopt when the blob is not here.
absl::StatusOr<std::optional<BlobCopy>> ReadCopy(const ImageParts& parts, const Digest& blob);
// The same of several, in their order.
absl::StatusOr<std::vector<std::optional<BlobCopy>>> ReadCopies(const ImageParts& parts,
                                                                absl::Span<const Digest> blobs);

// Calls `visit` for images that may have lost what kept them when `gone` went: what it lists, in
// any repository, and what refers to it in its own; `by_tag`: by a tag. Some may come twice.
absl::Status VisitFollowers(
    const ImageParts& parts, const ImageContent& gone,
    const std::function<absl::Status(const Member& follower, bool by_tag)>& visit);

// Whether VisitFollowers may find something that refers to the image. One read.
absl::StatusOr<bool> HasReferrers(Index& index, const Member& image);
// The same of up to kMaxBatchReads / 2 images, with one read, too.
absl::StatusOr<std::vector<bool>> HaveReferrers(Index& index, absl::Span<const Member> images);

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_IMAGE_CONTENT_H_
