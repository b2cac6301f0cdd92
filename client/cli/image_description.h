// One image in full, as `image inspect` prints it. Pure functions.
#ifndef VARVE_CLIENT_CLI_IMAGE_DESCRIPTION_H_
#define VARVE_CLIENT_CLI_IMAGE_DESCRIPTION_H_

#include <string>

#include "storage/api/images.h"

namespace varve {

// A JSON object with the field names of `docker image inspect`, and Varve's own: Digest, MediaType,
// ConfigDigest, ArtifactType, Pushed, LastPulled, Layers, Manifests, Annotations, Described.
std::string DescribeImageJson(const ImageDetails& details);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_IMAGE_DESCRIPTION_H_
