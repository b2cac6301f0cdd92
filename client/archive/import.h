// Makes an image of one layer out of a root file system: a tar archive, plain or compressed.
// Streams: memory is bounded, and nothing is written but into the store. One thread calls; another
// is used inside while the call lasts.
#ifndef VARVE_CLIENT_ARCHIVE_IMPORT_H_
#define VARVE_CLIENT_ARCHIVE_IMPORT_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/archive/image_json.h"
#include "client/archive/inflated_digest.h"
#include "client/client.h"

namespace varve {

// Told how an import goes, from the thread that called.
class ImportObserver {
 public:
  virtual ~ImportObserver() = default;
  // The layer is about to be uploaded; `size_bytes` when that is known.
  virtual void OnStart(std::optional<uint64_t> /*size_bytes*/) {}
  virtual void OnProgress(uint64_t /*done_bytes*/) {}
  // Something that the person should know: one sentence.
  virtual void OnNote(const std::string& /*sentence*/) {}
};

struct ImportOptions {
  std::string repository = "untagged";  // where images without a name go
  std::string tag;                      // empty: none
  Platform platform = MachinePlatform();
  RuntimeConfig runtime;
  std::string created;  // RFC 3339
  std::string comment;  // of the one entry of the history
  InflateLimits limits;
  ImportObserver* observer = nullptr;
};

struct ImportedImage {
  ManifestInfo manifest;
  BlobInfo layer;
  Digest diff_id;
};

// Reads descriptor `fd` from where it stands (a regular file: from its beginning) to its end. A
// plain, gzip or zstd input becomes the layer byte for byte; xz and bzip2, which are no layer
// types, are stored decompressed. The layer is read as a tar while it is uploaded, and becomes
// part of the store only when it is one from beginning to end. The same input and options give the
// same image. An upload of a regular file that breaks off is resumed by the next call.
//
// Errors: InvalidArgument the input is no intact tar archive, or its compression is damaged ·
// ResourceExhausted it grows out of all proportion; and those of Client.
absl::StatusOr<ImportedImage> ImportImage(Client& client, int fd, const ImportOptions& options);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMPORT_H_
