#include "client/archive/save_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "client/archive/image_layout.h"
#include "client/archive/image_plan.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kMaxNamedInError = 5;

// Older versions stored manifests in which what is said of children has other types than clients
// expect; then nothing is said of them.
absl::StatusOr<ParsedManifest> ParseStored(const std::string& bytes, std::string_view media_type) {
  absl::StatusOr<ParsedManifest> manifest = ParseManifest(bytes, media_type, ManifestRules::kNoted);
  if (manifest.ok()) return manifest;
  manifest = ParseManifest(bytes, media_type, ManifestRules::kStored);
  if (manifest.ok()) manifest->notes.resize(manifest->children.size());
  return manifest;
}

// Whether it is an image to run. A signature of cosign has the config of one, too.
bool IsImage(const ParsedManifest& manifest) {
  const auto is_layer = [](const Descriptor& layer) {
    return layer.media_type.starts_with("application/vnd.oci.image.layer.") ||
           layer.media_type.starts_with("application/vnd.docker.image.rootfs.");
  };
  return HasImageConfig(manifest) &&
         std::all_of(manifest.layers.begin(), manifest.layers.end(), is_layer);
}

// How well `offered` serves `wanted`: 0 not at all, 2 exactly.
int Match(const Platform& offered, const Platform& wanted) {
  if (!IsFor(offered, wanted)) return 0;
  return IsExactlyFor(offered, wanted) ? 2 : 1;
}

absl::Status AbsentChildren(const std::vector<std::string>& absent) {
  std::string list;
  for (size_t i = 0; i < std::min(absent.size(), kMaxNamedInError); ++i) {
    list.append(list.empty() ? "" : ", ").append(absent[i]);
  }
  if (absent.size() > kMaxNamedInError) {
    list.append(StrCat(" and ", absent.size() - kMaxNamedInError, " more"));
  }
  return absl::FailedPreconditionError(StrCat("the index lists images that are not here: ", list,
                                              "; push them, or save one that is here with "
                                              "--platform"));
}

}  // namespace

absl::Status ValidateSaveName(const std::string& name) {
  if (Digest::Parse(name).ok()) return absl::OkStatus();  // an image id
  return ParseImageReference(name).status();
}

std::string FullImageName(const std::string& stored, const std::string& tag) {
  const std::string repository = ShownName(stored);
  const std::string first = repository.substr(0, repository.find('/'));
  const bool has_path = first.size() < repository.size();
  const bool is_host =
      has_path && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  std::string path = is_host ? repository.substr(first.size() + 1) : repository;
  std::string host = is_host && first != "index.docker.io" ? first : "docker.io";
  if (host == "docker.io" && path.find('/') == std::string::npos) path.insert(0, "library/");
  return StrCat(host, "/", path, ":", tag);
}

absl::Status SavePlan::Add(const std::string& name) {
  absl::Status status;
  if (const absl::StatusOr<std::string> repository = StoredName(name); repository.ok()) {
    status = AddTags(*repository);
    if (!absl::IsNotFound(status)) return Annotate(status, name);
  }
  // The beginning of an image id looks like a repository, or like one with a tag.
  const absl::StatusOr<ImageMatch> match = client_.FindImage(name);
  if (absl::IsNotFound(match.status()) && !status.ok()) return Annotate(status, name);
  RETURN_IF_ERROR(match.status());
  return Annotate(AddImage(match->places.front().repository, match->tag, match->manifest), name);
}

absl::Status SavePlan::AddTags(const std::string& repository) {
  ImageQuery query;
  query.repository = repository;
  query.all = true;  // also the tags of signatures
  std::string page_token;
  std::string stored;                                    // what the store calls the repository
  std::vector<std::pair<std::string, Digest>> attached;  // tags that make referrers, their subjects
  do {
    ASSIGN_OR_RETURN(const ImagePage page, client_.ListImages(query, page_token, kMaxPageRows));
    for (const ImageInfo& image : page.images) {
      if (image.tag.empty()) continue;
      stored = image.repository;
      if (const std::optional<Digest> subject = SubjectOfTag(image.tag)) {
        attached.emplace_back(image.tag, *subject);
        continue;
      }
      const absl::Status status = AddImage(stored, image.tag, image.tag);
      if (!status.ok()) return Annotate(status, image.tag);
    }
    page_token = page.next_page_token;
  } while (!page_token.empty());
  if (stored.empty()) {
    return absl::NotFoundError("there is no repository with a tag and no image id of this name");
  }
  for (const auto& [tag, subject] : attached) {
    // Those of what is saved came with it, or are not wanted.
    if (blobs_.contains(subject)) continue;
    const absl::Status status = AddImage(stored, tag, tag);
    if (!status.ok()) return Annotate(status, tag);
  }
  return absl::OkStatus();
}

