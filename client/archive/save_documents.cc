// What the lists of a saved archive say: index.json to all, manifest.json to docker.
#include <algorithm>
#include <array>
#include <utility>

#include "client/archive/archive_contents.h"
#include "client/archive/image_layout.h"
#include "client/archive/image_plan.h"
#include "client/archive/save_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

bool IsDockerLayerType(std::string_view media_type) {
  constexpr std::array<std::string_view, 4> kTars = {
      "application/vnd.oci.image.layer.v1.tar",
      "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.docker.image.rootfs.diff.tar",
      "application/vnd.docker.image.rootfs.foreign.diff.tar"};
  return std::any_of(kTars.begin(), kTars.end(), [&](std::string_view tar) {
    if (!media_type.starts_with(tar)) return false;
    const std::string_view rest = media_type.substr(tar.size());
    const bool oci = tar.starts_with("application/vnd.oci.");
    return rest.empty() || rest == (oci ? "+gzip" : ".gzip") || rest == (oci ? "+zstd" : ".zstd");
  });
}

bool IsZstd(const Descriptor& layer) { return layer.media_type.ends_with("zstd"); }

absl::Status TooMany(std::string_view what, size_t count, size_t limit) {
  return absl::FailedPreconditionError(StrCat("the archive would ", what, " ", count,
                                              ", and varve load takes at most ", limit,
                                              "; save fewer images at once"));
}

}  // namespace

bool IsDockerImage(const ParsedManifest& manifest) {
  const auto is_known = [](const Digest& digest) {
    return digest.algorithm() == DigestAlgorithm::kSha256;
  };
  return HasImageConfig(manifest) && is_known(manifest.config->digest) &&
         manifest.layers.size() < kMaxManifestReferences &&
         std::all_of(manifest.layers.begin(), manifest.layers.end(), [&](const Descriptor& layer) {
           return is_known(layer.digest) && IsDockerLayerType(layer.media_type);
         });
}

absl::Status CheckLoadable(const ArchiveSize& size) {
  if (size.images > kMaxArchiveImages) {
    return TooMany("list images:", size.images, kMaxArchiveImages);
  }
  if (size.index_bytes > kMaxDocumentBytes) {
    return TooMany("have an index.json whose bytes are", size.index_bytes, kMaxDocumentBytes);
  }
  if (size.files > kMaxArchiveEntries) {
    return TooMany("hold files:", size.files, kMaxArchiveEntries);
  }
  if (size.contents > kMaxPlannedContents) {
    return TooMany("be made of pieces, counted in each image:", size.contents, kMaxPlannedContents);
  }
  return absl::OkStatus();
}

void SavePlan::AddDockerImage(const std::string& name, const Node& node) {
  const std::string subject = name.empty() ? node.self.digest.ToString() : name;
  if (!IsDockerImage(node.content)) {
    notes_.push_back(StrCat(subject,
                            " has layers that docker does not know, or digests that are not "
                            "sha256, so docker cannot load it"));
    return;
  }
  DockerImage image;
  image.config = node.content.config->digest;
  bool zstd = false;
  for (const Descriptor& layer : node.content.layers) {
    if (blobs_.count(layer.digest) == 0) {
      notes_.push_back(StrCat(subject, " has a layer that is not here, so docker cannot load it"));
      return;
    }
    zstd = zstd || IsZstd(layer);
    image.layers.push_back(layer.digest);
  }
  if (zstd) {
    notes_.push_back(
        StrCat(subject, " has layers compressed with zstd, which docker before 23.0 cannot load"));
  }
  DockerImage& merged =
      docker_images_.try_emplace(node.self.digest, std::move(image)).first->second;
  if (!name.empty()) merged.names.insert(name);
}

std::vector<LayoutImage> SavePlan::LayoutImages() const {
  std::vector<LayoutImage> images;
  std::set<Digest> listed;
  for (const auto& [name, image] : images_) {
    images.push_back(image);
    listed.insert(image.digest);
  }
  for (const auto& [name, referrer] : referrers_) {
    if (!referrer.name.empty()) listed.insert(referrer.digest);
  }
  for (const auto& [name, referrer] : referrers_) {
    if (!referrer.name.empty() || !listed.contains(referrer.digest)) images.push_back(referrer);
  }
  return images;
}

std::vector<DockerImage> SavePlan::DockerImages() const {
  std::vector<DockerImage> images;
  for (const auto& [manifest, image] : docker_images_) {
    // Who reads both lists takes images of one config for one.
    if (!other_configs_.contains(image.config)) images.push_back(image);
  }
  std::sort(images.begin(), images.end(), [](const DockerImage& a, const DockerImage& b) {
    return std::tie(a.names, a.config, a.layers) < std::tie(b.names, b.config, b.layers);
  });
  return images;
}

ArchiveSize SavePlan::SizeOf(size_t images, size_t index_bytes) const {
  constexpr size_t kDocuments = 3;
  ArchiveSize size{.images = images,
                   .index_bytes = index_bytes,
                   .files = kDocuments + blobs_.size(),
                   .contents = 0};
  for (const auto& [image, count] : contents_) size.contents += count;
  return size;
}

absl::StatusOr<SavedDocuments> SavePlan::Documents() const {
  SavedDocuments documents;
  const std::vector<LayoutImage> listed = LayoutImages();
  documents.index_json = LayoutIndexJson(listed);
  RETURN_IF_ERROR(CheckLoadable(SizeOf(listed.size(), documents.index_json.size())));
  documents.notes = notes_;
  if (!referrers_.empty()) {
    documents.notes.push_back(StrCat(
        referrers_.size(),
        " signatures, attestations or other referrers are saved too (--no-referrers leaves them "
        "out); skopeo then needs the tag of the image, as in oci-archive:FILE:TAG"));
  }
  const std::vector<DockerImage> images = DockerImages();
  if (images.size() < docker_images_.size()) {
    documents.notes.push_back(StrCat(
        docker_images_.size() - images.size(),
        " images have the config of another that docker cannot load; for docker save them alone"));
  }
  if (images.empty()) return documents;
  documents.manifest_json = DockerManifestJson(images);
  if (documents.manifest_json.size() > kMaxDocumentBytes) {
    documents.manifest_json.clear();
    documents.notes.push_back(
        "there are so many images that there is no manifest.json, so docker cannot load them; "
        "for docker save fewer at once");
  }
  return documents;
}

}  // namespace varve
