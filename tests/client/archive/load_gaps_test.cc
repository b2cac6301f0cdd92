// Indexes of which an archive holds only a part.
#include <functional>

#include "client/archive/image_json.h"
#include "gmock/gmock.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class LoadGapsTest : public LoadTest {
 protected:
  LoadGapsTest()
      : here_({TestBytes(3000, 1)}, MachinePlatform().architecture),
        s390x_({TestBytes(3000, 2)}, "s390x"),
        mips_({TestBytes(3000, 3)}, "mips64le"),
        attestation_({"in-toto"}, "unknown") {
    const std::string notes = ",\"platform\":{\"architecture\":\"unknown\",\"os\":\"unknown\"}" +
                              Annotated("vnd.docker.reference.type", "attestation-manifest");
    index_ = IndexOf({Described(kManifestType, s390x_.manifest, s390x_.platform),
                      Described(kManifestType, here_.manifest, here_.platform),
                      Described(kManifestType, mips_.manifest, mips_.platform),
                      Described(kManifestType, attestation_.manifest, notes)});
  }

  // An archive of the index as app:1 and of what is whole.
  std::vector<TestEntry> Archive(const std::vector<const TestImage*>& whole) const {
    std::vector<TestEntry> blobs = {BlobEntry(index_)};
    for (const TestImage* image : whole) {
      for (const TestEntry& entry : BlobEntries(*image)) blobs.push_back(entry);
    }
    return Layout(blobs, {Described(kIndexType, index_, Named("docker.io/library/app:1"))});
  }

  bool IsMember(const Digest& digest) { return client_->StatManifest("app", digest).ok(); }

  // Loads from a file and a pipe into stores of their own; both give the same.
  void ForBoth(const std::vector<TestEntry>& entries,
               const std::function<void(const absl::Status&)>& check) {
    std::vector<std::string> notes;
    std::vector<absl::Status> statuses;
    for (const From from : {From::kFile, From::kPipe}) {
      SCOPED_TRACE(from == From::kPipe ? "piped" : "file");
      statuses.push_back(Load(Tar(entries), from));
      notes.push_back(Join(observer_.notes));
      check(statuses.back());
      StopDaemon();
      std::filesystem::remove_all(directory_ + "/data");
      StartDaemon(engine_);
    }
    EXPECT_EQ(statuses[0], statuses[1]);
    EXPECT_EQ(notes[0], notes[1]);
  }

  const TestImage here_;
  const TestImage s390x_;
  const TestImage mips_;
  const TestImage attestation_;
  std::string index_;
  EngineOptions engine_;
};

TEST_F(LoadGapsTest, AWholeIndexHasNothingToSay) {
  ForBoth(Archive({&here_, &s390x_, &mips_, &attestation_}), [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), Sha256Of(index_));
    EXPECT_THAT(observer_.notes, IsEmpty());
  });
}

TEST_F(LoadGapsTest, TheImageOfThisMachineStandsInForTheIndex) {
  ForBoth(Archive({&here_, &s390x_}), [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("app:1"));
    EXPECT_EQ(observer_.images[0].manifest, here_.digest());
    EXPECT_EQ(Tagged("app", "1"), here_.digest());
    EXPECT_TRUE(IsMember(s390x_.digest())) << "what is whole is loaded";
    EXPECT_FALSE(IsMember(Sha256Of(index_)));
    ASSERT_EQ(observer_.notes.size(), 1u);
    for (const std::string& part :
         {"app:1: the archive lacks \"linux/mips64le\" (" + mips_.digest().ToString() + ")",
          "an attestation (" + attestation_.digest().ToString() + ")",
          "the index " + Sha256Of(index_).ToString(),
          "without a tag \"linux/s390x\" (" + s390x_.digest().ToString() + ")"}) {
      EXPECT_THAT(observer_.notes[0], HasSubstr(part));
    }
    EXPECT_THAT(observer_.notes[0], Not(HasSubstr("unknown")));
  });
}

TEST_F(LoadGapsTest, WhatManifestJsonMeansStandsInBeforeThat) {
  std::vector<TestEntry> entries = Archive({&here_, &s390x_});
  entries.push_back({.name = "manifest.json",
                     .bytes = "[{\"Config\":\"" + BlobEntry(s390x_.config).name +
                              "\",\"RepoTags\":[\"app:1\",\"app:2\"],\"Layers\":[\"" +
                              BlobEntry(s390x_.layers[0]).name + "\"]}]"});
  ForBoth(entries, [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_THAT(observer_.loaded, ElementsAre("app:1", "app:2"));
    EXPECT_EQ(Tagged("app", "1"), s390x_.digest());
    EXPECT_EQ(Tagged("app", "2"), s390x_.digest());
  });
}

TEST_F(LoadGapsTest, AMissingAttestationBlocksNothing) {
  ForBoth(Archive({&here_, &s390x_, &mips_}), [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), here_.digest());
    ASSERT_EQ(observer_.notes.size(), 1u);
    EXPECT_THAT(observer_.notes[0], Not(HasSubstr("unknown")));
  });
}

TEST_F(LoadGapsTest, ADaemonThatTakesGapsGetsTheIndex) {
  engine_.accept_sparse_index = true;
  StopDaemon();
  StartDaemon(engine_);
  ForBoth(Archive({&s390x_}), [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), Sha256Of(index_));
    EXPECT_TRUE(IsMember(s390x_.digest()));
    ASSERT_EQ(observer_.notes.size(), 1u);
    EXPECT_THAT(observer_.notes[0], HasSubstr("was loaded without"));
  });
}

