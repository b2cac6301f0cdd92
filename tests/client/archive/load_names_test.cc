// What the images of an archive are called in the store.
#include "client/archive/image_names.h"
#include "gmock/gmock.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LoadNamesTest : public LoadTest {
 protected:
  // A Docker archive of images, each with its names.
  static std::string DockerArchive(
      const std::vector<std::pair<TestImage, std::vector<std::string>>>& images) {
    std::vector<TestEntry> entries;
    std::vector<std::string> listed;
    for (const auto& [image, names] : images) {
      const std::string number = std::to_string(listed.size());
      entries.push_back({.name = "c" + number + ".json", .bytes = image.config});
      entries.push_back({.name = "l" + number + ".tar", .bytes = image.layers[0]});
      std::vector<std::string> tags;
      for (const std::string& name : names) tags.push_back("\"" + name + "\"");
      listed.push_back("{\"Config\":\"c" + number + ".json\",\"RepoTags\":[" + Join(tags) +
                       "],\"Layers\":[\"l" + number + ".tar\"]}");
    }
    entries.push_back({.name = "manifest.json", .bytes = "[" + Join(listed) + "]"});
    return Tar(entries);
  }

  const TestImage one_{{TestBytes(5000, 1)}};
  const TestImage two_{{TestBytes(5000, 2)}};
  const TestImage three_{{TestBytes(5000, 3)}};
};

TEST_F(LoadNamesTest, ImagesOfTwoRegistriesStayTwo) {
  const std::string tar =
      DockerArchive({{one_, {"reg-a:5000/col:1"}}, {two_, {"Reg-B.Example:5000/col:1"}}});
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(tar, from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("reg-a__5000/col:1", "reg-b.example__5000/col:1"));
    EXPECT_EQ(Tagged("reg-a__5000/col", "1"), one_.digest());
    EXPECT_EQ(Tagged("reg-b.example__5000/col", "1"), two_.digest());
  }
}

TEST_F(LoadNamesTest, OneImageMayHaveOneNameInSeveralForms) {
  const std::vector<std::string> names = {"docker.io/library/col:1", "localhost/col:1", "col:1"};
  ASSERT_EQ(Load(DockerArchive({{one_, names}, {one_, {"library/col:1"}}})), absl::OkStatus());
  EXPECT_EQ(Tagged("col", "1"), one_.digest());
}

TEST_F(LoadNamesTest, TheSecondImageOfOneNameIsLeftOutWhole) {
  const std::string tar = DockerArchive({{one_, {"docker.io/library/col:1"}},
                                         {two_, {"other:1", "localhost/col:1"}},
                                         {three_, {"col:2"}}});
  for (const From from : {From::kFile, From::kPipe}) {
    const absl::Status status = Load(tar, from);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("another image that ends under its name, col:1"));
    EXPECT_THAT(observer_.loaded, ElementsAre("col:1", "col:2"));
    EXPECT_EQ(observer_.failed.size(), 1u);
    EXPECT_EQ(Tagged("col", "1"), one_.digest());
    EXPECT_EQ(Tagged("other", "1"), Digest());
    EXPECT_EQ(Tagged("col", "2"), three_.digest());
  }
}

TEST_F(LoadNamesTest, ALayoutTakesNoNameTwiceEither) {
  std::vector<TestEntry> blobs = BlobEntries(one_);
  for (const TestEntry& entry : BlobEntries(two_)) blobs.push_back(entry);
  const std::string tar =
      Tar(Layout(blobs, {Described(kManifestType, one_.manifest, RefNamed("localhost/col:1")),
                         Described(kManifestType, two_.manifest, Named("docker.io/col:1"))}));
  EXPECT_EQ(Load(tar).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Tagged("col", "1"), one_.digest());
  // What the store had under a name is replaced as before, not taken for part of the archive.
  ASSERT_EQ(Load(Tar(LayoutOf(three_, "col:1"))), absl::OkStatus());
  EXPECT_EQ(observer_.moved.size(), 1u);
}

