#include "client/archive/load.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "client/archive/entry_name.h"
#include "client/archive/gap_note.h"
#include "client/archive/listed_images.h"
#include "client/archive/load_order.h"
#include "client/archive/ready_image.h"
#include "client/archive/stored_layers.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/limits.h"

namespace varve {
namespace {

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
        uploader_(client, observer, options.renew_promises_after),
        layers_(client, uploader_) {}

  absl::Status Load(int fd);

 private:
  struct Published {
    const ReadyManifest* named = nullptr;  // what the tags name now
    std::string repository;                // as the store has it, if there are tags
  };

  absl::Status LoadOne(size_t number);
  // Where the image of that number goes; nowhere when what it refers to was not wanted.
  absl::StatusOr<std::vector<ArchiveImageName>> NamesOf(size_t number);
  absl::StatusOr<ReadyImage> MakeReady(const ListedImage& image);
  // Whether it has a layer that is compressed as those of OCI images cannot be.
  bool HasDockerLayer(const ImagePlan& plan);
  // Puts the image.
  absl::StatusOr<Published> Publish(const ReadyImage& ready, const std::string& repository,
                                    const std::vector<std::string>& tags);
  absl::StatusOr<const ReadyManifest*> PutAll(const ReadyImage& ready,
                                              const std::string& repository,
                                              const std::vector<std::string>& tags);
  absl::Status Put(const ReadyManifest& manifest, const std::string& repository,
                   const std::vector<std::string>& tags);
  // What the store has under a name, and what it calls that; nullopt when there is nothing.
  absl::StatusOr<std::optional<ImageMatch>> FindNamed(const ArchiveImageName& name);
  // Takes away the tags under which the store has the manifest by another form of the repository.
  absl::Status LeaveOutLoaded(const Digest& manifest, const std::string& repository,
                              std::vector<std::string>* tags);
  // Repositories of the store with the subject of an image that the archive gives no place.
  absl::StatusOr<std::vector<ArchiveImageName>> PlacesOfSubjects(const ListedImage& image);
  // InvalidArgument when another image of this archive was loaded under the name.
  absl::Status CheckUntaken(const ArchiveImageName& name, const ReadyImage& ready);
  // The manifest that the tag names.
  absl::StatusOr<std::optional<Digest>> Tagged(const std::string& repository,
                                               const std::string& tag);

