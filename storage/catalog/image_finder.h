// What a name that a person typed stands for: a reference if there is such an image, else an image
// id or the leading digits of one, as Docker has it. An id is the digest of a manifest or index;
// where none begins so, the digest of a config that just one image has. Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_IMAGE_FINDER_H_
#define VARVE_STORAGE_CATALOG_IMAGE_FINDER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/images.h"
#include "storage/base/clock.h"
#include "storage/catalog/members.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/image/names.h"
#include "storage/index/index.h"
#include "storage/promises/promises.h"

namespace varve {

class ImageFinder {
 public:
  struct Parts {
    Index& index;
    Promises& promises;
    Clock& clock;
    Repositories& repositories;
    Members& members;
    Tags& tags;
  };

  explicit ImageFinder(Parts parts) : parts_(parts) {}

  // Images::FindImage, but no promise.
  absl::StatusOr<ImageMatch> Find(std::string_view name);
  // The same, and the answer is a promise wherever the image is.
  absl::StatusOr<ImageMatch> FindPromised(std::string_view name);

 private:
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

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_IMAGE_FINDER_H_
