// What refers to saved images goes with them.
#include <algorithm>
#include <boost/json.hpp>

#include "gmock/gmock.h"
#include "tests/client/archive/save_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace json = boost::json;

class SaveReferrersTest : public SaveTest {
 protected:
  // A manifest of one layer, and with a subject when `subject` is one; gives its bytes.
  std::string PutReferrer(const std::string& repository, const std::vector<std::string>& tags,
                          const std::string& subject, const std::string& layer) {
    PutBlob(repository, "{}");
    PutBlob(repository, layer);
    std::string manifest = ManifestOf(Described("application/vnd.oci.empty.v1+json", "{}"),
                                      {Described("application/x", layer)});
    if (!subject.empty()) {
      manifest.insert(manifest.size() - 1, ",\"subject\":" + Described(kManifestType, subject));
    }
    PutManifest(repository, tags, manifest);
    return manifest;
  }

  static std::string SubjectTag(const std::string& subject) {
    return "sha256-" + Sha256Of(subject).ToString().substr(7);
  }

  // The digest of each entry of index.json, with its name when it has one.
  static std::vector<std::string> Listed(const Files& files) {
    std::vector<std::string> listed;
    const json::value index = json::parse(files.at("index.json"));
    for (const json::value& entry : index.at("manifests").as_array()) {
      listed.emplace_back(entry.at("digest").as_string().c_str());
      if (!entry.as_object().contains("annotations")) continue;
      listed.back() += " ";
      listed.back() += entry.at("annotations").at("io.varve.image.name").as_string().c_str();
    }
    return listed;
  }

  static std::string Id(const std::string& manifest) { return Sha256Of(manifest).ToString(); }
};

TEST_F(SaveReferrersTest, InAnyDepthAfterTheImages) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  const std::string bom = PutReferrer("app", {}, image, "bom");
  const std::string signature = PutReferrer("app", {}, bom, "signature of the bom");
  const std::string other = PutImage("app", {"v2"}, ConfigFor("arm64"), {"layer"});
  PutReferrer("app", {}, other, "of another image");
  const Files files = SavedFiles({"app:v1"});
  std::vector<std::string> expected = {Id(bom), Id(signature)};
  std::sort(expected.begin(), expected.end());
  EXPECT_THAT(Listed(files), ElementsAre(Id(image) + " app:v1", expected[0], expected[1]));
  for (const std::string& blob : {bom, signature, std::string("bom"), std::string("{}")}) {
    EXPECT_EQ(files.count(PathOf(blob)), 1u) << blob;
  }
  EXPECT_EQ(files.count(PathOf(std::string("of another image"))), 0u);
  EXPECT_EQ(json::parse(files.at("manifest.json")).as_array().size(), 1u);
  ASSERT_EQ(observer_.notes.size(), 1u);
  EXPECT_THAT(observer_.notes[0], HasSubstr("2 signatures"));
}

TEST_F(SaveReferrersTest, CosignsTagsComeWithTheirNames) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  // A signature of cosign has the config of an image.
  const std::string signature = PutImage("app", {SubjectTag(image) + ".sig"}, "{\"os\":\"\"}",
                                         {"payload"}, "application/vnd.dev.cosign.simplesigning");
  const std::string of_signature = PutReferrer("app", {}, signature, "deeper");
  for (const char* const name : {"app:v1", "app"}) {
    const Files files = SavedFiles({name});
    EXPECT_THAT(Listed(files), ElementsAre(Id(image) + " app:v1", Id(of_signature),
                                           Id(signature) + " app:" + SubjectTag(image) + ".sig"));
    EXPECT_EQ(json::parse(files.at("manifest.json")).as_array().size(), 1u) << name;
  }
}

TEST_F(SaveReferrersTest, TheyCanBeLeft) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  PutReferrer("app", {}, image, "bom");
  PutReferrer("app", {SubjectTag(image) + ".sig"}, "", "signature");
  const std::string lone = PutReferrer("app", {SubjectTag("gone") + ".sig"}, "", "lone");
  for (const char* const name : {"app:v1", "app"}) {
    const CommandOutcome saved = Run({"save", "-q", "--no-referrers", "-o", Path("a.tar"), name});
    EXPECT_EQ(saved.exit_code, 0) << saved.err;
    Files files;
    for (const TarEntry& entry : ParseTar(ReadFile(Path("a.tar")))) files[entry.path] = entry.bytes;
    if (std::string(name) == "app:v1") {
      EXPECT_THAT(Listed(files), ElementsAre(Id(image) + " app:v1"));
    } else {
      EXPECT_THAT(Listed(files), ElementsAre(Id(lone) + " app:" + SubjectTag("gone") + ".sig",
                                             Id(image) + " app:v1"));
    }
  }
}

TEST_F(SaveReferrersTest, OfAnIndexAndOfItsChildren) {
  PutIndex("multi", "v1");
  const std::string of_index = PutReferrer("multi", {}, index_, "of the index");
  const std::string of_child = PutReferrer("multi", {}, other_, "of a child");
  std::vector<std::string> expected = {Id(of_index), Id(of_child)};
  std::sort(expected.begin(), expected.end());
  EXPECT_THAT(Listed(SavedFiles({"multi:v1"})),
              ElementsAre(Id(index_) + " multi:v1", expected[0], expected[1]));
  EXPECT_THAT(Listed(SavedFiles({"multi:v1"}, "linux/s390x")),
              ElementsAre(Id(other_) + " multi:v1", Id(of_child)));
}

TEST_F(SaveReferrersTest, AnIndexCanRefer) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  const std::string child = PutReferrer("app", {}, "", "child");
  const std::string index =
      IndexOf({Described(kManifestType, child)}, ",\"subject\":" + Described(kManifestType, image));
  PutManifest("app", {}, index);
  const Files files = SavedFiles({"app:v1"});
  EXPECT_THAT(Listed(files), ElementsAre(Id(image) + " app:v1", Id(index)));
  EXPECT_EQ(files.count(PathOf(std::string("child"))), 1u);
}

TEST_F(SaveReferrersTest, OneThatIsSavedByNameIsListedOnce) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  const std::string bom = PutReferrer("app", {"bom"}, image, "bom");
  EXPECT_THAT(Listed(SavedFiles({"app:v1"})), ElementsAre(Id(image) + " app:v1", Id(bom)));
  EXPECT_THAT(Listed(SavedFiles({"app"})),
              ElementsAre(Id(bom) + " app:bom", Id(image) + " app:v1"));
}

TEST_F(SaveReferrersTest, TheSameBytesWhateverTheOrder) {
  const std::string image = PutImage("app", {"v1", "v2"}, ConfigFor("amd64"), {"layer"});
  for (int i = 0; i < 5; ++i) PutReferrer("app", {}, image, "bom " + std::to_string(i));
  const absl::StatusOr<std::string> first = Save({"app:v1", "app:v2"});
  const absl::StatusOr<std::string> second = Save({"app:v2", "app:v1"});
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_TRUE(*first == *second);
}

TEST_F(SaveReferrersTest, ADamagedOneIsNamedWithTheWayRoundIt) {
  const std::string image = PutImage("app", {"v1"}, ConfigFor("amd64"), {"layer"});
  const std::string bom = PutReferrer("app", {}, image, TestBytes(90'000, 1));
  for (const auto& file : std::filesystem::recursive_directory_iterator(Path("data/blobs"))) {
    if (file.is_regular_file() && file.file_size() == 90'000) std::filesystem::remove(file);
  }
  const absl::Status status = Save({"app:v1"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(Id(bom)));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--no-referrers"));
}

}  // namespace
}  // namespace varve
