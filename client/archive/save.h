// Writes images of a store as one archive that is an OCI image layout and has Docker's
// manifest.json: what `varve load`, podman, skopeo (oci-archive:) and docker read. Streams; memory
// is in proportion to the number of blobs. One thread.
//
// Order of the entries: oci-layout, index.json, manifest.json, then manifests, configs and layers,
// each of them by digest. So a reader that streams knows what is coming before it comes, and what
// a layer is for; docker, which unpacks everything first, does not care. The same images give the
// same bytes.
#ifndef VARVE_CLIENT_ARCHIVE_SAVE_H_
#define VARVE_CLIENT_ARCHIVE_SAVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/client.h"

namespace varve {

// Told how a save goes, from the thread that saves.
class SaveObserver {
 public:
  virtual ~SaveObserver() = default;
  // Everything is known, nothing is written.
  virtual void OnStart(uint64_t /*blobs*/, uint64_t /*bytes*/) {}
  // `done_bytes` of a layer are written. The first call for a layer has 0, the last one size_bytes;
  // there is one layer at a time.
  virtual void OnLayer(const Digest& /*layer*/, uint64_t /*done_bytes*/, uint64_t /*size_bytes*/) {}
  // Something about the archive that the person should know: one sentence.
  virtual void OnNote(const std::string& /*sentence*/) {}
};

struct SaveOptions {
  // Saves only the child of an index that is for this platform, as the image. Otherwise an index is
  // saved whole, and manifest.json, which can name one child only, names that for this machine's
  // platform, or else the first.
  std::optional<Platform> platform;
  // Take along what refers to the manifests that are saved (signatures, attestations, SBOMs), by
  // its own word or by a tag as cosign's, and what refers to that, in any depth.
  bool referrers = true;
  SaveObserver* observer = nullptr;
};

// InvalidArgument when `name` is nothing that SaveImages takes.
absl::Status ValidateSaveName(const std::string& name);

// Saves the images of `names`:
//
//   REPOSITORY          every tag of the repository
//   REPOSITORY:TAG      that image, under this name
//   REPOSITORY@DIGEST   that manifest, without a name
//   an image id, or its beginning, where no repository has that name: without a name
//
// In index.json referrers come after the images, without a name unless a tag makes them referrers;
// manifest.json does not name them, nor images that docker cannot load: those with layers that are
// encrypted, compressed with anything but gzip or zstd, or no tar archives, and those with digests
// that are not sha256. Without an image that it could name there is no manifest.json.
//
// The whole tree is looked up before the first byte goes to `sink`. Every blob is verified while it
// is written; when the call fails, what the sink got is worthless.
//
// Errors: InvalidArgument a name is malformed · NotFound no such image, or not for the platform ·
// FailedPrecondition an index has children that are not here, and no platform was chosen, or the
// archive would be more than `varve load` takes ·
// DataLoss a blob is missing or damaged in the store; and those of the sink.
absl::Status SaveImages(Client& client, const std::vector<std::string>& names,
                        const SaveOptions& options, const ByteSink& sink);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_SAVE_H_
