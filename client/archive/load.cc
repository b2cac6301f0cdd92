#include "client/archive/load.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "client/archive/entry_name.h"
#include "client/archive/image_names.h"
#include "client/archive/image_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kIndexName[] = "index.json";
constexpr char kDockerManifestName[] = "manifest.json";

// An image that the archive lists.
struct ListedImage {
  std::variant<LayoutDescriptor, DockerArchiveImage> content;
  std::vector<ArchiveImageName> names;  // each once
  std::string label;                    // for sentences
  absl::Status problem;                 // with its names
};

bool IsFullName(std::string_view ref_name) {
  return ref_name.find_first_of(":/") != std::string_view::npos;
}

// Whether the other images of the archive can still be loaded.
bool ConcernsOneImage(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status) || absl::IsDataLoss(status);
}

class Loader {
 public:
  Loader(Client& client, const LoadOptions& options, LoadObserver& observer)
      : client_(client),
        options_(options),
        observer_(observer),
        uploader_(client, observer, options.renew_promises_after) {}

  absl::Status Load(int fd);

 private:
  absl::Status ListLayout();
  absl::Status ListDockerArchive();
  void AddNames(const LayoutDescriptor& descriptor, ListedImage* image);
  void AddName(const absl::StatusOr<ArchiveImageName>& name, ListedImage* image);
  // The names that manifest.json, where there is one beside index.json, gives the image.
  absl::Status AddDockerNames(const std::vector<DockerArchiveImage>& docker, ListedImage* image);

  absl::Status LoadOne(const ListedImage& image);
  absl::Status Publish(const ReadyImage& ready, const std::string& repository,
                       const std::vector<std::string>& tags);
  absl::StatusOr<std::string> BytesOf(const ReadyManifest& manifest);
  // The image that the tag of `image` names until it is loaded, when that is another one.
  absl::StatusOr<std::optional<Digest>> ReplacedId(const LoadedImage& image);

  Client& client_;
  const LoadOptions& options_;
  LoadObserver& observer_;
  BlobUploader uploader_;
  std::unique_ptr<ArchiveContents> contents_;
  std::vector<ListedImage> images_;
};

absl::Status Loader::Load(int fd) {
  ASSIGN_OR_RETURN(contents_, ArchiveContents::Open(fd, options_.limits, uploader_));
  if (contents_->Holds(kIndexName)) {
    RETURN_IF_ERROR(ListLayout());
  } else if (contents_->Holds(kDockerManifestName)) {
    RETURN_IF_ERROR(ListDockerArchive());
  } else {
    return absl::InvalidArgumentError(
        "it holds neither index.json nor manifest.json, so it is not an image archive; use varve "
        "image import for the root file system of an image");
  }
  if (images_.empty()) return absl::InvalidArgumentError("the archive lists no image");
  absl::Status first;
  for (const ListedImage& image : images_) {
    absl::Status status = image.problem.ok() ? LoadOne(image) : image.problem;
    if (status.ok()) continue;
    status = Annotate(status, StrCat("image ", image.label));
    if (!ConcernsOneImage(status)) return status;
    observer_.ImageFailed(image.label, status);
    if (first.ok() || (absl::IsDataLoss(status) && !absl::IsDataLoss(first))) first = status;
  }
  return first;
}

void Loader::AddName(const absl::StatusOr<ArchiveImageName>& name, ListedImage* image) {
  if (!name.ok()) {
    image->problem.Update(name.status());
  } else if (std::find(image->names.begin(), image->names.end(), *name) == image->names.end()) {
    image->names.push_back(*name);
  }
}

void Loader::AddNames(const LayoutDescriptor& descriptor, ListedImage* image) {
  if (!descriptor.own_name.empty()) {
    AddName(ExactName(descriptor.own_name), image);
  } else if (!descriptor.image_name.empty()) {
    AddName(FamiliarName(descriptor.image_name), image);
  } else if (IsFullName(descriptor.ref_name)) {
    AddName(FamiliarName(descriptor.ref_name), image);
  } else if (!descriptor.ref_name.empty() && !options_.repository.empty()) {
    AddName(FamiliarName(StrCat(options_.repository, ":", descriptor.ref_name)), image);
  }
}

absl::Status Loader::AddDockerNames(const std::vector<DockerArchiveImage>& docker,
                                    ListedImage* image) {
  const auto& descriptor = std::get<LayoutDescriptor>(image->content);
  const absl::StatusOr<std::string> bytes = ReadManifest(*contents_, descriptor);
  const absl::StatusOr<LayoutManifest> manifest =
      bytes.ok() ? ParseLayoutManifest(*bytes) : bytes.status();
  if (!manifest.ok()) {
    // What is wrong with the image itself is said when it is loaded.
    return ConcernsOneImage(manifest.status()) ? absl::OkStatus() : manifest.status();
  }
  if (!manifest->config) return absl::OkStatus();
  const std::string config_name = BlobEntryName(manifest->config->digest);
  for (const DockerArchiveImage& other : docker) {
    if (other.config != config_name) continue;
    for (const std::string& tag : other.repo_tags) AddName(FamiliarName(tag), image);
  }
  return absl::OkStatus();
}