TEST_F(LoadGapsTest, AnImageWithoutItsLayerIsLeftOutToo) {
  std::vector<TestEntry> entries = Archive({&here_, &s390x_, &mips_, &attestation_});
  std::erase_if(entries, [&](const TestEntry& entry) { return entry.bytes == mips_.layers[0]; });
  ForBoth(entries, [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), here_.digest());
    EXPECT_TRUE(IsMember(attestation_.digest()));
    EXPECT_FALSE(IsMember(mips_.digest()));
  });
}

TEST_F(LoadGapsTest, NothingWholeIsAnError) {
  for (const auto& whole : std::vector<std::vector<const TestImage*>>{{}, {&attestation_}}) {
    ForBoth(Archive(whole), [&](const absl::Status& status) {
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
      EXPECT_THAT(std::string(status.message()), HasSubstr("the manifest for \"linux/s390x\""));
      EXPECT_THAT(std::string(status.message()), Not(HasSubstr("unknown")));
      EXPECT_THAT(observer_.loaded, IsEmpty());
    });
  }
}

TEST_F(LoadGapsTest, ThePlatformThatWasAskedForMustBeThere) {
  load_options_.platform = Platform{.os = "linux", .architecture = "s390x", .variant = ""};
  ForBoth(Archive({&here_, &s390x_}), [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), s390x_.digest());
    EXPECT_FALSE(IsMember(here_.digest()));
    EXPECT_THAT(observer_.notes, IsEmpty());
  });
  load_options_.platform->architecture = "mips64le";
  ForBoth(Archive({&here_, &s390x_}), [&](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr(mips_.digest().ToString().substr(7)));
  });
}

TEST_F(LoadGapsTest, DamageElsewhereDoesNotMatterToOnePlatform) {
  std::vector<TestEntry> entries = Archive({&here_, &s390x_, &mips_, &attestation_});
  for (TestEntry& entry : entries) {
    if (entry.bytes == mips_.manifest) entry.bytes[9] ^= 1;
  }
  ForBoth(entries, [&](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(observer_.loaded, IsEmpty());
  });
  load_options_.platform = Platform{.os = "linux", .architecture = "s390x", .variant = ""};
  ForBoth(entries, [&](const absl::Status& status) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(Tagged("app", "1"), s390x_.digest());
  });
}

TEST_F(LoadGapsTest, WhatTheStoreHasFillsTheGaps) {
  for (const From from : {From::kFile, From::kPipe}) {
    ASSERT_EQ(Load(Tar(Archive({&here_, &s390x_, &mips_, &attestation_}))), absl::OkStatus());
    const std::vector<TestEntry> entries =
        Layout({BlobEntry(index_)}, {Described(kIndexType, index_, Named("other:1"))});
    ASSERT_EQ(Load(Tar(entries), from), absl::OkStatus());
    EXPECT_EQ(Tagged("other", "1"), Sha256Of(index_));
    EXPECT_TRUE(client_->StatManifest("other", mips_.digest()).ok());
    EXPECT_THAT(observer_.notes, IsEmpty());
  }
}

TEST_F(LoadGapsTest, IndexesWithinIndexes) {
  const std::string outer = IndexOf({Described(kIndexType, index_)});
  std::vector<TestEntry> blobs = {BlobEntry(index_), BlobEntry(outer)};
  for (const TestEntry& entry : BlobEntries(s390x_)) blobs.push_back(entry);
  ForBoth(Layout(blobs, {Described(kIndexType, outer, Named("app:1"))}),
          [&](const absl::Status& status) {
            EXPECT_EQ(status, absl::OkStatus());
            EXPECT_EQ(Tagged("app", "1"), s390x_.digest());
          });
}

// BuildKit keeps a cache as an index of layers and a config.
class LoadCacheTest : public LoadGapsTest {
 protected:
  const std::string layer_ = TestBytes(5000, 20);
  const std::string config_ = "{\"layers\":[],\"records\":[]}";
  const std::string cache_ =
      IndexOf({Described("application/vnd.oci.image.layer.v1.tar+gzip", layer_),
               Described("application/vnd.buildkit.cacheconfig.v0", config_)});
  const std::vector<std::string> listed_ = {Described(kIndexType, cache_, Named("cache:1"))};
};

TEST_F(LoadCacheTest, EntriesThatAreNoManifestsAreBlobs) {
  ForBoth(Layout({BlobEntry(layer_), BlobEntry(config_), BlobEntry(cache_)}, listed_),
          [&](const absl::Status& status) {
            EXPECT_EQ(status, absl::OkStatus());
            EXPECT_EQ(Tagged("cache", "1"), Sha256Of(cache_));
            EXPECT_TRUE(client_->StatBlob("cache", Sha256Of(layer_)).ok());
            EXPECT_TRUE(client_->StatBlob("cache", Sha256Of(config_)).ok());
          });
}

TEST_F(LoadCacheTest, OneThatIsMissingIsMissed) {
  ForBoth(Layout({BlobEntry(config_), BlobEntry(cache_)}, listed_),
          [&](const absl::Status& status) {
            EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
            EXPECT_THAT(std::string(status.message()), HasSubstr(Sha256Hex(layer_)));
          });
}

}  // namespace
}  // namespace varve