absl::Status SavePlan::AddImage(const std::string& repository, const std::string& tag,
                                const ManifestReference& reference) {
  ASSIGN_OR_RETURN(const std::vector<Node> tree, ReadTree(repository, reference));
  const Platform wanted = options_.platform.value_or(MachinePlatform());
  ASSIGN_OR_RETURN(const Node* const chosen, Choose(repository, tree, wanted));
  const Node& root = options_.platform ? *chosen : tree.front();
  if (options_.platform) {
    RETURN_IF_ERROR(AddNode(repository, root));
    CountContents(root.self.digest, {root});
  } else {
    RETURN_IF_ERROR(AddWholeTree(repository, tree));
    CountContents(root.self.digest, tree);
  }
  images_[{repository, tag, root.self.digest}] = EntryOf(root.self, repository, tag);
  if (options_.referrers) {
    std::vector<Digest> subjects = {root.self.digest};
    for (const Node& node : tree) {
      if (!options_.platform) subjects.push_back(node.self.digest);
    }
    RETURN_IF_ERROR(AddReferrers(repository, std::move(subjects)));
  }
  const std::string name = tag.empty() ? "" : StrCat(ShownName(repository), ":", tag);
  if (chosen != nullptr) {
    AddDockerImage(name, *chosen);
  } else {
    notes_.push_back(StrCat(name.empty() ? root.self.digest.ToString() : name,
                            " is no image that docker can load"));
  }
  return absl::OkStatus();
}

SavePlan::Node SavePlan::NodeOf(const ListedManifest& child) {
  Node node;
  node.self = child.content;
  node.attestation = IsAttestation(child.notes);
  if (!child.notes.platform.os.empty() || !child.notes.platform.architecture.empty()) {
    node.platform = child.notes.platform;
  }
  return node;
}

LayoutImage SavePlan::EntryOf(const Descriptor& manifest, const std::string& repository,
                              const std::string& tag) {
  return {.media_type = manifest.media_type,
          .digest = manifest.digest,
          .size_bytes = manifest.size_bytes,
          .name = tag.empty() ? "" : StrCat(ShownName(repository), ":", tag),
          .full_name = tag.empty() ? "" : FullImageName(repository, tag),
          .tag = tag};
}

