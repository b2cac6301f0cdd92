// Which images an archive holds, under which names, and what they are made of: index.json and
// manifest.json read together. Not thread-safe.
//
// What manifest.json says counts: an index.json beside it may name fewer images, or manifests that
// are not whole. What only index.json names is listed too.
#ifndef VARVE_CLIENT_ARCHIVE_LISTED_IMAGES_H_
#define VARVE_CLIENT_ARCHIVE_LISTED_IMAGES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_contents.h"
#include "client/archive/image_layout.h"
#include "client/archive/image_names.h"
#include "client/archive/image_plan.h"
#include "client/archive/load_order.h"

namespace varve {

struct ListedImage {
  std::optional<ImagePlan> plan;             // of an image of index.json
  std::optional<DockerArchiveImage> docker;  // of manifest.json, when plan is absent or not whole
  std::vector<ArchiveImageName> names;       // each once
  std::string lone_tag;                      // that the archive gives it without a repository
  ImageRelations relations;
  std::string label;     // for sentences
  absl::Status problem;  // with its names
};

struct ImageList {
  std::vector<ListedImage> images;
  absl::flat_hash_set<Digest> docker_configs;  // of the images that manifest.json names
};

// `repository` is where an image goes whose name is only a tag; empty: nowhere. Errors:
// InvalidArgument when the archive is none of images, or its lists cannot be read, or are too long.
absl::StatusOr<ImageList> ListImages(ArchiveContents& contents, const std::string& repository);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_LISTED_IMAGES_H_
