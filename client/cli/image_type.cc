#include "client/cli/image_type.h"

#include <array>
#include <utility>

#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "storage/image/platform.h"

namespace varve {
namespace {

using Word = std::pair<std::string_view, std::string_view>;

constexpr std::array<Word, 3> kTagSuffixes = {{
    {".sig", "signature"},
    {".att", "attestation"},
    {".sbom", "SBOM"},
}};

// Artifact types begin so.
constexpr std::array<Word, 14> kTypes = {{
    {"application/vnd.dev.cosign.artifact.sig.", "signature"},
    {"application/vnd.dev.cosign.simplesigning.", "signature"},
    {"application/vnd.dev.cosign.artifact.sbom.", "SBOM"},
    {"application/vnd.dev.sigstore.bundle", "signature"},
    {"application/vnd.cncf.notary.signature", "signature"},
    {"application/vnd.in-toto", "attestation"},
    {"application/vnd.dsse.envelope", "attestation"},
    {"application/spdx+json", "SBOM"},
    {"text/spdx", "SBOM"},
    {"application/vnd.cyclonedx", "SBOM"},
    {"application/vnd.syft", "SBOM"},
    {"application/vnd.goharbor.harbor.sbom.", "SBOM"},
    {"application/vnd.cncf.helm.config.", "chart"},
    {"application/vnd.buildkit.cacheconfig.", "build cache"},
}};

}  // namespace

std::string ImageType(const ManifestInfo& manifest, std::string_view tag,
                      const Platform& platform) {
  if (SubjectOfTag(tag).has_value()) {
    const size_t dot = tag.find('.');
    if (dot == std::string_view::npos) return "referrers";
    for (const auto& [suffix, word] : kTagSuffixes) {
      if (tag.substr(dot) == suffix) return std::string(word);
    }
  }
  const std::string_view type = manifest.artifact_type;
  for (const auto& [begin, word] : kTypes) {
    if (type.substr(0, begin.size()) == begin) return std::string(word);
  }
  if (IsImageConfigType(type) || (type.empty() && IsIndexType(manifest.media_type))) {
    return IsUnknown(platform) ? "attestation" : kPlainImage;
  }
  return type.empty() ? "artifact" : std::string(type);
}

}  // namespace varve