absl::Status Loader::ListLayout() {
  ASSIGN_OR_RETURN(const std::string bytes, contents_->ReadDocument(kIndexName));
  const absl::StatusOr<LayoutManifest> index = ParseLayoutManifest(bytes);
  if (!index.ok()) return Annotate(index.status(), kIndexName);
  const absl::Status few = CheckArchiveImages(index->children.size());
  if (!few.ok()) return Annotate(few, kIndexName);
  std::vector<DockerArchiveImage> docker;
  if (contents_->Holds(kDockerManifestName)) {
    ASSIGN_OR_RETURN(const std::string docker_bytes, contents_->ReadDocument(kDockerManifestName));
    absl::StatusOr<std::vector<DockerArchiveImage>> parsed = ParseDockerArchive(docker_bytes);
    if (!parsed.ok()) return Annotate(parsed.status(), kDockerManifestName);
    docker = *std::move(parsed);
  }
  absl::flat_hash_map<Digest, size_t> places;
  for (const LayoutDescriptor& descriptor : index->children) {
    const auto [place, added] = places.try_emplace(descriptor.digest, images_.size());
    if (added) images_.push_back({.content = descriptor, .names = {}, .label = {}, .problem = {}});
    AddNames(descriptor, &images_[place->second]);
  }
  for (ListedImage& image : images_) {
    if (image.names.empty() && image.problem.ok()) RETURN_IF_ERROR(AddDockerNames(docker, &image));
    const auto& descriptor = std::get<LayoutDescriptor>(image.content);
    image.label = descriptor.digest.ToString();
    if (!image.names.empty() || !image.problem.ok() || descriptor.ref_name.empty()) continue;
    image.problem = absl::FailedPreconditionError(
        StrCat("the archive gives it only the tag ", Quoted(descriptor.ref_name),
               "; name its repository with --repository"));
  }
  return absl::OkStatus();
}

absl::Status Loader::ListDockerArchive() {
  ASSIGN_OR_RETURN(const std::string bytes, contents_->ReadDocument(kDockerManifestName));
  absl::StatusOr<std::vector<DockerArchiveImage>> docker = ParseDockerArchive(bytes);
  if (!docker.ok()) return Annotate(docker.status(), kDockerManifestName);
  for (DockerArchiveImage& listed : *docker) {
    ListedImage image;
    image.label = Quoted(listed.config);
    for (const std::string& tag : listed.repo_tags) AddName(FamiliarName(tag), &image);
    image.content = std::move(listed);
    images_.push_back(std::move(image));
  }
  return absl::OkStatus();
}

absl::Status Loader::LoadOne(const ListedImage& image) {
  absl::StatusOr<ReadyImage> ready;
  if (const auto* const docker = std::get_if<DockerArchiveImage>(&image.content)) {
    ready = MakeDockerImageReady(*contents_, *docker, options_.platform);
  } else {
    ready = LayoutImagePlanner(*contents_, options_.platform)
                .MakeReady(std::get<LayoutDescriptor>(image.content));
  }
  RETURN_IF_ERROR(ready.status());
  if (image.names.empty()) {
    return Publish(*ready, options_.repository.empty() ? kUntaggedRepository : options_.repository,
                   {});
  }
  std::vector<ArchiveImageName> names = image.names;
  while (!names.empty()) {
    const std::string repository = names.front().repository;
    std::vector<std::string> tags;
    for (const ArchiveImageName& name : names) {
      if (name.repository == repository && !name.tag.empty()) tags.push_back(name.tag);
    }
    RETURN_IF_ERROR(Publish(*ready, repository, tags));
    const auto done = [&](const ArchiveImageName& name) { return name.repository == repository; };
    names.erase(std::remove_if(names.begin(), names.end(), done), names.end());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Loader::BytesOf(const ReadyManifest& manifest) {
  if (!manifest.bytes.empty()) return manifest.bytes;
  return contents_->ReadDocument(BlobEntryName(manifest.digest));
}

absl::StatusOr<std::optional<Digest>> Loader::ReplacedId(const LoadedImage& image) {
  const absl::StatusOr<ManifestInfo> old = client_.StatManifest(image.repository, image.tag);
  if (absl::IsNotFound(old.status())) return std::nullopt;
  RETURN_IF_ERROR(old.status());
  const Digest& old_id = old->config ? *old->config : old->digest;
  return old_id == image.id ? std::nullopt : std::optional<Digest>(old_id);
}

absl::Status Loader::Publish(const ReadyImage& ready, const std::string& repository,
                             const std::vector<std::string>& tags) {
  LoadedImage loaded{.repository = repository,
                     .tag = "",
                     .manifest = ready.manifests.back().digest,
                     .id = ready.id,
                     .replaced_id = std::nullopt};
  std::vector<std::optional<Digest>> replaced;
  for (const std::string& tag : tags) {
    loaded.tag = tag;
    ASSIGN_OR_RETURN(replaced.emplace_back(), ReplacedId(loaded));
  }
  for (const ReadyManifest& manifest : ready.manifests) {
    ASSIGN_OR_RETURN(const std::string bytes, BytesOf(manifest));
    PutManifestRequest request;
    request.bytes = bytes;
    request.media_type = manifest.media_type;
    request.expected = manifest.digest;
    request.whole_store = true;
    if (&manifest == &ready.manifests.back()) {
      request.tags = tags;
      request.tags.resize(std::min(tags.size(), kMaxTagsPerPut));
    }
    RETURN_IF_ERROR(client_.PutManifest(repository, request).status());
  }
  for (size_t i = kMaxTagsPerPut; i < tags.size(); ++i) {
    RETURN_IF_ERROR(client_.Tag(repository, tags[i], loaded.manifest));
  }
  loaded.tag.clear();
  if (tags.empty()) observer_.ImageLoaded(loaded);
  for (size_t i = 0; i < tags.size(); ++i) {
    loaded.tag = tags[i];
    loaded.replaced_id = replaced[i];
    observer_.ImageLoaded(loaded);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LoadImages(Client& client, int fd, const LoadOptions& options,
                        LoadObserver& observer) {
  return Loader(client, options, observer).Load(fd);
}

}  // namespace varve
