// What an image is, in a word for people. Pure functions.
#ifndef VARVE_CLIENT_CLI_IMAGE_TYPE_H_
#define VARVE_CLIENT_CLI_IMAGE_TYPE_H_

#include <string>
#include <string_view>

#include "storage/api/manifests.h"
#include "storage/image/platform.h"

namespace varve {

inline constexpr char kPlainImage[] = "image";

// "image" (also an index of some), "signature", "attestation", "SBOM", "chart", "build cache",
// "referrers" (the list that a client without the referrers API keeps); of other artifacts their
// type as it is, "artifact" when they do not say. `tag` is one that names it, or empty; signers
// that give their manifests no type say there what they are ("sha256-<hex>.sig"). `platform` is
// that of its config or of the index that lists it: builders attach attestations as images for
// "unknown".
std::string ImageType(const ManifestInfo& manifest, std::string_view tag, const Platform& platform);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_IMAGE_TYPE_H_
