// Where signatures, attestations and SBOMs of an archive go: to their subjects.
#include <algorithm>
#include <cstdlib>

#include "gmock/gmock.h"
#include "storage/api/pruning.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class LoadReferrersTest : public LoadTest {
 protected:
  // Adds a manifest with the subject, unless that is empty; gives its bytes.
  std::string AddReferrer(const std::string& subject, const std::string& payload,
                          const std::string& subject_type = kManifestType) {
    std::string manifest = std::string("{\"schemaVersion\":2,\"mediaType\":\"") + kManifestType +
                           "\",\"artifactType\":\"application/x\",\"config\":" +
                           Described("application/vnd.oci.empty.v1+json", "{}") + ",\"layers\":[" +
                           Described("application/x", payload) + "]";
    if (!subject.empty()) manifest += ",\"subject\":" + Described(subject_type, subject);
    manifest += "}";
    for (const std::string& bytes : {std::string("{}"), payload, manifest}) {
      blobs_.push_back(BlobEntry(bytes));
    }
    return manifest;
  }

  void AddImage(const TestImage& image) {
    for (const TestEntry& entry : BlobEntries(image)) blobs_.push_back(entry);
  }

  static std::string SubjectTag(const std::string& subject) {
    return "sha256-" + Sha256Hex(subject);
  }

  // The digests that the repository lists as referrers of `subject`, each once.
  std::vector<Digest> ReferrersOf(const std::string& repository, const std::string& subject) {
    const absl::StatusOr<ReferrerPage> page =
        client_->ListReferrers(repository, Sha256Of(subject), "", "", 1000);
    EXPECT_TRUE(page.ok()) << page.status();
    std::vector<Digest> digests;
    if (!page.ok()) return digests;
    for (const Referrer& referrer : page->referrers) {
      digests.push_back(referrer.info.manifest.digest);
    }
    std::sort(digests.begin(), digests.end());
    digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
    return digests;
  }

  // From a file, then from a pipe; both must succeed.
  void LoadBothWays(const std::vector<std::string>& descriptors) {
    const std::string archive = Tar(Layout(blobs_, descriptors));
    for (const From from : {From::kPipe, From::kFile}) {
      ASSERT_EQ(Load(archive, from), absl::OkStatus());
    }
  }

  const TestImage image_{{TestBytes(3000, 1)}};
  std::vector<TestEntry> blobs_;
};

TEST_F(LoadReferrersTest, IntoEveryRepositoryOfTheSubjectInAnyDepth) {
  AddImage(image_);
  const std::string bom = AddReferrer(image_.manifest, "bom");
  const std::string signature = AddReferrer(bom, "signature");
  const std::string deeper = AddReferrer(signature, "deeper");
  LoadBothWays({Described(kManifestType, deeper), Described(kManifestType, signature),
                Described(kManifestType, image_.manifest, Named("a:1")),
                Described(kManifestType, bom),
                Described(kManifestType, image_.manifest, Named("b/c:1"))});
  for (const char* const repository : {"a", "b/c"}) {
    EXPECT_THAT(ReferrersOf(repository, image_.manifest), ElementsAre(Sha256Of(bom)));
    EXPECT_THAT(ReferrersOf(repository, bom), ElementsAre(Sha256Of(signature)));
    EXPECT_THAT(ReferrersOf(repository, signature), ElementsAre(Sha256Of(deeper)));
  }
  EXPECT_FALSE(client_->StatManifest("untagged", Sha256Of(bom)).ok());
  // What belongs to a tagged image is no garbage.
  RestartDaemonWithoutPromises();
  ASSERT_TRUE(client_->Prune({}, nullptr).ok());
  EXPECT_TRUE(client_->StatManifest("a", Sha256Of(deeper)).ok());
}

TEST_F(LoadReferrersTest, OneWithAnOwnNameGoesThereToo) {
  AddImage(image_);
  const std::string bom = AddReferrer(image_.manifest, "bom");
  LoadBothWays({Described(kManifestType, bom, Named("boms:1")),
                Described(kManifestType, image_.manifest, Named("app:1"))});
  EXPECT_EQ(Tagged("boms", "1"), Sha256Of(bom));
  EXPECT_THAT(ReferrersOf("app", image_.manifest), ElementsAre(Sha256Of(bom)));
}

TEST_F(LoadReferrersTest, OfAnIndexAndOfItsChild) {
  AddImage(image_);
  const std::string index = IndexOf({Described(kManifestType, image_.manifest, image_.platform)});
  blobs_.push_back(BlobEntry(index));
  const std::string of_index = AddReferrer(index, "of the index", kIndexType);
  const std::string of_child = AddReferrer(image_.manifest, "of the child");
  LoadBothWays({Described(kManifestType, of_child), Described(kManifestType, of_index),
                Described(kIndexType, index, Named("multi:1"))});
  EXPECT_THAT(ReferrersOf("multi", index), ElementsAre(Sha256Of(of_index)));
  EXPECT_THAT(ReferrersOf("multi", image_.manifest), ElementsAre(Sha256Of(of_child)));
}

