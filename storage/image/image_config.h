// What the config of an image states, and the platforms of an index's children. Pure functions over
// untrusted bytes: bounded size, depth and memory (storage/limits.h), never a crash. Thread-safe.
#ifndef VARVE_STORAGE_IMAGE_IMAGE_CONFIG_H_
#define VARVE_STORAGE_IMAGE_IMAGE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/image/image_filter.h"
#include "storage/image/platform.h"

namespace varve {

struct HistoryEntry {
  std::optional<int64_t> created_nanos;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
  uint64_t size_bytes = 0;  // of the layer it made, as stored
};

// A field that the config does not have, or has as null, is empty here.
struct ParsedImageConfig {
  // Absent also when it is before 1678 or after 2261: tools that want reproducible images write the
  // year 1.
  std::optional<int64_t> created_nanos;
  Platform platform;
  std::string author;
  std::string docker_version;
  std::string runtime_json;  // the object "config", serialised; "" when absent
  ImageLabels labels;        // config.Labels
  std::vector<std::string> diff_ids;
  std::vector<HistoryEntry> history;  // oldest first; sizes are 0
};

// InvalidArgument, naming the field, when the bytes are no JSON object, a field read here has
// another shape, or a limit is passed. Of a field that appears twice the last one counts, as in
// Docker. Never echoes text of the config.
absl::StatusOr<ParsedImageConfig> ParseImageConfig(std::string_view bytes);

// What of a config says which layers are under it and on what they run.
struct ConfigLayers {
  Platform platform;
  std::vector<Digest> diff_ids;  // of the uncompressed layers, lowest first
};

// Looks at these fields only: an image whose config is odd elsewhere can be loaded and saved all
// the same. Errors of ParseImageConfig.
absl::StatusOr<ConfigLayers> ParseConfigLayers(std::string_view bytes);

// The `platform` of each entry of `manifests`, in order; empty where none is stated or it is
// malformed, which a push does not check. InvalidArgument when the bytes are no index.
absl::StatusOr<std::vector<Platform>> ParseChildPlatforms(std::string_view index_bytes);

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGE_IMAGE_CONFIG_H_
