#include "client/archive/gap_note.h"

#include <algorithm>
#include <vector>

#include "client/archive/entry_name.h"
#include "client/archive/image_json.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kMaxListed = 5;

std::string List(const std::vector<std::string>& texts) {
  std::string list;
  for (size_t i = 0; i < std::min(texts.size(), kMaxListed); ++i) {
    list.append(i == 0 ? "" : ", ").append(texts[i]);
  }
  if (texts.size() > kMaxListed) list.append(StrCat(" and ", texts.size() - kMaxListed, " more"));
  return list;
}

std::string NameOf(const ListedManifest& listed) {
  const std::string digest = listed.content.digest.ToString();
  if (IsAttestation(listed.notes)) return StrCat("an attestation (", digest, ")");
  if (listed.notes.platform.os.empty()) return digest;
  return StrCat(Quoted(PlatformText(listed.notes.platform)), " (", digest, ")");
}

std::string NameOf(const PlannedManifest& image) {
  return StrCat(Quoted(PlatformText(*image.platform)), " (", image.digest.ToString(), ")");
}

}  // namespace

std::string GapNote(const std::string& name, const ImagePlan& plan, const Digest& loaded) {
  std::vector<std::string> missing;
  for (const MissingChild& child : plan.missing) missing.push_back(NameOf(child.listed));
  const std::string index = plan.manifests.back().digest.ToString();
  const std::string lacks = StrCat(name, ": the archive lacks ", List(missing));
  if (loaded == plan.manifests.back().digest) {
    return StrCat(lacks, "; its index ", index, " was loaded without");
  }
  std::string in_place;
  std::vector<std::string> others;
  for (const PlannedManifest& manifest : plan.manifests) {
    if (!manifest.platform) continue;
    if (manifest.digest == loaded) {
      in_place = NameOf(manifest);
    } else {
      others.push_back(NameOf(manifest));
    }
  }
  return StrCat(lacks, "; the daemon takes no index with gaps, so ", in_place,
                " was loaded in place of the index ", index,
                others.empty() ? std::string() : StrCat(", and without a tag ", List(others)));
}

}  // namespace varve