// As oras lays out everything it copies: each manifest is listed, children too.
TEST_F(LoadReferrersTest, WhatAnotherImageListsIsNoImageOfItsOwn) {
  AddImage(image_);
  const std::string index = IndexOf({Described(kManifestType, image_.manifest, image_.platform)});
  blobs_.push_back(BlobEntry(index));
  LoadBothWays(
      {Described(kManifestType, image_.manifest), Described(kIndexType, index, Named("multi:1"))});
  EXPECT_THAT(observer_.loaded, ElementsAre("multi:1"));
  EXPECT_FALSE(client_->StatManifest("untagged", image_.digest()).ok());
}

TEST_F(LoadReferrersTest, TagsOfCosignGoAlong) {
  AddImage(image_);
  const std::string signature = AddReferrer("", "signature");
  const std::string attestation = AddReferrer("", "attestation");
  const std::string of_signature = AddReferrer("", "of the signature");
  const std::string tag = SubjectTag(image_.manifest);
  LoadBothWays(
      {Described(kManifestType, signature, RefNamed(tag + ".sig")),
       Described(kManifestType, attestation, RefNamed("localhost/elsewhere:" + tag + ".att")),
       Described(kManifestType, of_signature, RefNamed(SubjectTag(signature) + ".sig")),
       Described(kManifestType, image_.manifest, Named("a:1")),
       Described(kManifestType, image_.manifest, Named("b:1"))});
  for (const char* const repository : {"a", "b"}) {
    EXPECT_EQ(Tagged(repository, tag + ".sig"), Sha256Of(signature));
    EXPECT_EQ(Tagged(repository, tag + ".att"), Sha256Of(attestation));
    EXPECT_EQ(Tagged(repository, SubjectTag(signature) + ".sig"), Sha256Of(of_signature));
  }
  EXPECT_EQ(Tagged("elsewhere", tag + ".att"), Sha256Of(attestation));
}

// As `cosign save` lays it out.
TEST_F(LoadReferrersTest, SignaturesThatCosignSavedGetItsTags) {
  AddImage(image_);
  const std::string signature = AddReferrer("", "signature");
  const std::string attestation = AddReferrer("", "attestation");
  const auto entry = [](const std::string& manifest, const std::string& kind,
                        const std::string& name) {
    return Described(
        kManifestType, manifest,
        ",\"annotations\":{\"kind\":\"dev.cosignproject.cosign/" + kind + "\"" +
            (name.empty() ? "" : ",\"org.opencontainers.image.ref.name\":\"" + name + "\"") + "}");
  };
  for (const std::string& name : {std::string("docker.io/me/app:1"), std::string()}) {
    LoadBothWays({entry(image_.manifest, "image", name), entry(signature, "sigs", name),
                  entry(attestation, "atts", name)});
    const std::string repository = name.empty() ? "untagged" : "me/app";
    const std::string tag = SubjectTag(image_.manifest);
    EXPECT_EQ(Tagged(repository, tag + ".sig"), Sha256Of(signature));
    EXPECT_EQ(Tagged(repository, tag + ".att"), Sha256Of(attestation));
  }
  EXPECT_EQ(Tagged("me/app", "1"), image_.digest());
}

TEST_F(LoadReferrersTest, ADigestIsNoName) {
  AddImage(image_);
  const std::string bom = AddReferrer(image_.manifest, "bom");
  LoadBothWays({Described(kManifestType, bom, RefNamed(Sha256Of(bom).ToString())),
                Described(kManifestType, image_.manifest, Named("app:1"))});
  EXPECT_THAT(ReferrersOf("app", image_.manifest), ElementsAre(Sha256Of(bom)));
  EXPECT_FALSE(client_->StatManifest("sha256", Sha256Of(bom)).ok());
  const TestImage other({TestBytes(10, 2)});
  blobs_.clear();
  AddImage(other);
  for (const std::string& named :
       {RefNamed(other.digest().ToString()), Named(other.digest().ToString())}) {
    LoadBothWays({Described(kManifestType, other.manifest, named)});
    EXPECT_THAT(observer_.loaded, ElementsAre("untagged"));
  }
}

TEST_F(LoadReferrersTest, WithoutItsSubjectOneGoesWhereImagesWithoutANameGo) {
  const std::string bom = AddReferrer("elsewhere", "bom");
  LoadBothWays({Described(kManifestType, bom)});
  EXPECT_THAT(observer_.loaded, ElementsAre("untagged"));
  load_options_.repository = "mine";
  LoadBothWays({Described(kManifestType, bom)});
  EXPECT_THAT(ReferrersOf("mine", "elsewhere"), ElementsAre(Sha256Of(bom)));
}

