// Loads the images of an archive or layout directory into the daemon: what `docker save`, podman,
// skopeo, buildah and buildkit write, OCI layouts, Docker archives, and directories of the form
// that skopeo calls `dir:` and podman `docker-dir`.
//
// Blobs arrive byte for byte. A manifest of an OCI layout keeps its digest; an image of a Docker
// archive gets an OCI manifest, the same for the same archive; its digest is the image's id here,
// while Docker's classic store takes the config's. All content of an image is checked before
// anything names it; what the store has already under the same digest and size is not uploaded, and
// under the name of its digest not read.
#ifndef VARVE_CLIENT_ARCHIVE_LOAD_H_
#define VARVE_CLIENT_ARCHIVE_LOAD_H_

#include <chrono>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/archive/archive_contents.h"
#include "client/archive/blob_uploader.h"
#include "client/archive/load_observer.h"
#include "client/client.h"

namespace varve {

// Where images go that an archive gives no name.
inline constexpr char kUntaggedRepository[] = "untagged";

struct LoadOptions {
  // For images without a name, and for those whose name is only a tag. Empty: the first go to
  // kUntaggedRepository, the second are refused.
  std::string repository;
  std::optional<Platform> platform;  // of an index, load the image for it instead
  ContentLimits limits;
  std::chrono::milliseconds renew_promises_after = kRenewPromisesAfter;
};

// Loads every image that `fd` holds: a file, a directory, or a stream, which is read to its end.
// An image that cannot be loaded is told to the observer and left out whole; the error returned is
// then that of the first one, DataLoss if any was damaged. An error that concerns all images ends
// the load.
//
// Errors: InvalidArgument, NotFound: the archive is not one, or incomplete; DataLoss: it is damaged
// (cut off, a wrong digest, a wrong size); ResourceExhausted: over a limit; those of the daemon.
absl::Status LoadImages(Client& client, int fd, const LoadOptions& options, LoadObserver& observer);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_LOAD_H_