TEST_F(LoadNamesTest, AnAddressThatNoNameCanHoldIsRefusedAndTheRestLoads) {
  const absl::Status status =
      Load(DockerArchive({{one_, {"[::1]:5000/app:1"}}, {two_, {"app:2"}}}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("an IPv6 address cannot be the host"));
  EXPECT_THAT(observer_.loaded, ElementsAre("app:2"));
}

TEST_F(LoadNamesTest, TheDaemonsOwnAddressIsLeftOut) {
  StopDaemon();
  EngineOptions options;
  options.names.own_hosts = {"127.0.0.1__5000", "registry.example.com"};
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  ASSERT_EQ(Load(DockerArchive({{one_, {"127.0.0.1:5000/library/app:1"}},
                                {two_, {"Registry.Example.com/team/app:1"}},
                                {three_, {"127.0.0.1:5001/app:1"}}})),
            absl::OkStatus());
  EXPECT_THAT(observer_.loaded, ElementsAre("app:1", "team/app:1", "127.0.0.1__5001/app:1"));
  EXPECT_EQ(Tagged("app", "1"), one_.digest());
}

// As at every other door: the repository of exactly the name, if there is one.
TEST_F(LoadNamesTest, ANameMeansTheRepositoryOfExactlyThatName) {
  StopDaemon();
  EngineOptions options;
  options.names.canonical = false;
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  PutImage("library/old", {"v1"}, 7);
  StopDaemon();
  ASSERT_NO_FATAL_FAILURE(StartDaemon());
  PutImage("both", {"1"}, 8);
  const Digest both = Tagged("both", "1");
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(DockerArchive({{one_, {"library/old:1"}}, {two_, {"library/new:1"}}}), from),
              absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("library/old:1", "new:1"));
    EXPECT_EQ(Tagged("library/old", "1"), one_.digest());
    EXPECT_EQ(Tagged("old", "1"), Digest());
  }
  EXPECT_EQ(Tagged("both", "1"), both);
}

TEST_F(LoadNamesTest, OneNameInTwoFormsIsToldOnce) {
  const std::string both = Named("docker.io/library/app:1");
  std::vector<TestEntry> entries =
      Layout(BlobEntries(one_), {Described(kManifestType, one_.manifest, both)});
  entries.push_back({.name = "manifest.json",
                     .bytes = "[{\"Config\":\"" + BlobEntry(one_.config).name +
                              "\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"" +
                              BlobEntry(one_.layers[0]).name + "\"]}]"});
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("app:1"));
  }
}

// Docker's list counts, whatever an index.json beside it calls so.
TEST_F(LoadNamesTest, WhatManifestJsonNamesIsNotWhatIndexJsonCallsSo) {
  std::vector<TestEntry> entries =
      Layout(BlobEntries(one_),
             {Described(kManifestType, one_.manifest, Named("docker.io/library/app:1"))});
  entries.push_back({.name = "c.json", .bytes = two_.config});
  entries.push_back({.name = "l.tar", .bytes = two_.layers[0]});
  entries.push_back({.name = "manifest.json",
                     .bytes = "[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\"],\"Layers\":"
                              "[\"l.tar\"]}]"});
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_EQ(client_->StatManifest("app", "1")->config, two_.id());
    EXPECT_EQ(observer_.failed.size(), 0u);
  }
}

TEST_F(LoadNamesTest, ARepositoryOfExactlyTheNameIsToldAsItIs) {
  StopDaemon();
  EngineOptions options;
  options.names.canonical = false;
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  PutImage("library/app", {"old"}, 7);
  const std::string own = Annotated("io.varve.image.name", "library/app:1");
  ASSERT_EQ(Load(Tar(Layout(BlobEntries(one_), {Described(kManifestType, one_.manifest, own)}))),
            absl::OkStatus());
  EXPECT_THAT(observer_.loaded, ElementsAre("library/app:1"));
  EXPECT_EQ(Tagged("library/app", "1"), one_.digest());
}

TEST(ForeignNameTest, HasItsRepositoryInTheStoredForm) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"debian:12", "debian:12"},
      {"debian", "debian:latest"},
      {"docker.io/library/debian:12", "docker.io/library/debian:12"},
      {"Index.docker.io/library/debian", "index.docker.io/library/debian:latest"},
      {"library/debian:12", "library/debian:12"},
      {"docker.io/me/app", "docker.io/me/app:latest"},
      {"localhost:5000/app:1", "localhost__5000/app:1"},
      {"Registry.Test:443/a/b", "registry.test__443/a/b:latest"},
      {"localhost/app:1", "localhost/app:1"},
      {"quay.io/x/y:1", "quay.io/x/y:1"},
      {"quay.io/x/y@sha256:" + std::string(64, 'a'), "quay.io/x/y:"},
      {"reg:5000/y@sha256:" + std::string(64, 'a'), "reg__5000/y:"},
      {"a:1@sha256:" + std::string(64, 'a'), "a:1"}};
  for (const auto& [text, expected] : cases) {
    const absl::StatusOr<ArchiveImageName> name = ForeignName(text);
    ASSERT_TRUE(name.ok()) << text << ": " << name.status();
    EXPECT_EQ(name->repository + ":" + name->tag, expected) << text;
  }
  for (const char* const text :
       {"", ":", "a:", "UPPER:1", "../x:1", "a//b", "a:b c", "docker.io/", "\x1b[2Jx", "localhost/",
        "docker.io/library/", "[::1]:5000/app:1", "reg:0/app"}) {
    const absl::StatusOr<ArchiveImageName> name = ForeignName(text);
    EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(name.status().message()), Not(HasSubstr("\x1b")));
  }
}

}  // namespace
}  // namespace varve
