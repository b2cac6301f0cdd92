// Ids, artifacts and what belongs to images, as `varve` shows them.
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "client/cli/image_type.h"
#include "gmock/gmock.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "storage/image/names.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::string Short(const Digest& digest) {
  const std::string text = digest.ToString();
  return text.substr(text.find(':') + 1, 12);
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> Lines(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class CliImagesTest : public CommandTest {
 protected:
  std::string PushBlob(const std::string& repository, const char* type, const std::string& bytes) {
    PutBlob(repository, bytes);
    return Described(type, bytes);
  }
  static std::string Descriptor(std::string_view type, const Digest& digest, uint64_t size,
                                const std::string& more = "") {
    return StrCat(R"({"mediaType":")", type, R"(","digest":")", digest.ToString(), R"(","size":)",
                  size, more, "}");
  }
  Digest Put(const std::string& repository, const std::string& bytes,
             const std::vector<std::string>& tags = {},
             DigestAlgorithm algorithm = DigestAlgorithm::kSha256) {
    PutManifestRequest request;
    request.bytes = bytes;
    request.tags = tags;
    request.algorithm = algorithm;
    const absl::StatusOr<ManifestInfo> info = store_->manifests.PutManifest(repository, request);
    EXPECT_TRUE(info.ok()) << info.status();
    if (!info.ok()) return Digest();
    sizes_[info->digest] = bytes.size();
    return info->digest;
  }
  // A manifest with the config of every artifact that has none.
  std::string Artifact(const std::string& repository, const std::string& type,
                       const std::string& content, const std::optional<Digest>& subject) {
    return StrCat(
        R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciManifest, R"(","artifactType":")", type,
        R"(","config":)", PushBlob(repository, kMediaTypeOciEmpty, "{}"), R"(,"layers":[)",
        PushBlob(repository, "text/plain", content), "]",
        subject ? StrCat(R"(,"subject":)", Descriptor(kMediaTypeOciManifest, *subject, 7)) : "",
        "}");
  }
  std::string Image(const std::string& repository, const std::string& config,
                    const char* layer_type = kLayerType) {
    return ManifestOf(PushBlob(repository, kConfigType, config),
                      {PushBlob(repository, layer_type, "layer of " + config)});
  }
  std::string Child(const Digest& digest, const std::string& os, const std::string& machine) {
    return Descriptor(
        kMediaTypeOciManifest, digest, sizes_[digest],
        StrCat(R"(,"platform":{"os":")", os, R"(","architecture":")", machine, R"("})"));
  }

  // A store with everything that a store may have.
  void FillStore() {
    PutImage("app", {"v1", "v2", "latest"}, 1);
    const ManifestInfo moved = PutImage("app", {}, 2);
    dangling_.push_back(Short(moved.digest));
    // Dangling, and in two repositories.
    ASSERT_TRUE(store_->images.TagFrom("app", moved.digest, "copy", "gone").ok());
    ASSERT_TRUE(store_->manifests.Untag("copy", "gone", false).ok());
    // In another form, with the same config.
    PutImage("twice", {"v1"}, 1);
    PutForm("twice");
    amd_ = Put("multi", Image("multi", R"({"os":"linux","architecture":"amd64"})"));
    arm_ = Put("multi", Image("multi", R"({"os":"linux","architecture":"arm64"})"));
    attestation_ = Put("multi", Image("multi", R"({"os":"unknown","architecture":"unknown"})",
                                      "application/vnd.in-toto+json"));
    index_ = Put("multi",
                 IndexOf({Child(amd_, "linux", "amd64"), Child(arm_, "linux", "arm64"),
                          Child(attestation_, "unknown", "unknown")}),
                 {"v1", "stable"});
    signature_ = Put("multi", Image("multi", "{}", "application/vnd.dev.cosign.simplesigning.v1"),
                     {SubjectTagPrefix(index_) + ".sig"});
    sbom_ = Put("multi", Artifact("multi", "application/spdx+json", "packages", amd_));
    sbom_signature_ =
        Put("multi", Artifact("multi", "application/vnd.cncf.notary.signature", "sig", sbom_));
    chart_ = Put(
        "charts/web",
        Artifact("charts/web", "application/vnd.cncf.helm.config.v1+json", "chart", std::nullopt),
        {"1.0"});
    dangling_.push_back(
        Short(Put("charts/web", Artifact("charts/web", "application/x", "old", std::nullopt))));
    // Dangling with what belongs to it, and named by a longer digest.
    const Digest old = Put("multi", Image("multi", R"({"os":"linux"})"));
    dangling_.push_back(Short(Put("multi", IndexOf({Child(old, "linux", "s390x")}))));
    dangling_.push_back(Short(Put("longer", Image("longer", "{}"), {}, DigestAlgorithm::kSha512)));
  }
  // The image that PutImage makes of seed 1, with its layer by another type.
  void PutForm(const std::string& repository) {
    const std::string config = "{\"seed\":1}";
    dangling_.push_back(
        Short(Put(repository, ManifestOf(PushBlob(repository, kConfigType, config),
                                         {PushBlob(repository, kLayerType, "other")}))));
  }

  std::map<Digest, uint64_t> sizes_;
  std::vector<std::string> dangling_;
  Digest index_, amd_, arm_, attestation_, signature_, sbom_, sbom_signature_, chart_;
};

TEST(ImageTypeTest, IsAWordWhereThereIsOne) {
  const std::string tag = SubjectTagPrefix(Sha256Of("subject"));
  const auto type = [](const std::string& artifact_type, const std::string& of_tag = "",
                       const Platform& platform = {}) {
    ManifestInfo manifest;
    manifest.media_type = kMediaTypeOciManifest;
    manifest.artifact_type = artifact_type;
    return ImageType(manifest, of_tag, platform);
  };
  EXPECT_EQ(type(kConfigType), "image");
  EXPECT_EQ(type("application/vnd.docker.container.image.v1+json", "v1"), "image");
  EXPECT_EQ(type(kConfigType, "", {"unknown", "unknown", ""}), "attestation");
  EXPECT_EQ(type(kConfigType, tag + ".sig"), "signature");
  EXPECT_EQ(type(kConfigType, tag + ".att"), "attestation");
  EXPECT_EQ(type(kConfigType, tag + ".sbom"), "SBOM");
  EXPECT_EQ(type(kConfigType, tag + ".other"), "image");
  EXPECT_EQ(type("", tag), "referrers");
  EXPECT_EQ(type(kConfigType, "v1.sig"), "image");
  EXPECT_EQ(type("application/vnd.dev.sigstore.bundle.v0.3+json"), "signature");
  EXPECT_EQ(type("application/vnd.cyclonedx+json"), "SBOM");
  EXPECT_EQ(type("application/vnd.in-toto+json"), "attestation");
  EXPECT_EQ(type("application/vnd.cncf.helm.config.v1+json"), "chart");
  EXPECT_EQ(type("application/vnd.acme.thing"), "application/vnd.acme.thing");
  EXPECT_EQ(type(""), "artifact");
  ManifestInfo index;
  index.media_type = kMediaTypeOciIndex;
  EXPECT_EQ(ImageType(index, "v1", {}), "image");
}

TEST_F(CliImagesTest, IdsOfAnyStoreCanBeInspectedAndRemoved) {
  FillStore();
  RestartDaemonWithoutPromises();  // so that what belongs to a dangling image goes with it
  const std::vector<std::string> ids = Words(OutputOf({"images", "-q"}));
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  const std::vector<std::string> all = Words(OutputOf({"images", "-qa", "--no-trunc"}));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  EXPECT_GT(all.size(), ids.size());
  for (const std::vector<std::string>& listed : {ids, all}) {
    std::vector<std::string> inspect = {"inspect", "--format", "{{.Id}}"};
    inspect.insert(inspect.end(), listed.begin(), listed.end());
    EXPECT_THAT(Words(OutputOf(inspect)), SizeIs(listed.size()));
  }
  const std::vector<std::string> dangling = Words(OutputOf({"images", "-qf", "dangling=true"}));
  EXPECT_THAT(dangling, testing::UnorderedElementsAreArray(dangling_));
  std::vector<std::string> remove = {"rmi"};
  remove.insert(remove.end(), dangling.begin(), dangling.end());
  EXPECT_THAT(OutputOf(remove), Not(HasSubstr("Untagged")));
  EXPECT_EQ(OutputOf({"images", "-qf", "dangling=true"}), "");
  EXPECT_THAT(Words(OutputOf({"images", "-q"})), SizeIs(ids.size() - dangling.size()));
}

TEST_F(CliImagesTest, ArtifactsShowTheirTypeAndSignaturesAreLeftOut) {
  PutImage("app", {"v1"}, 1);
  EXPECT_THAT(Lines(OutputOf({"images"}))[0],
              MatchesRegex("REPOSITORY +TAG +IMAGE ID +CREATED +SIZE"));
  FillStore();
  EXPECT_THAT(Lines(OutputOf({"images", "multi:v1"}))[0], Not(HasSubstr("TYPE")));
  const std::vector<std::string> charts = Lines(OutputOf({"images", "charts/web:1.0"}));
  ASSERT_THAT(charts, SizeIs(2));
  EXPECT_THAT(charts[0], MatchesRegex("REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +TYPE"));
  EXPECT_THAT(charts[1], MatchesRegex(StrCat("charts/web +1.0 +", Short(chart_), " .* chart")));
  EXPECT_THAT(Lines(OutputOf({"images", "multi", "--format", "{{.ID}} {{.Type}}"})),
              UnorderedElementsAre(StrCat(Short(index_), " image"), StrCat(Short(index_), " image"),
                                   MatchesRegex("[0-9a-f]+ image")));
  const std::string all = OutputOf({"images", "-a", "multi", "--format", "{{.ID}} {{.Type}}"});
  EXPECT_THAT(all, HasSubstr(StrCat(Short(signature_), " signature\n")));
  EXPECT_THAT(all, HasSubstr(StrCat(Short(sbom_), " SBOM\n")));
  EXPECT_THAT(all, HasSubstr(StrCat(Short(attestation_), " attestation\n")));
  // By its own name it is shown.
  EXPECT_THAT(OutputOf({"images", "-q", StrCat("multi:", SubjectTagPrefix(index_), ".sig")}),
              StartsWith(Short(signature_)));
}

TEST_F(CliImagesTest, InspectShowsTheLayersOfAnArtifactAndTheManifestItself) {
  FillStore();
  const std::string layers = OutputOf({"inspect", "-f", "{{json .Layers}}", "charts/web:1.0"});
  EXPECT_THAT(layers, HasSubstr(Sha256Of("chart").ToString()));
  EXPECT_THAT(layers, HasSubstr("\"MediaType\":\"text/plain\""));
  EXPECT_EQ(Sha256Of(OutputOf({"inspect", "--raw", "charts/web:1.0"})), chart_);
  EXPECT_EQ(Sha256Of(OutputOf({"image", "inspect", "--raw", "multi:v1"})), index_);
  EXPECT_EQ(Sha256Of(OutputOf({"inspect", "--raw", "--platform", "linux/arm64", Short(index_)})),
            arm_);
  // To look is no pull.
  EXPECT_THAT(OutputOf({"images", "--json", "multi:v1"}), HasSubstr("\"pulled\":null"));
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"--json"}, {"-f", "{{.Id}}"}, {"multi:v1"}}) {
    std::vector<std::string> arguments = {"inspect", "--raw", "charts/web:1.0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(Run(arguments).exit_code, 2);
  }
  const CommandOutcome none = Run({"inspect", "--raw", "--platform", "linux/s390x", "multi:v1"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
}

TEST_F(CliImagesTest, TheConfigOfOneImageStillFindsIt) {
  const ManifestInfo app = PutImage("app", {"v1"}, 1);
  EXPECT_EQ(OutputOf({"inspect", "-f", "{{.Id}} {{.ConfigDigest}}", Short(*app.config)}),
            StrCat(app.digest.ToString(), " ", app.config->ToString(), "\n"));
  PutForm("app");
  const CommandOutcome several = Run({"rmi", "-f", app.config->ToString()});
  EXPECT_EQ(several.exit_code, 1);
  EXPECT_THAT(several.err, HasSubstr(StrCat(Short(app.digest), " (app:v1)")));
  EXPECT_THAT(several.err, HasSubstr(StrCat(dangling_[0], " (app@sha256:")));
  EXPECT_THAT(OutputOf({"rmi", dangling_[0]}), StartsWith("Deleted: app@sha256:"));
}

TEST_F(CliImagesTest, ATreeShowsWhatBelongsToAnImage) {
  FillStore();
  const std::vector<std::string> lines = Lines(OutputOf({"image", "tree", "multi:v1"}));
  const auto row = [](const std::string& name, const Digest& digest, const std::string& type) {
    return MatchesRegex(
        StrCat(name, " +", Short(digest), " +[0-9.]+k?B", type.empty() ? " *" : " +", type));
  };
  EXPECT_THAT(
      lines,
      ElementsAre(MatchesRegex("IMAGE +IMAGE ID +SIZE +ARTIFACT TYPE"), row("multi:v1", index_, ""),
                  row("  linux/amd64", amd_, ""), row("    SBOM", sbom_, "application/spdx.json"),
                  row("      signature", sbom_signature_, "application/vnd.cncf.notary.signature"),
                  row("  linux/arm64", arm_, ""), row("  attestation", attestation_, ""),
                  row("  signature", signature_, "")));
  const std::vector<std::string> json =
      Lines(OutputOf({"image", "tree", "--json", "multi:v1", "charts/web:1.0"}));
  ASSERT_THAT(json, SizeIs(8));
  EXPECT_THAT(json[2], HasSubstr(StrCat("{\"depth\":2,\"digest\":\"", sbom_.ToString(),
                                        "\",\"present\":true,\"type\":\"SBOM\"")));
  EXPECT_THAT(json[6], HasSubstr(StrCat("\"tag\":\"", SubjectTagPrefix(index_), ".sig\"")));
  EXPECT_THAT(json[7], HasSubstr("\"name\":\"charts/web:1.0\""));
  const CommandOutcome some = Run({"image", "tree", "absent:v1", "charts/web:1.0"});
  EXPECT_EQ(some.exit_code, 1);
  EXPECT_THAT(some.out, HasSubstr("charts/web:1.0"));
}

}  // namespace
}  // namespace varve