absl::Status SavePlan::AddWholeTree(const std::string& repository, const std::vector<Node>& tree) {
  std::vector<std::string> absent;
  for (const Node& node : tree) {
    if (node.present) continue;
    const std::string digest = node.self.digest.ToString();
    absent.push_back(node.platform ? StrCat(digest, " (", PlatformText(*node.platform), ")")
                                   : digest);
  }
  if (!absent.empty()) return AbsentChildren(absent);
  for (const Node& node : tree) RETURN_IF_ERROR(AddNode(repository, node));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SavePlan::Node>> SavePlan::ReadTree(const std::string& repository,
                                                               const ManifestReference& reference) {
  ASSIGN_OR_RETURN(const ManifestInfo root, client_.StatManifest(repository, reference));
  std::vector<Node> tree(1);
  tree[0].self.digest = root.digest;
  std::vector<size_t> depths = {0};
  std::set<Digest> seen = {root.digest};
  for (size_t i = 0; i < tree.size(); ++i) {
    const Digest digest = tree[i].self.digest;
    const absl::StatusOr<Manifest> manifest = client_.GetManifest(repository, digest);
    if (i > 0 && absl::IsNotFound(manifest.status())) {
      tree[i].present = false;
      continue;
    }
    RETURN_IF_ERROR(manifest.status());
    absl::StatusOr<ParsedManifest> content =
        ParseStored(manifest->bytes, manifest->info.media_type);
    if (!content.ok()) {
      return Annotate(content.status(), StrCat("the manifest ", digest.ToString()));
    }
    tree[i].self.media_type = manifest->info.media_type;
    tree[i].self.size_bytes = manifest->bytes.size();
    tree[i].content = *content;
    for (const ListedManifest& child : ChildrenOf(*std::move(content))) {
      if (!IsManifestType(child.content.media_type)) continue;
      if (!seen.insert(child.content.digest).second) continue;
      if (depths[i] >= kMaxIndexDepth || tree.size() >= kMaxTreeManifests) {
        return absl::FailedPreconditionError("the index has too many images in it to be saved");
      }
      tree.push_back(NodeOf(child));
      depths.push_back(depths[i] + 1);
    }
  }
  return tree;
}

// The image manifest that serves `wanted` best. Null when there is none and no platform was asked
// for.
absl::StatusOr<const SavePlan::Node*> SavePlan::Choose(const std::string& repository,
                                                       const std::vector<Node>& tree,
                                                       const Platform& wanted) {
  const Node* best = nullptr;
  const Node* first = nullptr;
  int best_match = 0;
  std::string offers;
  for (const Node& node : tree) {
    if (node.attestation || (node.present && !IsImage(node.content))) continue;
    if (first == nullptr) first = &node;
    if (!options_.platform && tree.size() == 1) return first;
    ASSIGN_OR_RETURN(const std::optional<Platform> platform, PlatformOf(repository, node));
    if (!platform) continue;
    const int match = Match(*platform, wanted);
    if (match > best_match) {
      best = &node;
      best_match = match;
    }
    offers.append(offers.empty() ? "" : ", ").append(PlatformText(*platform));
  }
  if (!options_.platform) return best != nullptr ? best : first;
  if (best == nullptr) {
    return absl::NotFoundError(StrCat("there is no image for ", PlatformText(wanted),
                                      offers.empty() ? "" : ", only for ", offers));
  }
  if (!best->present) {
    return absl::NotFoundError(StrCat("the image for ", PlatformText(wanted), ", ",
                                      best->self.digest.ToString(),
                                      ", is listed by the index, but is not here; push it"));
  }
  return best;
}

absl::StatusOr<std::optional<Platform>> SavePlan::PlatformOf(const std::string& repository,
                                                             const Node& node) {
  if (node.platform || !node.present) return node.platform;
  std::string config;
  const ByteSink sink = [&config](std::string_view bytes) {
    config.append(bytes);
    return config.size() <= kMaxConfigBytes
               ? absl::OkStatus()
               : absl::FailedPreconditionError("the config is too large to be one");
  };
  GetBlobOptions options;
  options.repository = repository;
  const absl::Status status = client_.GetBlob(node.content.config->digest, sink, options).status();
  if (!status.ok()) {
    return Annotate(status, StrCat("the config ", node.content.config->digest.ToString()));
  }
  const absl::StatusOr<ConfigLayers> parsed = ParseConfigLayers(config);
  if (!parsed.ok() || PlatformText(parsed->platform).empty()) return std::optional<Platform>();
  return parsed->platform;
}

void SavePlan::CountContents(const Digest& image, const std::vector<Node>& tree) {
  size_t& count = contents_[image];
  count = 0;
  for (const Node& node : tree) count += PlannedContents(node.content);
}

absl::Status SavePlan::AddNode(const std::string& repository, const Node& node) {
  if (node.content.config && !IsDockerImage(node.content)) {
    other_configs_.insert(node.content.config->digest);
  }
  SavedBlob& manifest = blobs_[node.self.digest];
  manifest = {
      .kind = SavedKind::kManifest, .size_bytes = node.self.size_bytes, .repository = repository};
  if (node.content.config) {
    RETURN_IF_ERROR(AddBlob(repository, SavedKind::kConfig, *node.content.config));
  }
  for (const Descriptor& layer : node.content.layers) {
    RETURN_IF_ERROR(AddBlob(repository, SavedKind::kLayer, layer));
  }
  // An index that keeps a cache lists what is no manifest.
  for (const Descriptor& child : node.content.children) {
    if (IsManifestType(child.media_type)) continue;
    RETURN_IF_ERROR(AddBlob(repository, SavedKind::kLayer, child));
  }
  return absl::OkStatus();
}

absl::Status SavePlan::AddBlob(const std::string& repository, SavedKind kind,
                               const Descriptor& content) {
  const std::string name =
      StrCat(kind == SavedKind::kConfig ? "the config " : "the layer ", content.digest.ToString());
  const auto known = blobs_.find(content.digest);
  uint64_t size = 0;
  if (known != blobs_.end()) {
    known->second.kind = std::min(known->second.kind, kind);
    size = known->second.size_bytes;
  } else {
    const absl::StatusOr<BlobInfo> info = client_.StatBlob(repository, content.digest);
    // An image layout may leave out what everybody gets elsewhere.
    if (absl::IsNotFound(info.status()) && content.foreign) return absl::OkStatus();
    if (absl::IsNotFound(info.status())) {
      return absl::DataLossError(
          StrCat(name, " is missing or damaged in the store; push the image again"));
    }
    if (!info.ok()) return Annotate(info.status(), name);
    size = info->size_bytes;
    blobs_[content.digest] = {.kind = kind, .size_bytes = size, .repository = repository};
  }
  if (size == content.size_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat(name, " has ", size, " bytes, but the manifest says ",
                                              content.size_bytes,
                                              "; build and push the image again"));
}

}  // namespace varve
