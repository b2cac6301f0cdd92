// What a save will write, found out before it writes: every blob once, and the names. One thread.
#ifndef VARVE_CLIENT_ARCHIVE_SAVE_PLAN_H_
#define VARVE_CLIENT_ARCHIVE_SAVE_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/archive/image_json.h"
#include "client/archive/image_layout.h"
#include "client/archive/save.h"
#include "storage/image/manifest.h"

namespace varve {

// "docker.io/library/app:v1" for app:v1, "reg:5000/app:v1" for reg__5000/app:v1: how programs name
// images in annotations. `stored` is a repository.
std::string FullImageName(const std::string& stored, const std::string& tag);

// Of one image, with what refers to it: x ~1 KiB of descriptors = 10 MiB.
inline constexpr size_t kMaxTreeManifests = 10'000;

// Whether docker can load an image of these contents from manifest.json: it knows sha256 only, and
// layers that are tar archives, as they are or compressed with gzip or zstd.
bool IsDockerImage(const ParsedManifest& manifest);

// In the order in which they are written. Content that is two of them is the first.
enum class SavedKind { kManifest, kConfig, kLayer };

struct SavedBlob {
  SavedKind kind = SavedKind::kLayer;
  uint64_t size_bytes = 0;
  std::string repository;  // one that shows it
};

// What `varve load` limits.
struct ArchiveSize {
  size_t images = 0;  // entries of index.json
  size_t index_bytes = 0;
  size_t files = 0;
  size_t contents = 0;  // as kMaxPlannedContents
};
// FailedPrecondition when load would refuse the archive.
absl::Status CheckLoadable(const ArchiveSize& size);

// The lists of an archive.
struct SavedDocuments {
  std::string index_json;
  std::string manifest_json;       // empty when there is none
  std::vector<std::string> notes;  // sentences for the person about what not everybody can read
};

class SavePlan {
 public:
  SavePlan(Client& client, const SaveOptions& options) : client_(client), options_(options) {}

  // Adds what a name of SaveImages stands for, with the errors of SaveImages.
  absl::Status Add(const std::string& name);

  const std::map<Digest, SavedBlob>& blobs() const { return blobs_; }
  // FailedPrecondition when `varve load` would refuse the archive as too large.
  absl::StatusOr<SavedDocuments> Documents() const;

 private:
  // One manifest of an image: itself, or one that its index lists.
  struct Node {
    Descriptor self;
    std::optional<Platform> platform;  // as the index says
    bool attestation = false;
    ParsedManifest content;
    bool present = true;  // else the store does not have it, and the rest is unknown
  };

  static Node NodeOf(const ListedManifest& child);
  absl::Status AddTags(const std::string& repository);
  absl::Status AddImage(const std::string& repository, const std::string& tag,
                        const ManifestReference& reference);
  absl::StatusOr<std::vector<Node>> ReadTree(const std::string& repository,
                                             const ManifestReference& reference);
  absl::StatusOr<const Node*> Choose(const std::string& repository, const std::vector<Node>& tree,
                                     const Platform& wanted);
  absl::StatusOr<std::optional<Platform>> PlatformOf(const std::string& repository,
                                                     const Node& node);
  static LayoutImage EntryOf(const Descriptor& manifest, const std::string& repository,
                             const std::string& tag);
  // save_referrers.cc. What refers to the manifests, which grow by what is found.
  absl::Status AddReferrers(const std::string& repository, std::vector<Digest> subjects);
  absl::Status AddReferrer(const std::string& repository, const Referrer& referrer,
                           std::vector<Digest>* subjects);
  // Adds the nodes; FailedPrecondition when some are absent.
  absl::Status AddWholeTree(const std::string& repository, const std::vector<Node>& tree);
  absl::Status AddNode(const std::string& repository, const Node& node);
  absl::Status AddBlob(const std::string& repository, SavedKind kind, const Descriptor& content);
  // How much of kMaxPlannedContents the image takes.
  void CountContents(const Digest& image, const std::vector<Node>& tree);
  // save_documents.cc.
  void AddDockerImage(const std::string& name, const Node& node);
  // Entries of index.json and of manifest.json, in byte order of the names; referrers come last.
  std::vector<LayoutImage> LayoutImages() const;
  std::vector<DockerImage> DockerImages() const;
  ArchiveSize SizeOf(size_t images, size_t index_bytes) const;

  Client& client_;
  const SaveOptions& options_;
  std::map<Digest, SavedBlob> blobs_;
  std::map<Digest, DockerImage> docker_images_;  // by manifest
  std::set<Digest> other_configs_;               // of manifests that manifest.json cannot name
  std::map<Digest, size_t> contents_;            // of each entry of index.json
  using Entries = std::map<std::tuple<std::string, std::string, Digest>, LayoutImage>;  // by name
  Entries images_;
  Entries referrers_;
  std::set<std::pair<std::string, Digest>> subjects_;  // whose referrers were added
  std::vector<std::string> notes_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_SAVE_PLAN_H_
