// What loading an archive tells while it works: for progress bars and messages. All calls come from
// the thread that loads; none may call the loader.
#ifndef VARVE_CLIENT_ARCHIVE_LOAD_OBSERVER_H_
#define VARVE_CLIENT_ARCHIVE_LOAD_OBSERVER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "storage/image/digest.h"

namespace varve {

// One tag that names a loaded image, or an image without a tag.
struct LoadedImage {
  std::string repository;          // as the store has it
  std::string tag;                 // or empty
  Digest manifest;                 // or index: the image id
  std::optional<Digest> replaced;  // what the tag named before
  std::optional<Digest> subject;   // what it refers to, by its own word
};

class LoadObserver {
 public:
  virtual ~LoadObserver() = default;

  // A blob is about to be uploaded. `name` is its digest where that is known by now, else what the
  // archive calls it.
  virtual void BlobStarted(const std::string& /*name*/, uint64_t /*size_bytes*/) {}
  // Bytes of it that were transferred so far.
  virtual void BlobProgress(uint64_t /*bytes*/) {}
  // The blob that was started is in the store.
  virtual void BlobDone() {}
  // The blob that was started cannot be loaded.
  virtual void BlobFailed() {}
  // A blob needs no upload, for the store has it. Comes without BlobStarted.
  virtual void BlobAlreadyThere(const std::string& /*name*/, uint64_t /*size_bytes*/) {}

  // Once for each tag; once in all for an image without tags.
  virtual void ImageLoaded(const LoadedImage& /*image*/) {}
  // Something about what was loaded that the person should know: one sentence.
  virtual void OnNote(const std::string& /*sentence*/) {}
  // The image was left out; the others of the archive are still tried.
  virtual void ImageFailed(const std::string& /*name*/, const absl::Status& /*status*/) {}
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_LOAD_OBSERVER_H_
