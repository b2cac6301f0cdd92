// `rmi`: removes what a name stands for, by Docker's rules where they make sense for a store of
// manifests, and with it what only that image needed in its repository: the children of an index
// and what refers to it, unless they are tagged, or needed by something else there. Thread-safe.
//
// A tag loses its name; its image goes with the last tag of the repository, unless an index of the
// repository lists it or it refers to a subject that is there: then it stays, untagged. An id goes
// from every repository (a referrer rather from those without its subject, unless there are none or
// by `force`), a digest from its own, with all tags: more than one only with `force`, and
// never what an index there lists, or a hold or a lease claims. A tag of an image in use goes only
// while there are others, or with `force`; the image stays. Each step is one transaction, and each
// decides again inside it.
#ifndef VARVE_STORAGE_RECLAIM_IMAGE_REMOVAL_H_
#define VARVE_STORAGE_RECLAIM_IMAGE_REMOVAL_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/images.h"
#include "storage/catalog/catalog.h"
#include "storage/reclaim/image_content.h"

namespace varve {

// Runs one deletion, on a full disk once more with the reserve given up.
using DeletionRunner = std::function<absl::Status(const std::function<absl::Status()>& deletion)>;

class ImageRemoval {
 public:
  struct Parts {
    ImageParts images;
    Promises& promises;
    Clock& clock;
    DeletionRunner run;
  };

  explicit ImageRemoval(Parts parts) : parts_(std::move(parts)) {}

  // Images::RemoveImage. An error after the first step may leave a part done; the same call goes
  // on.
  absl::StatusOr<RemovedImage> Remove(std::string_view name, bool force);

 private:
  // False when the tag names another manifest by now.
  absl::StatusOr<bool> RemoveTag(const ImageMatch& found, bool force, RemovedImage* removed);
  absl::Status RemoveFromPlaces(const ImageMatch& found, bool force, RemovedImage* removed);
  // An untagged referrer whose subject only some of its repositories have is left to those: else
  // `rmi` of what is dangling in one would take the signature of an image that another keeps.
  absl::Status LeaveToSubjects(ImageMatch* found);
  // FailedPrecondition when a hold or a lease is on the image.
  absl::Status CheckUnclaimed(const ImageMatch& found);
  // FailedPrecondition when the image may not go as it is asked for.
  absl::Status CheckConflicts(const ImageMatch& found, bool force);
  // Notes a deletion, and deletes what nothing needs any more.
  absl::Status AfterDeletion(const ImageContent& content, const std::string& repository,
                             RemovedImage* removed);
  // Adds up what of a deleted manifest and its blobs nothing keeps any more but a promise.
  absl::Status NotePromised(const ImageContent& content, RemovedImage* removed);
  void NotePromise(int64_t kept_nanos, RemovedImage* removed);
  absl::StatusOr<Deletion> Delete(const std::function<absl::StatusOr<Deletion>()>& deletion);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_RECLAIM_IMAGE_REMOVAL_H_
