// In which order the images of an archive are loaded, and where referrers go: after what they refer
// to, and into every repository where that went. In any depth: a signature of an SBOM of an image
// comes third. Not thread-safe.
#ifndef VARVE_CLIENT_ARCHIVE_LOAD_ORDER_H_
#define VARVE_CLIENT_ARCHIVE_LOAD_ORDER_H_

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "client/archive/image_names.h"
#include "storage/image/digest.h"

namespace varve {

// What makes an image a referrer: its own field "subject", or a tag "sha256-<hex>[.suffix]".
struct Attachment {
  Digest subject;
  std::string tag;  // empty: its own field

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

// What an image of an archive has to do with the others.
struct ImageRelations {
  std::optional<Digest> digest;         // of its manifest, when it has one
  std::vector<Attachment> attachments;  // each once
  bool part = false;                    // it has no name, and another image lists it
};

class LoadOrder {
 public:
  explicit LoadOrder(std::vector<ImageRelations> images);

  // The number of the image to load now; nullopt after the last one. What is part of another image
  // and came with that is passed over.
  std::optional<size_t> Next();

  // Takes note that `manifest` is in `repository` now.
  void Place(const Digest& manifest, const std::string& repository);

  // Where an image goes because of what it refers to, with the tag that says so or with none.
  std::vector<ArchiveImageName> PlacesOf(size_t image) const;

 private:
  std::optional<size_t> NextReferrer();
  bool Waits(size_t image) const;
  bool HasPlaces(size_t image) const;

  const std::vector<ImageRelations> images_;
  std::deque<size_t> plain_;      // of those that refer to nothing, the rest; parts come last
  std::deque<size_t> referrers_;  // the rest of the others
  absl::flat_hash_set<Digest> waiting_;  // of referrers_
  absl::flat_hash_map<Digest, std::set<std::string>> places_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_LOAD_ORDER_H_
