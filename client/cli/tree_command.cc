// `image tree`: an image with what belongs to it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/image_type.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/manifest.h"
#include "storage/image/platform.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct TreeArguments {
  std::vector<std::string> names;
  bool no_trunc = false;
  bool json = false;
};

// An index within indexes, an attestation, its signature, and what else may be on that.
constexpr size_t kMaxDepth = 16;
// Of one image: x ~300 bytes = 3 MiB.
constexpr size_t kMaxNodes = 10'000;

struct Node {
  size_t depth = 0;
  std::string name;  // of the image that was asked for
  Digest digest;
  Platform platform;  // as the index that lists it states
  std::string tag;    // that attaches it to the one above
  bool present = false;
  ImageInfo image;  // when present
};

// Walks down from one image: what an index lists, then what refers to it.
class TreeWalk {
 public:
  TreeWalk(Client& client, std::string repository)
      : client_(client), repository_(std::move(repository)) {}

  absl::Status Add(Node node) {
    if (nodes_.size() == kMaxNodes) {
      complete_ = false;
      return absl::OkStatus();
    }
    // What is a referrer by its own word and by a tag is shown once, and no circle is followed.
    if (!shown_.insert(node.digest).second) return absl::OkStatus();
    absl::StatusOr<ImageDetails> details = client_.InspectImage(repository_, node.digest, "");
    if (!details.ok() && !absl::IsNotFound(details.status())) return details.status();
    const size_t below = node.depth + 1;
    const Digest digest = node.digest;
    node.present = details.ok();
    if (details.ok()) node.image = std::move(details->image);
    nodes_.push_back(std::move(node));
    if (!details.ok()) return absl::OkStatus();
    if (below > kMaxDepth) {
      complete_ = false;
      return absl::OkStatus();
    }
    for (const ChildInfo& child : details->children) {
      Node next;
      next.depth = below;
      next.digest = child.digest;
      next.platform = child.platform;
      RETURN_IF_ERROR(Add(std::move(next)));
    }
    return AddReferrers(digest, below);
  }

  const std::vector<Node>& nodes() const { return nodes_; }
  bool complete() const { return complete_; }

 private:
  absl::Status AddReferrers(const Digest& subject, size_t depth) {
    std::string page_token;
    do {
      ASSIGN_OR_RETURN(const ReferrerPage page,
                       client_.ListReferrers(repository_, subject, "", page_token, kMaxPageRows));
      for (const Referrer& referrer : page.referrers) {
        Node next;
        next.depth = depth;
        next.digest = referrer.info.manifest.digest;
        next.tag = referrer.tag;
        RETURN_IF_ERROR(Add(std::move(next)));
      }
      page_token = page.next_page_token;
    } while (!page_token.empty() && complete_);
    return absl::OkStatus();
  }

  Client& client_;
  const std::string repository_;
  std::vector<Node> nodes_;
  absl::flat_hash_set<Digest> shown_;
  bool complete_ = true;
};

// An index is for no platform of its own.
Platform PlatformOf(const Node& node) {
  if (!node.platform.os.empty() || IsIndexType(node.image.manifest.media_type)) {
    return node.platform;
  }
  return node.image.platform;
}

std::string TypeOf(const Node& node) {
  return ImageType(node.image.manifest, node.tag, PlatformOf(node));
}

// What of the type its row does not say yet.
std::string ArtifactType(const Node& node) {
  const std::string& type = node.image.manifest.artifact_type;
  return IsImageConfigType(type) ? "" : type;
}

std::string Label(const Node& node) {
  if (node.depth == 0) return node.name;
  const Platform platform = PlatformOf(node);
  if (node.present && TypeOf(node) != kPlainImage) return TypeOf(node);
  if (IsUnknown(platform)) return "attestation";
  if (!platform.os.empty()) return PlatformText(platform);
  return IsIndexType(node.image.manifest.media_type) ? "index" : kPlainImage;
}

std::vector<std::string> Row(const Node& node, bool no_trunc) {
  return {std::string(2 * node.depth, ' ') + Label(node),
          no_trunc ? node.digest.ToString() : ShortId(node.digest),
          node.present ? HumanSize(node.image.total_bytes) : "not here", ArtifactType(node)};
}

std::string JsonRow(const Node& node) {
  JsonObject object;
  object.Add("depth", uint64_t{node.depth});
  if (node.depth == 0) object.Add("name", node.name);
  object.Add("digest", node.digest.ToString()).Add("present", node.present);
  if (node.present) {
    object.Add("type", TypeOf(node))
        .Add("media_type", node.image.manifest.media_type)
        .Add("artifact_type", node.image.manifest.artifact_type)
        .Add("size_bytes", node.image.total_bytes);
  }
  object.Add("platform", PlatformText(PlatformOf(node)));
  if (!node.tag.empty()) object.Add("tag", node.tag);
  return object.Line();
}

absl::Status ShowTree(Client& client, const std::string& name, const TreeArguments& arguments,
                      Table& table) {
  ASSIGN_OR_RETURN(const ImageMatch match, client.FindImage(name));
  // Of several repositories that have it, rather one where it has a tag.
  const auto tagged = std::find_if(match.places.begin(), match.places.end(),
                                   [](const auto& place) { return !place.tags.empty(); });
  const ImageMatch::Place& place = tagged == match.places.end() ? match.places[0] : *tagged;
  Node root;
  root.digest = match.manifest;
  root.name = ShownName(place.repository);
  const std::string tag = match.tag.empty() && !place.tags.empty() ? place.tags[0] : match.tag;
  if (!tag.empty()) root.name += StrCat(":", tag);
  TreeWalk walk(client, place.repository);
  RETURN_IF_ERROR(walk.Add(std::move(root)));
  std::string json;
  std::vector<std::vector<std::string>> rows;
  for (const Node& node : walk.nodes()) {
    if (arguments.json) {
      json += JsonRow(node);
    } else {
      rows.push_back(Row(node, arguments.no_trunc));
    }
  }
  Print(arguments.json ? json : table.Format(rows));
  if (!walk.complete()) PrintWarning(StrCat(name, " has more than is shown\n"));
  return absl::OkStatus();
}

absl::Status Trees(Session& session, const TreeArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  Table table({"IMAGE", "IMAGE ID", "SIZE", "ARTIFACT TYPE"});
  return ForEachName(session, arguments.names, [&](const std::string& name) {
    return ShowTree(*client, name, arguments, table);
  });
}

void SetUpTree(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<TreeArguments>();
  command.add_option("IMAGE", arguments->names, "REPOSITORY[:TAG], REPOSITORY@DIGEST or image id")
      ->required();
  command.add_flag("--no-trunc", arguments->no_trunc, "Show image ids in full");
  command.add_flag("--json", arguments->json, "One JSON object a line for each manifest");
  SetAction(command, session, arguments, Trees);
}

}  // namespace

CommandGroup TreeCommand() {
  return {.name = "image",
          .commands = {
              {.name = "tree",
               .help = "Show images with their platforms, signatures, attestations and SBOMs",
               .examples = {{"varve image tree app:v1", "Its platforms, signatures and SBOMs"}},
               .set_up = SetUpTree}}};
}

}  // namespace varve
