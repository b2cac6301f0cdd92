// What a manifest must be as a whole, once each of its fields was read: of one kind, with the
// fields of that kind, and within the limits. Pure functions.
#ifndef VARVE_STORAGE_IMAGE_MANIFEST_RULES_H_
#define VARVE_STORAGE_IMAGE_MANIFEST_RULES_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/image/manifest.h"

namespace varve {

// `fields` has a bit for each of kTopFields that was there. Settles the kind, by `content_type`, by
// the media type that the manifest states, or by its fields. InvalidArgument names the field.
absl::StatusOr<ParsedManifest> SettleManifest(ParsedManifest manifest, uint32_t fields,
                                              ManifestRules rules, std::string_view content_type);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_MANIFEST_RULES_H_
