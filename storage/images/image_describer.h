// Images as people see them: listings, and everything that is known about one. Puts together what
// the catalogue's rows, manifests and image configs say. Reads only: grants no promise, counts as
// no pull. Thread-safe.
#ifndef VARVE_STORAGE_IMAGES_IMAGE_DESCRIBER_H_
#define VARVE_STORAGE_IMAGES_IMAGE_DESCRIBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/base/clock.h"
#include "storage/blob/blob_store.h"
#include "storage/catalog/image_finder.h"
#include "storage/catalog/members.h"
#include "storage/catalog/repositories.h"
#include "storage/image/image_config.h"
#include "storage/image/image_filter.h"
#include "storage/image/manifest.h"
#include "storage/index/index.h"

namespace varve {

// What a call may still read. One read is one of the index, or 64 KiB of a blob.
class ReadBudget {
 public:
  explicit ReadBudget(size_t reads) : limit_(reads) {}

  void Spend(size_t reads) { spent_ += reads; }
  void SpendBytes(size_t bytes) { spent_ += 1 + bytes / kBytesPerRead; }
  bool used_up() const { return spent_ >= limit_; }
  size_t spent() const { return spent_; }

 private:
  static constexpr size_t kBytesPerRead = 64 * 1024;

  size_t limit_;
  size_t spent_ = 0;
};

// An image with what filters look at beside it.
struct ImageDescription {
  ImageInfo info;  // without tag
  // Of the config that info.created_nanos is of. Unknown when that config is not here or damaged;
  // an artifact, which has no image config, is known to have none.
  std::optional<ImageLabels> labels;
};

// When the image was made; when no config says, when it was pushed.
int64_t CreatedOrPushed(const ImageInfo& image);

// Whether labels and time match; unknown labels match no filter for labels. Names and dangling are
// for the caller to look at, before it describes the image.
bool Matches(const ImageFilter& filter, const ImageDescription& image);

class ImageDescriber {
 public:
  struct Parts {
    Index& index;
    BlobStore& blobs;
    Repositories& repositories;
    Members& members;
    ImageFinder& finder;  // for the filters that name an image
    Clock& clock;
  };

  explicit ImageDescriber(Parts parts) : parts_(parts) {}

  // The calls of Images, with the same contracts. A page of images costs about kMaxListingReads and
  // is shorter than wanted when that is used up. (list_images.cc, inspect_image.cc)
  absl::StatusOr<ImagePage> ListImages(const ImageQuery& asked, const std::string& page_token,
                                       size_t limit);
  absl::StatusOr<ImageDetails> InspectImage(std::string_view repository,
                                            const ManifestReference& reference,
                                            std::string_view platform);
  // Time in proportion to the repository, memory to a page of it.
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository);

  // One image of a repository, whose name and id are both given. NotFound when the repository does
  // not list it; a manifest or config that is lost or damaged leaves fields empty instead. What it
  // read is spent on `budget`, where there is one; at most about kMaxImageReads.
  absl::StatusOr<ImageDescription> Describe(RepositoryId id, std::string_view repository,
                                            const Digest& manifest, ReadBudget* budget = nullptr);
  // The same of a member that was read.
  absl::StatusOr<ImageDescription> DescribeMember(RepositoryId id, std::string_view repository,
                                                  ManifestInfo member,
                                                  ReadBudget* budget = nullptr);

 private:
  // An image manifest below an index, present in the repository.
  struct Leaf {
    ManifestInfo manifest;
    Platform platform;  // as the index states it
  };
  // What hangs below one index: everything that is in the repository, each manifest once.
  struct IndexContent {
    std::vector<Leaf> leaves;
    uint64_t total_bytes = 0;
    absl::flat_hash_set<Digest> visited;
  };
  struct OpenManifest {
    ParsedManifest parsed;
    std::vector<Platform> platforms;  // of parsed.children
  };

  // nullopt when the manifest's bytes are lost or damaged.
  std::optional<OpenManifest> OpenForDescription(const Digest& digest, std::string_view media_type,
                                                 ReadBudget* budget);
  absl::Status WalkIndex(RepositoryId id, const ManifestInfo& index, size_t depth,
                         const Platform& inherited, ReadBudget* budget, IndexContent* content);
  // Counts one child, and all below it when it is an index itself.
  absl::Status WalkChild(RepositoryId id, const Digest& child, size_t depth,
                         const Platform& platform, ReadBudget* budget, IndexContent* content);
  // The digest of its config when that is one of an image.
  std::optional<Digest> ImageConfigOf(const ManifestInfo& manifest, ReadBudget* budget);
  std::optional<ParsedImageConfig> ReadConfig(const Digest& config, ReadBudget* budget);
  // The leaf for `wanted`, by what the index states, else by what its config does.
  const Leaf* LeafFor(const std::vector<Leaf>& leaves, const Platform& wanted, ReadBudget* budget);
  // The one that stands for the whole index: for this machine, else the first image.
  const Leaf* ChooseLeaf(const std::vector<Leaf>& leaves, ReadBudget* budget);
  absl::Status DescribeIndex(RepositoryId id, ReadBudget* budget, ImageDescription* image);
  void ReadLabelsAndPlatform(const ManifestInfo& manifest, ReadBudget* budget,
                             ImageDescription* image);

  // list_images.cc
  absl::Status ResolveTimeBounds(ImageFilter* filter);

  // inspect_image.cc
  absl::StatusOr<Digest> ResolveReference(RepositoryId id, std::string_view repository,
                                          const ManifestReference& reference, ImageInfo* image);
  absl::Status InspectChildren(RepositoryId id, const OpenManifest& index, ReadBudget* budget,
                               IndexContent* content, std::vector<ChildInfo>* children);
  void InspectLeaf(const ManifestInfo& manifest, ReadBudget* budget, ImageDetails* details);
  // The tags that name it, of all repositories.
  absl::Status InspectNames(RepositoryId id, std::string_view repository, ImageDetails* details);

  const Parts parts_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_IMAGES_IMAGE_DESCRIBER_H_
