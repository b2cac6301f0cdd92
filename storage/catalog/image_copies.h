// Copies of images to another repository, with all that an index lists; no bytes are copied.
// Thread-safe.
#ifndef VARVE_STORAGE_CATALOG_IMAGE_COPIES_H_
#define VARVE_STORAGE_CATALOG_IMAGE_COPIES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/image_events.h"
#include "storage/catalog/manifest_puts.h"
#include "storage/catalog/members.h"
#include "storage/catalog/repositories.h"
#include "storage/catalog/tags.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"

namespace varve {

class ImageCopies {
 public:
  struct Parts {
    BlobStore& blobs;
    Repositories& repositories;
    ImageEvents& events;
    Members& members;
    Tags& tags;
    ManifestPuts& puts;
  };

  explicit ImageCopies(Parts parts) : parts_(parts) {}

  // Images::TagFrom: the image and, before it, all that an index lists become members of the other
  // repository; the tag is set together with the last of them.
  absl::Status TagFrom(std::string_view from, const Digest& digest, std::string_view repository,
                       std::string_view tag);

  // What is copied from where to where; belongs to one thread.
  struct Copying {
    RepositoryId from = 0;
    std::string_view to_name;
    RepositoryId to = 0;  // 0: may not exist yet
    // As it is: with the times of its pushes, and whatever of its content is missing. Manifests
    // that the other repository lists are not copied for the sake of an index that lists them.
    bool whole_repository = false;
    // A manifest that several indexes list is copied once.
    absl::flat_hash_set<Digest> done;
  };
  // Copies an image, and sets the tags there. NotFound when the first repository does not list it,
  // or its bytes are lost. Tells nobody who watches.
  absl::Status Copy(Copying& copying, const Digest& digest, const std::vector<std::string>& tags);

 private:
  absl::Status CopyAtDepth(Copying& copying, const Digest& digest,
                           const std::vector<std::string>& tags, size_t depth);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_CATALOG_IMAGE_COPIES_H_
