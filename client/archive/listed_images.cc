#include "client/archive/listed_images.h"

#include <algorithm>
#include <utility>

#include "client/archive/entry_name.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/image/names.h"

namespace varve {
namespace {

constexpr char kIndexName[] = "index.json";
constexpr char kDockerManifestName[] = "manifest.json";
constexpr char kFlatVersionName[] = "version";
constexpr char kRefName[] = "org.opencontainers.image.ref.name";

// Some call what has no name by its digest.
bool IsName(std::string_view text) { return !text.empty() && !Digest::Parse(text).ok(); }

// `cosign save` says of each entry what it is, and gives signatures the name of their image. What
// their tags end with; "" of anything else.
std::string_view CosignSuffix(std::string_view kind) {
  if (kind == "dev.cosignproject.cosign/sigs") return ".sig";
  if (kind == "dev.cosignproject.cosign/atts") return ".att";
  return "";
}

bool IsFullName(std::string_view ref_name) {
  return ref_name.find_first_of(":/") != std::string_view::npos;
}

absl::Status NoImages(const ArchiveContents& contents) {
  if (contents.HoldsImagesOfVersionOne()) {
    return absl::InvalidArgumentError(
        "it was saved by a Docker before 1.10, in a form that only Docker 1.10 to 28 convert: load "
        "it into one of these, save it there again, and load the result");
  }
  return absl::InvalidArgumentError(
      "it holds neither index.json nor manifest.json, so it is not an image archive; use varve "
      "image import for the root file system of an image");
}

absl::Status NoFlatVersion() {
  return absl::InvalidArgumentError(
      StrCat(kDockerManifestName, ": it is the manifest of one image, as in a directory of ",
             "skopeo's dir:, but the file \"", kFlatVersionName,
             "\" that belongs beside it is missing; bring all files of that directory, or let ",
             "skopeo write it again"));
}

class ImageLister {
 public:
  ImageLister(ArchiveContents& contents, const std::string& repository)
      : contents_(contents), repository_(repository) {}

  absl::StatusOr<ImageList> List() {
    const bool layout = contents_.Holds(kIndexName);
    const bool docker = contents_.Holds(kDockerManifestName);
    if (!layout && !docker) return NoImages(contents_);
    if (layout) RETURN_IF_ERROR(ListLayout());
    if (docker) {
      ASSIGN_OR_RETURN(const std::string bytes, contents_.ReadDocument(kDockerManifestName));
      const bool flat = !layout && JsonBegin(bytes) == '{';
      RETURN_IF_ERROR(flat ? ListFlatLayout(bytes) : ListDockerArchive(bytes));
    }
    for (Names& names : names_) SettleNames(names);
    if (list_.images.empty()) return absl::InvalidArgumentError("the archive lists no image");
    return std::move(list_);
  }

 private:
  // What else is known of the names of an image, by its place in the list.
  struct Names {
    size_t image;
    bool own = false;  // they are those that `varve save` wrote, and complete
  };

  absl::Status ListLayout();
  // Of the form that skopeo calls `dir:` and podman `docker-dir`: one image, whose manifest is
  // manifest.json, and everything beside it in one directory.
  absl::Status ListFlatLayout(const std::string& manifest);
  absl::Status ListDockerArchive(const std::string& manifest);
  absl::Status ListManifests(const std::vector<ListedManifest>& manifests);
  void AddNames(const ListedManifest& listed, ListedImage* image, Names* names);
  void AttachCosigns(const std::vector<ListedManifest>& listed,
                     const absl::flat_hash_map<Digest, size_t>& places);
  static void AddName(const absl::StatusOr<ArchiveImageName>& name, ListedImage* image);
  // Of a tag such as cosign's.
  static void AddAttachment(std::string_view tag, ListedImage* image);
  void MarkParts(const absl::flat_hash_map<Digest, size_t>& places);
  void SettleNames(const Names& names);
  // The place of the image of index.json that has this config in it.
  std::optional<size_t> FindByConfig(const DockerArchiveImage& docker);
  // What manifest.json gives to the images at `places` names nothing else of index.json.
  void TakeNames(const std::vector<ArchiveImageName>& given,
                 const absl::flat_hash_set<size_t>& places);
  // The places of those images of index.json that are not whole, by the canonical form of a name.
  absl::flat_hash_map<std::string, size_t> BrokenByName() const;