  Client& client_;
  const LoadOptions& options_;
  LoadObserver& observer_;
  BlobUploader uploader_;
  StoredLayers layers_;
  std::unique_ptr<ArchiveContents> contents_;
  ImageList list_;
  std::unique_ptr<LoadOrder> order_;
  absl::flat_hash_set<std::string> taken_;  // names of loaded images, as the store has them
};

absl::Status Loader::Load(int fd) {
  ASSIGN_OR_RETURN(contents_, ArchiveContents::Open(fd, options_.limits, uploader_));
  ASSIGN_OR_RETURN(list_, ListImages(*contents_, options_.repository));
  std::vector<ImageRelations> relations;
  for (const ListedImage& image : list_.images) relations.push_back(image.relations);
  order_ = std::make_unique<LoadOrder>(std::move(relations));
  absl::Status first;
  while (const std::optional<size_t> number = order_->Next()) {
    const ListedImage& image = list_.images[*number];
    absl::Status status = image.problem.ok() ? LoadOne(*number) : image.problem;
    if (status.ok()) continue;
    status = Annotate(status, StrCat("image ", image.label));
    if (!ConcernsOneImage(status)) return status;
    observer_.ImageFailed(image.label, status);
    if (first.ok() || (absl::IsDataLoss(status) && !absl::IsDataLoss(first))) first = status;
  }
  return first;
}

absl::StatusOr<std::vector<ArchiveImageName>> Loader::NamesOf(size_t number) {
  const ListedImage& image = list_.images[number];
  std::vector<ArchiveImageName> names = image.names;
  for (ArchiveImageName& place : order_->PlacesOf(number)) {
    if (std::find(names.begin(), names.end(), place) == names.end()) {
      names.push_back(std::move(place));
    }
  }
  if (!names.empty()) return names;
  for (const Attachment& attachment : image.relations.attachments) {
    if (!contents_->Holds(BlobEntryName(attachment.subject))) continue;
    // Of an index, one image was wanted, and what refers to that.
    if (options_.platform) return names;
    return absl::FailedPreconditionError(
        StrCat("it refers to ", attachment.subject.ToString(), ", which was not loaded"));
  }
  ASSIGN_OR_RETURN(names, PlacesOfSubjects(image));
  if (!names.empty()) return names;
  if (!image.lone_tag.empty()) {
    return absl::FailedPreconditionError(StrCat("the archive gives it only the tag ",
                                                Quoted(image.lone_tag),
                                                "; name its repository with --repository"));
  }
  const bool chosen = !options_.repository.empty();
  names.push_back({.repository = chosen ? options_.repository : kUntaggedRepository, .tag = ""});
  return names;
}

absl::StatusOr<std::vector<ArchiveImageName>> Loader::PlacesOfSubjects(const ListedImage& image) {
  std::vector<ArchiveImageName> places;
  for (const Attachment& attachment : image.relations.attachments) {
    const absl::StatusOr<ImageMatch> subject = client_.FindImage(attachment.subject.ToString());
    if (absl::IsNotFound(subject.status()) || absl::IsFailedPrecondition(subject.status()))
      continue;
    RETURN_IF_ERROR(subject.status());
    if (!(subject->manifest == attachment.subject)) continue;
    for (const ImageMatch::Place& place : subject->places) {
      places.push_back({.repository = place.repository, .tag = attachment.tag});
    }
  }
  return places;
}

absl::Status Loader::LoadOne(size_t number) {
  const ListedImage& image = list_.images[number];
  ASSIGN_OR_RETURN(std::vector<ArchiveImageName> names, NamesOf(number));
  if (names.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ReadyImage ready, MakeReady(image));
  for (const ArchiveImageName& name : names) RETURN_IF_ERROR(CheckUntaken(name, ready));
  std::string label = image.label;
  const ReadyManifest* named = nullptr;
  while (!names.empty()) {
    const ArchiveImageName first = names.front();
    std::vector<std::string> tags;
    for (const ArchiveImageName& name : names) {
      if (name.repository == first.repository && !name.tag.empty()) tags.push_back(name.tag);
    }
    const auto done = [&](const auto& name) { return name.repository == first.repository; };
    names.erase(std::remove_if(names.begin(), names.end(), done), names.end());
    if (named != nullptr && !tags.empty()) {
      RETURN_IF_ERROR(LeaveOutLoaded(named->digest, first.repository, &tags));
      if (tags.empty()) continue;
    }
    ASSIGN_OR_RETURN(const Published published, Publish(ready, first.repository, tags));
    if (named == nullptr && !image.names.empty()) {
      label = ShownName(FormatName({published.repository, first.tag}));
    }
    named = published.named;
    // Also of an image of which only a part is there, or another form: what refers to it is kept.
    const std::optional<Digest>& digest = image.relations.digest;
    if (digest && !options_.platform) order_->Place(*digest, published.repository);
    for (const ReadyManifest& manifest : ready.manifests) {
      order_->Place(manifest.digest, published.repository);
    }
  }
  if (ready.manifests.back().has_gaps) {
    observer_.OnNote(GapNote(label, *image.plan, named->digest));
  }
  return absl::OkStatus();
}

absl::Status Loader::LeaveOutLoaded(const Digest& manifest, const std::string& repository,
                                    std::vector<std::string>* tags) {
  std::vector<std::string> missing;
  for (const std::string& tag : *tags) {
    ASSIGN_OR_RETURN(const std::optional<ImageMatch> there, FindNamed({repository, tag}));
    const bool loaded = there && there->manifest == manifest &&
                        taken_.contains(FormatName({there->places.front().repository, there->tag}));
    if (!loaded) missing.push_back(tag);
  }
  *tags = std::move(missing);
  return absl::OkStatus();
}

absl::StatusOr<ReadyImage> Loader::MakeReady(const ListedImage& image) {
  ImageMaker maker(*contents_, uploader_, layers_);
  if (!image.plan) return maker.MakeReady(*image.docker, options_.platform);
  // What refers to an image is for no platform.
  const bool refers = !image.relations.attachments.empty();
  const ImagePlan plan =
      options_.platform && !refers ? OnlyFor(*options_.platform, *image.plan) : *image.plan;
  if (image.docker && (absl::IsNotFound(plan.problem) || HasDockerLayer(plan))) {
    return maker.MakeReady(*image.docker, options_.platform);
  }
  RETURN_IF_ERROR(plan.problem);
  return maker.MakeReady(plan, list_.docker_configs);
}

bool Loader::HasDockerLayer(const ImagePlan& plan) {
  if (!plan.problem.ok()) return false;
  const std::vector<Descriptor>& layers = plan.manifests.back().layers;
  return std::any_of(layers.begin(), layers.end(), [this](const Descriptor& layer) {
    const absl::StatusOr<Compression> compression =
        contents_->CompressionOf(BlobEntryName(layer.digest));
    return compression.ok() && !IsLayerCompression(*compression);
  });
}

absl::StatusOr<std::optional<ImageMatch>> Loader::FindNamed(const ArchiveImageName& name) {
  absl::StatusOr<ImageMatch> match = client_.FindImage(FormatName(name));
  // "sha256:0a" may be a name or the beginning of an id.
  if (absl::IsNotFound(match.status()) || absl::IsFailedPrecondition(match.status()) ||
      (match.ok() && match->by_id)) {
    return std::nullopt;
  }
  RETURN_IF_ERROR(match.status());
  return *std::move(match);
}

absl::Status Loader::CheckUntaken(const ArchiveImageName& name, const ReadyImage& ready) {
  if (name.tag.empty() || taken_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<ImageMatch> there, FindNamed(name));
  if (!there) return absl::OkStatus();
  const std::string stored = FormatName({there->places.front().repository, there->tag});
  const bool same = std::any_of(ready.manifests.begin(), ready.manifests.end(),
                                [&](const auto& one) { return one.digest == there->manifest; });
  if (same || !taken_.contains(stored)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("the archive has another image that ends under its name, ", ShownName(stored),
             "; that one is loaded, this one is not: save it under another name"));
}

absl::StatusOr<std::optional<Digest>> Loader::Tagged(const std::string& repository,
                                                     const std::string& tag) {
  const absl::StatusOr<ManifestInfo> info = client_.StatManifest(repository, tag);
  if (absl::IsNotFound(info.status())) return std::nullopt;
  RETURN_IF_ERROR(info.status());
  return info->digest;
}

absl::StatusOr<Loader::Published> Loader::Publish(const ReadyImage& ready,
                                                  const std::string& repository,
                                                  const std::vector<std::string>& tags) {
  std::vector<std::optional<Digest>> tagged;
  for (const std::string& tag : tags) {
    ASSIGN_OR_RETURN(tagged.emplace_back(), Tagged(repository, tag));
  }
  ASSIGN_OR_RETURN(const ReadyManifest* const named, PutAll(ready, repository, tags));
  LoadedImage loaded{.repository = repository,
                     .tag = "",
                     .manifest = named->digest,
                     .replaced = std::nullopt,
                     .subject = ready.subject};
  if (tags.empty()) observer_.ImageLoaded(loaded);
  for (size_t i = 0; i < tags.size(); ++i) {
    loaded.tag = tags[i];
    loaded.replaced = tagged[i] == named->digest ? std::nullopt : tagged[i];
    ASSIGN_OR_RETURN(const std::optional<ImageMatch> there, FindNamed({repository, tags[i]}));
    if (there) loaded.repository = there->places.front().repository;
    taken_.insert(FormatName({loaded.repository, loaded.tag}));
    observer_.ImageLoaded(loaded);
  }
  return Published{.named = named, .repository = loaded.repository};
}

absl::StatusOr<const ReadyManifest*> Loader::PutAll(const ReadyImage& ready,
                                                    const std::string& repository,
                                                    const std::vector<std::string>& tags) {
  const ReadyManifest& image = ready.manifests.back();
  for (const ReadyManifest& manifest : ready.manifests) {
    const bool is_image = &manifest == &image;
    const absl::Status status =
        Put(manifest, repository, is_image ? tags : std::vector<std::string>());
    // Whether the store takes an index with gaps is a setting of the daemon.
    const bool refused = absl::IsFailedPrecondition(status) && manifest.has_gaps;
    if (!refused) RETURN_IF_ERROR(status);
    if (!refused || !is_image) continue;
    if (!ready.stand_in) return status;
    const ReadyManifest& stand_in = ready.manifests[*ready.stand_in];
    RETURN_IF_ERROR(Put(stand_in, repository, tags));
    return &stand_in;
  }
  return &image;
}

absl::Status Loader::Put(const ReadyManifest& manifest, const std::string& repository,
                         const std::vector<std::string>& tags) {
  std::string bytes = manifest.bytes;
  if (bytes.empty()) {
    ASSIGN_OR_RETURN(bytes, contents_->ReadBlobDocument(manifest.digest));
  }
  PutManifestRequest request;
  request.bytes = bytes;
  request.media_type = manifest.media_type;
  request.expected = manifest.digest;
  request.whole_store = true;
  request.tags = tags;
  request.tags.resize(std::min(tags.size(), kMaxTagsPerPut));
  RETURN_IF_ERROR(client_.PutManifest(repository, request).status());
  for (size_t i = kMaxTagsPerPut; i < tags.size(); ++i) {
    RETURN_IF_ERROR(client_.Tag(repository, tags[i], manifest.digest));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LoadImages(Client& client, int fd, const LoadOptions& options,
                        LoadObserver& observer) {
  return Loader(client, options, observer).Load(fd);
}

}  // namespace varve