TEST_F(LoadReferrersTest, OfASubjectThatCannotBeLoadedIsSaidSo) {
  const std::string bom = AddReferrer(image_.manifest, "bom");
  const std::string signature = AddReferrer(bom, "signature");
  blobs_.push_back(BlobEntry(image_.manifest));  // but not its blobs
  const std::string archive =
      Tar(Layout(blobs_, {Described(kManifestType, signature), Described(kManifestType, bom),
                          Described(kManifestType, image_.manifest, Named("app:1"))}));
  for (const From from : {From::kPipe, From::kFile}) {
    EXPECT_EQ(Load(archive, from).code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(observer_.loaded, IsEmpty());
    EXPECT_THAT(observer_.failed,
                UnorderedElementsAre(image_.digest().ToString(), Sha256Of(bom).ToString(),
                                     Sha256Of(signature).ToString()));
  }
}

TEST_F(LoadReferrersTest, OfOnePlatformThoseOfItsImage) {
  const TestImage arm({TestBytes(500, 3)}, "arm64");
  AddImage(image_);
  AddImage(arm);
  const std::string index = IndexOf({Described(kManifestType, image_.manifest, image_.platform),
                                     Described(kManifestType, arm.manifest, arm.platform)});
  blobs_.push_back(BlobEntry(index));
  const std::string of_arm = AddReferrer(arm.manifest, "of arm");
  const std::string of_amd = AddReferrer(image_.manifest, "of amd");
  const std::string of_index = AddReferrer(index, "of the index", kIndexType);
  load_options_.platform = Platform{.os = "linux", .architecture = "arm64", .variant = ""};
  LoadBothWays({Described(kManifestType, of_arm), Described(kManifestType, of_amd),
                Described(kManifestType, of_index),
                Described(kIndexType, index, Named("multi:1"))});
  EXPECT_EQ(Tagged("multi", "1"), arm.digest());
  EXPECT_THAT(ReferrersOf("multi", arm.manifest), ElementsAre(Sha256Of(of_arm)));
  EXPECT_FALSE(client_->StatManifest("multi", Sha256Of(of_amd)).ok());
  EXPECT_FALSE(client_->StatManifest("multi", Sha256Of(of_index)).ok());
}

TEST_F(LoadReferrersTest, TheCommandNamesThem) {
  AddImage(image_);
  const std::string bom = AddReferrer(image_.manifest, "bom");
  const std::string path = WriteFile(
      "a.tar",
      Tar(Layout(blobs_, {Described(kManifestType, bom),
                          Described(kManifestType, image_.manifest, Named("reg:5000/app:1"))})));
  const std::string command = "VARVE_ADDRESS=" + Address() + " " VARVE_BINARY " load -q -i " +
                              path + " >" + Path("out") + " 2>" + Path("err");
  EXPECT_EQ(std::system(command.c_str()), 0) << ReadFile(Path("err"));
  EXPECT_EQ(ReadFile(Path("out")), "Loaded image: reg:5000/app:1\nLoaded referrer: reg:5000/app@" +
                                       Sha256Of(bom).ToString() + "\n");
}

// A chain against the order of the archive, and many referrers of one image.
TEST_F(LoadReferrersTest, Many) {
  AddImage(image_);
  std::vector<std::string> descriptors;
  std::string subject = image_.manifest;
  for (int i = 0; i < 40; ++i) {
    subject = AddReferrer(subject, "link " + std::to_string(i));
    descriptors.insert(descriptors.begin(), Described(kManifestType, subject));
  }
  for (int i = 0; i < 40; ++i) {
    descriptors.push_back(
        Described(kManifestType, AddReferrer(image_.manifest, "many " + std::to_string(i))));
  }
  descriptors.push_back(Described(kManifestType, image_.manifest, Named("app:1")));
  ASSERT_EQ(Load(Tar(Layout(blobs_, descriptors))), absl::OkStatus());
  EXPECT_THAT(ReferrersOf("app", image_.manifest), SizeIs(41));
  EXPECT_TRUE(client_->StatManifest("app", Sha256Of(subject)).ok());
}

// Of a subject that is in the store already, and not in the archive.
TEST_F(LoadReferrersTest, WithoutTheirSubjectTheyGoToThePlacesThatItHasInTheStore) {
  AddImage(image_);
  LoadBothWays({Described(kManifestType, image_.manifest, Named("a:1")),
                Described(kManifestType, image_.manifest, Named("b/c:1"))});
  blobs_.clear();
  const std::string bom = AddReferrer(image_.manifest, "bom");
  LoadBothWays({Described(kManifestType, bom)});
  for (const char* const repository : {"a", "b/c"}) {
    EXPECT_THAT(ReferrersOf(repository, image_.manifest), ElementsAre(Sha256Of(bom)));
  }
}

}  // namespace
}  // namespace varve