  ArchiveContents& contents_;
  const std::string& repository_;
  ImageList list_;
  std::vector<Names> names_;                       // of the images of index.json
  absl::flat_hash_map<Digest, size_t> by_config_;  // the same
};

void ImageLister::AddName(const absl::StatusOr<ArchiveImageName>& name, ListedImage* image) {
  if (!name.ok()) {
    image->problem.Update(name.status());
  } else if (std::find(image->names.begin(), image->names.end(), *name) == image->names.end()) {
    image->names.push_back(*name);
    AddAttachment(name->tag, image);
  }
}

void ImageLister::AddAttachment(std::string_view tag, ListedImage* image) {
  const std::optional<Digest> subject = SubjectOfTag(tag);
  if (!subject) return;
  const Attachment attachment{.subject = *subject, .tag = std::string(tag)};
  std::vector<Attachment>& known = image->relations.attachments;
  if (std::find(known.begin(), known.end(), attachment) == known.end()) known.push_back(attachment);
}

void ImageLister::AddNames(const ListedManifest& listed, ListedImage* image, Names* names) {
  const std::string_view own_name = listed.notes.Annotation(kNameAnnotation);
  const std::string_view image_name = listed.notes.Annotation("io.containerd.image.name");
  const std::string_view ref_name = listed.notes.Annotation(kRefName);
  if (!CosignSuffix(listed.notes.Annotation("kind")).empty()) return;
  if (!own_name.empty()) {
    AddName(ExactName(own_name), image);
    names->own = true;
  } else if (IsName(image_name)) {
    AddName(ForeignName(image_name), image);
  } else if (IsName(ref_name) && IsFullName(ref_name)) {
    AddName(ForeignName(ref_name), image);
  } else if (IsName(ref_name)) {
    image->lone_tag = ref_name;
    AddAttachment(ref_name, image);
  }
}

void ImageLister::SettleNames(const Names& names) {
  ListedImage& image = list_.images[names.image];
  if (!image.names.empty()) image.lone_tag.clear();
  if (image.lone_tag.empty() || repository_.empty() || !image.problem.ok()) return;
  AddName(ForeignName(StrCat(repository_, ":", image.lone_tag)), &image);
}

void ImageLister::AttachCosigns(const std::vector<ListedManifest>& listed,
                                const absl::flat_hash_map<Digest, size_t>& places) {
  absl::flat_hash_map<std::string, Digest> images;  // by their names
  for (const ListedManifest& image : listed) {
    if (!image.notes.Annotation("kind").starts_with("dev.cosignproject.cosign/image")) continue;
    images.emplace(image.notes.Annotation(kRefName), image.content.digest);
  }
  for (const ListedManifest& signature : listed) {
    const std::string_view suffix = CosignSuffix(signature.notes.Annotation("kind"));
    const auto image = images.find(ToAbsl(signature.notes.Annotation(kRefName)));
    if (suffix.empty() || image == images.end()) continue;
    AddAttachment(StrCat(SubjectTagPrefix(image->second), suffix),
                  &list_.images[places.at(signature.content.digest)]);
  }
}

void ImageLister::MarkParts(const absl::flat_hash_map<Digest, size_t>& places) {
  for (size_t i = 0; i < list_.images.size(); ++i) {
    for (const PlannedManifest& manifest : list_.images[i].plan->manifests) {
      const auto place = places.find(manifest.digest);
      if (place == places.end() || place->second == i) continue;
      ListedImage& part = list_.images[place->second];
      part.relations.part = part.names.empty() && part.lone_tag.empty();
    }
  }
}

absl::Status ImageLister::ListLayout() {
  ASSIGN_OR_RETURN(const std::string bytes, contents_.ReadDocument(kIndexName));
  absl::StatusOr<ParsedManifest> index =
      ParseManifest(bytes, kMediaTypeOciIndex, ManifestRules::kNoted);
  if (!index.ok()) return Annotate(index.status(), kIndexName);
  const absl::Status few = CheckArchiveImages(index->children.size());
  if (!few.ok()) return Annotate(few, kIndexName);
  return ListManifests(ChildrenOf(*std::move(index)));
}

absl::Status ImageLister::ListFlatLayout(const std::string& manifest) {
  const absl::StatusOr<ParsedManifest> parsed = ParseManifest(manifest, "", ManifestRules::kNoted);
  if (!parsed.ok()) return Annotate(parsed.status(), kDockerManifestName);
  if (!contents_.Holds(kFlatVersionName)) return NoFlatVersion();
  ListedManifest listed;
  listed.content.media_type = parsed->media_type;
  listed.content.digest = HashBytes(DigestAlgorithm::kSha256, manifest);
  listed.content.size_bytes = manifest.size();
  contents_.NameAsLayout(kDockerManifestName, listed.content.digest);
  return ListManifests({listed});
}

absl::Status ImageLister::ListManifests(const std::vector<ListedManifest>& manifests) {
  absl::flat_hash_map<Digest, size_t> places;
  LayoutPlanner planner(contents_);
  for (const ListedManifest& listed : manifests) {
    const auto [place, added] = places.try_emplace(listed.content.digest, list_.images.size());
    if (added) {
      ListedImage image;
      image.label = listed.content.digest.ToString();
      image.plan = planner.Plan(listed);
      image.relations.digest = listed.content.digest;
      if (image.plan->subject) {
        image.relations.attachments.push_back({.subject = *image.plan->subject, .tag = ""});
      }
      names_.push_back({.image = place->second, .own = false});
      if (image.plan->top_config) by_config_.try_emplace(*image.plan->top_config, place->second);
      for (const PlannedManifest& manifest : image.plan->manifests) {
        if (manifest.config) by_config_.try_emplace(*manifest.config, place->second);
      }
      list_.images.push_back(std::move(image));
    }
    AddNames(listed, &list_.images[place->second], &names_[place->second]);
  }
  AttachCosigns(manifests, places);
  MarkParts(places);
  return absl::OkStatus();
}

absl::Status ImageLister::ListDockerArchive(const std::string& manifest) {
  absl::StatusOr<std::vector<DockerArchiveImage>> docker = ParseDockerArchive(manifest);
  if (!docker.ok()) return Annotate(docker.status(), kDockerManifestName);
  const absl::flat_hash_map<std::string, size_t> broken = BrokenByName();
  absl::flat_hash_set<size_t> places;
  std::vector<ArchiveImageName> given;
  for (DockerArchiveImage& listed : *docker) {
    std::vector<absl::StatusOr<ArchiveImageName>> names;
    for (const std::string& tag : listed.repo_tags) names.push_back(ForeignName(tag));
    std::optional<size_t> place = FindByConfig(listed);
    for (size_t i = 0; i < names.size() && !place; ++i) {
      if (!names[i].ok()) continue;
      const auto found = broken.find(FormatName(CanonicalForm(*names[i])));
      if (found != broken.end()) place = found->second;
    }
    if (!place) {
      place = list_.images.size();
      list_.images.emplace_back().label = Quoted(listed.config);
    }
    places.insert(*place);
    ListedImage& image = list_.images[*place];
    const bool named_by_save = *place < names_.size() && names_[*place].own;
    for (const absl::StatusOr<ArchiveImageName>& name : names) {
      if (named_by_save) break;
      AddName(name, &image);
      if (name.ok()) given.push_back(*name);
    }
    const bool not_whole = !image.plan || absl::IsNotFound(image.plan->problem);
    if ((not_whole || image.plan->top_config) && !image.docker) image.docker = std::move(listed);
  }
  TakeNames(given, places);
  return absl::OkStatus();
}

void ImageLister::TakeNames(const std::vector<ArchiveImageName>& given,
                            const absl::flat_hash_set<size_t>& places) {
  absl::flat_hash_set<std::string> taken;
  for (const ArchiveImageName& name : given) taken.insert(FormatName(CanonicalForm(name)));
  for (const Names& other : names_) {
    if (places.contains(other.image) || other.own) continue;
    std::vector<ArchiveImageName>& names = list_.images[other.image].names;
    const auto is_taken = [&taken](const ArchiveImageName& name) {
      return taken.contains(FormatName(CanonicalForm(name)));
    };
    names.erase(std::remove_if(names.begin(), names.end(), is_taken), names.end());
  }
}

std::optional<size_t> ImageLister::FindByConfig(const DockerArchiveImage& docker) {
  if (by_config_.empty()) return std::nullopt;
  // What is wrong with it is said when it is loaded.
  const absl::StatusOr<std::string> config = contents_.ReadDocument(docker.config);
  if (!config.ok()) return std::nullopt;
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, *config);
  list_.docker_configs.insert(digest);
  const auto found = by_config_.find(digest);
  if (found == by_config_.end()) return std::nullopt;
  return found->second;
}

absl::flat_hash_map<std::string, size_t> ImageLister::BrokenByName() const {
  absl::flat_hash_map<std::string, size_t> places;
  for (const Names& listed : names_) {
    const ListedImage& image = list_.images[listed.image];
    if (!absl::IsNotFound(image.plan->problem)) continue;
    for (const ArchiveImageName& name : image.names) {
      places.try_emplace(FormatName(CanonicalForm(name)), listed.image);
    }
  }
  return places;
}

}  // namespace

absl::StatusOr<ImageList> ListImages(ArchiveContents& contents, const std::string& repository) {
  return ImageLister(contents, repository).List();
}

}  // namespace varve
