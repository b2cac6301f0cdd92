// Archives that are damaged, incomplete or made to do harm: a clear error, nothing tagged, nothing
// read outside of the archive, and bounded memory.
#include <sys/stat.h>

#include <functional>

#include "client/archive/image_layout.h"
#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LoadHostileTest : public LoadTest {
 protected:
  // Loads from a file and a pipe; both must fail with the code and a sentence that has `part`, and
  // must have tagged nothing.
  void ExpectRefused(const std::string& archive, absl::StatusCode code, const std::string& part) {
    for (const From from : {From::kFile, From::kPipe}) {
      const absl::Status status = Load(archive, from);
      EXPECT_EQ(status.code(), code) << status << (from == From::kPipe ? " piped" : " file");
      EXPECT_THAT(std::string(status.message()), HasSubstr(part));
      EXPECT_TRUE(observer_.loaded.empty());
      EXPECT_EQ(Tagged("app", "1"), Digest());
    }
  }
  void ExpectRefused(const std::vector<TestEntry>& entries, absl::StatusCode code,
                     const std::string& part) {
    ExpectRefused(Tar(entries), code, part);
  }

  // A Docker archive with one layer entry beside.
  std::vector<TestEntry> DockerArchive(const std::string& layer_name,
                                       const std::vector<TestEntry>& more) const {
    std::vector<TestEntry> entries = more;
    entries.push_back({.name = "c.json", .bytes = image_.config});
    entries.push_back({.name = "manifest.json",
                       .bytes = "[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"" +
                                layer_name + "\"]}]"});
    return entries;
  }

  const TestImage image_{{TestBytes(30'000, 1)}};
};

TEST_F(LoadHostileTest, NamesThatLeadOut) {
  for (const char* const name : {"../evil", "/../evil", "blobs/../../evil", "./a/../../b"}) {
    std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
    entries.insert(entries.begin(), {.name = name, .bytes = "x"});
    ExpectRefused(entries, absl::StatusCode::kInvalidArgument, name);
  }
  ExpectRefused(DockerArchive("../../etc/passwd", {}), absl::StatusCode::kInvalidArgument,
                "leads out");
  // The top of the archive is the root of its names.
  ExpectRefused(DockerArchive("/etc/passwd", {}), absl::StatusCode::kNotFound, "etc/passwd");
}

TEST_F(LoadHostileTest, LinksThatLeadOutOrInCirclesOrToDevices) {
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = '2', .target = "/etc/passwd"}}),
                absl::StatusCode::kNotFound, "does not hold \"etc/passwd\"");
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = '2', .target = "../../passwd"}}),
                absl::StatusCode::kInvalidArgument, "leads out");
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = '1', .target = "../passwd"}}),
                absl::StatusCode::kInvalidArgument, "leads out");
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = '2', .target = "m.tar"},
                                        {.name = "m.tar", .type = '2', .target = "l.tar"}}),
                absl::StatusCode::kInvalidArgument, "circles");
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = '2', .target = "none"}}),
                absl::StatusCode::kNotFound, "none");
  for (const char type : {'3', '4', '6'}) {
    ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .type = type}}),
                  absl::StatusCode::kInvalidArgument, "not a file");
  }
}

TEST_F(LoadHostileTest, AHardLinkWithinTheArchiveIsFollowed) {
  const std::vector<TestEntry> entries =
      DockerArchive("l.tar", {{.name = "d/real.tar", .bytes = image_.layers[0]},
                              {.name = "l.tar", .type = '1', .target = "d/real.tar"}});
  EXPECT_EQ(Load(Tar(entries)), absl::OkStatus());
  EXPECT_EQ(Load(Tar(entries), From::kPipe), absl::OkStatus());
}

TEST_F(LoadHostileTest, LinksThatNothingUsesDoNotMatter) {
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  entries.insert(entries.begin(), {.name = "x", .type = '2', .target = "/etc/passwd"});
  EXPECT_EQ(Load(Tar(entries), From::kPipe), absl::OkStatus());
}

TEST_F(LoadHostileTest, NamesThatComeTwiceWithOtherContent) {
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  entries.push_back(entries.back());
  entries.back().bytes[0] = '[';
  ExpectRefused(entries, absl::StatusCode::kInvalidArgument, "twice");
  entries.back() = {.name = "index.json", .type = '2', .target = "oci-layout"};
  ExpectRefused(entries, absl::StatusCode::kInvalidArgument, "twice");
  entries.back() = entries.front();
  EXPECT_EQ(Load(Tar(entries)), absl::OkStatus()) << "the same blob twice is harmless";
  EXPECT_EQ(Load(Tar(entries), From::kPipe), absl::OkStatus());
}

TEST_F(LoadHostileTest, MissingContentIsNamed) {
  ExpectRefused(DockerArchive("none.tar", {}), absl::StatusCode::kNotFound, "none.tar");
  const std::vector<TestEntry> whole = LayoutOf(image_, "app:1");
  for (size_t i = 0; i < 3; ++i) {
    std::vector<TestEntry> entries = whole;
    const std::string name = entries[i].name;
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
    ExpectRefused(entries, absl::StatusCode::kNotFound, name);
  }
}

TEST_F(LoadHostileTest, ContentThatIsNotWhatItsNameSays) {
  const auto flip = [](std::string* bytes) { (*bytes)[5] ^= 1; };
  const auto shorten = [](std::string* bytes) { bytes->pop_back(); };
  const auto lengthen = [](std::string* bytes) { *bytes += "more"; };
  uint32_t seed = 100;
  for (const std::function<void(std::string*)>& damage :
       std::vector<std::function<void(std::string*)>>{flip, shorten, lengthen}) {
    for (size_t i = 0; i < 3; ++i) {
      for (const From from : {From::kFile, From::kPipe}) {
        // New bytes each time: what the store has is not taken from the archive.
        const std::vector<TestEntry> whole =
            LayoutOf(TestImage({TestBytes(30'000, ++seed)}), "app:1");
        std::vector<TestEntry> entries = whole;
        damage(&entries[i].bytes);
        const absl::Status status = Load(Tar(entries), from);
        EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
        EXPECT_THAT(std::string(status.message()), HasSubstr(entries[i].name));
        EXPECT_EQ(Tagged("app", "1"), Digest());
        EXPECT_EQ(Load(Tar(whole), from), absl::OkStatus()) << "damage must not stay behind";
        ASSERT_TRUE(client_->Untag("app", "1", false).ok());
      }
    }
  }
}

TEST_F(LoadHostileTest, DockerContentThatIsNotWhatTheConfigSays) {
  std::string other = image_.layers[0];
  other[7] ^= 1;
  ExpectRefused(DockerArchive("l.tar", {{.name = "l.tar", .bytes = other}}),
                absl::StatusCode::kDataLoss, "l.tar");
  const std::string config = std::string(64, 'a') + ".json";
  ExpectRefused({{.name = "l.tar", .bytes = image_.layers[0]},
                 {.name = config, .bytes = image_.config},
                 {.name = "manifest.json",
                  .bytes = "[{\"Config\":\"" + config +
                           "\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"l.tar\"]}]"}},
                absl::StatusCode::kDataLoss, config);
  ExpectRefused({{.name = "c.json", .bytes = image_.config},
                 {.name = "manifest.json",
                  .bytes = "[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[]}]"}},
                absl::StatusCode::kInvalidArgument, "layers");
}

TEST_F(LoadHostileTest, ALayerThatClaimsTheNameOfAnotherInTheStore) {
  // The store has a blob of the size and name of the layer, but the config means other bytes.
  const std::string there = TestBytes(30'000, 77);
  const TestImage first({there});
  ASSERT_EQ(Load(Tar(LayoutOf(first, "first:1"))), absl::OkStatus());
  const std::string name = Sha256Hex(there) + ".tar";
  const std::string archive = Tar(DockerArchive(name, {{.name = name, .bytes = image_.layers[0]}}));
  // A stream is not read where the store has what a name means, and a file is treated alike.
  ExpectRefused(archive, absl::StatusCode::kDataLoss, name);
}

TEST_F(LoadHostileTest, OneBadImageDoesNotKeepTheOthersOut) {
  const TestImage good({TestBytes(500, 2)});
  std::vector<TestEntry> entries = BlobEntries(image_);
  entries[0].bytes[0] ^= 1;
  for (const TestEntry& entry : BlobEntries(good)) entries.push_back(entry);
  entries = Layout(entries, {Described(kManifestType, image_.manifest, Named("app:1")),
                             Described(kManifestType, good.manifest, Named("good:1"))});
  for (const From from : {From::kFile, From::kPipe}) {
    EXPECT_EQ(Load(Tar(entries), from).code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(observer_.loaded, ElementsAre("good:1"));
    EXPECT_EQ(observer_.failed.size(), 1u);
    EXPECT_EQ(Tagged("app", "1"), Digest());
  }
}

TEST_F(LoadHostileTest, CutOffAnywhere) {
  const std::string tar = Tar(LayoutOf(image_, "app:1"));
  const size_t end = tar.size() - 1024;  // without the two empty blocks it is still whole
  for (const std::string& archive : {tar, Compress(tar, "gzip")}) {
    const size_t step = archive.size() / 23;
    for (size_t length = 0; length < std::min(end, archive.size() - 1100); length += step) {
      const absl::Status status = Load(archive.substr(0, length));
      EXPECT_FALSE(status.ok()) << length;
      EXPECT_EQ(Load(archive.substr(0, length), From::kPipe), status) << length;
      EXPECT_EQ(Tagged("app", "1"), Digest()) << length;
    }
  }
  // Within the padding of an entry.
  const absl::Status status = Load(tar.substr(0, 512 + 30'000 + 100));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Load(tar.substr(0, 512 + 30'000 + 100), From::kPipe), status);
  EXPECT_EQ(Load(tar.substr(0, 20'000)).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Load(tar.substr(0, 20'000), From::kPipe).code(), absl::StatusCode::kDataLoss);
}

TEST_F(LoadHostileTest, WhatIsNoImageArchive) {
  for (const std::string& bytes : {std::string(), std::string("hello"), TestBytes(5000, 3),
                                   std::string("PK\x03\x04"), Compress("hello", "gzip")}) {
    ExpectRefused(bytes, absl::StatusCode::kInvalidArgument, "");
  }
  ExpectRefused(std::vector<TestEntry>{{.name = "etc/hosts", .bytes = "x"}},
                absl::StatusCode::kInvalidArgument, "neither index.json nor manifest.json");
  ExpectRefused(Layout({}, {}), absl::StatusCode::kInvalidArgument, "no image");
  ExpectRefused(Compress(Compress(Tar(LayoutOf(image_, "app:1")), "gzip"), "zstd"),
                absl::StatusCode::kInvalidArgument, "more than once");
}

TEST_F(LoadHostileTest, Bombs) {
  const std::string zeros(40 * kMiB, '\0');
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  entries.push_back({.name = "bomb.tar", .bytes = zeros});
  entries.push_back({.name = "passed/over", .bytes = zeros});
  const std::string archive = Compress(Tar(entries), "gzip");
  load_options_.limits.reader.free_bytes = kMiB;
  const absl::Status status = Load(archive);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("200 times"));
  entries.erase(entries.end() - 2);
  EXPECT_EQ(Load(Compress(Tar(entries), "zstd")).code(), absl::StatusCode::kResourceExhausted);
  load_options_.limits.reader.max_expansion = 100'000;
  EXPECT_EQ(Load(archive), absl::OkStatus());
}

TEST_F(LoadHostileTest, TooManyEntries) {
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  load_options_.limits.max_entries = entries.size();
  EXPECT_EQ(Load(Tar(entries)), absl::OkStatus());
  ASSERT_TRUE(client_->Untag("app", "1", false).ok());
  entries.push_back({.name = "one", .bytes = ""});
  ExpectRefused(entries, absl::StatusCode::kResourceExhausted, "entries");
}

TEST_F(LoadHostileTest, SizesThatNoBlobHas) {
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  entries.push_back({.name = "big.tar", .bytes = "x", .claimed = 077777777777});
  ExpectRefused(entries, absl::StatusCode::kDataLoss, "cut off");
}

TEST_F(LoadHostileTest, SparseFilesAreRefused) {
  std::string out(1 << 16, '\0');
  size_t used = 0;
  struct archive* const writer = archive_write_new();
  struct archive_entry* const entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_pathname(entry, "hole.tar");
  const std::string zeros(kMiB, '\0');
  archive_entry_set_size(entry, static_cast<la_int64_t>(zeros.size()));
  archive_entry_sparse_add_entry(entry, 4096, 1);
  ASSERT_EQ(archive_write_set_format_pax(writer), ARCHIVE_OK);
  ASSERT_EQ(archive_write_set_bytes_per_block(writer, 0), ARCHIVE_OK);
  ASSERT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  ASSERT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  ASSERT_GT(archive_write_data(writer, zeros.data(), zeros.size()), 0);
  archive_entry_free(entry);
  archive_write_free(writer);
  ExpectRefused(out.substr(0, used), absl::StatusCode::kInvalidArgument, "sparse");
}

TEST_F(LoadHostileTest, HugeAndDeepDocuments) {
  const std::string huge = "{\"x\":\"" + std::string(5 * kMiB, 'a') + "\"}";
  ExpectRefused(std::vector<TestEntry>{{.name = "index.json", .bytes = huge}},
                absl::StatusCode::kInvalidArgument, "");
  const std::string deep(100'000, '[');
  ExpectRefused(std::vector<TestEntry>{{.name = "index.json", .bytes = deep}},
                absl::StatusCode::kInvalidArgument, "index.json");
  ExpectRefused(std::vector<TestEntry>{{.name = "manifest.json", .bytes = deep}},
                absl::StatusCode::kInvalidArgument, "manifest.json");
  ExpectRefused(Layout({BlobEntry(huge)}, {Described(kManifestType, huge, Named("app:1"))}),
                absl::StatusCode::kInvalidArgument, "");
  std::vector<std::string> many(kMaxArchiveImages + 1, Described(kManifestType, image_.manifest));
  ExpectRefused(Layout(BlobEntries(image_), many), absl::StatusCode::kInvalidArgument,
                std::to_string(kMaxArchiveImages));
}

TEST_F(LoadHostileTest, IndexesWithinIndexes) {
  std::vector<TestEntry> entries = BlobEntries(image_);
  std::string index = IndexOf({Described(kManifestType, image_.manifest)});
  std::vector<std::string> levels;
  for (int level = 0; level < 6; ++level) {
    levels.push_back(index);
    entries.push_back(BlobEntry(index));
    // Many ways to the same content: each is walked once.
    index = IndexOf(std::vector<std::string>(300, Described(kIndexType, index)));
  }
  ExpectRefused(Layout(entries, {Described(kIndexType, levels[5], Named("app:1"))}),
                absl::StatusCode::kInvalidArgument, "deep");
  EXPECT_EQ(Load(Tar(Layout(entries, {Described(kIndexType, levels[3], Named("app:1"))}))),
            absl::OkStatus());
}

TEST_F(LoadHostileTest, AnIndexThatNamesItself) {
  // Its digest cannot be right, so the circle is found as damage.
  const std::string name = std::string(64, 'b');
  const std::string index = IndexOf({"{\"mediaType\":\"" + std::string(kIndexType) +
                                     "\",\"digest\":\"sha256:" + name + "\",\"size\":200}"});
  const std::string top = "{\"mediaType\":\"" + std::string(kIndexType) +
                          "\",\"digest\":\"sha256:" + name +
                          "\",\"size\":" + std::to_string(index.size()) + Named("app:1") + "}";
  ExpectRefused(Layout({{.name = "blobs/sha256/" + name, .bytes = index}}, {top}),
                absl::StatusCode::kDataLoss, name);
}

TEST_F(LoadHostileTest, NamesThatNoStoreTakes) {
  for (const char* const name : {"UPPER:1", "a b", "../x:1", "x:", "\\u001b[2J"}) {
    const absl::Status status = Load(Tar(LayoutOf(image_, name)));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(std::string(status.message()).find('\x1b'), std::string::npos);
  }
}

TEST_F(LoadHostileTest, ADirectoryIsNeverLeft) {
  const std::string secret = WriteFile("secret", image_.layers[0]);
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  for (const std::string& target : {secret, std::string("../../../secret")}) {
    entries[0] = {.name = entries[0].name, .bytes = "", .type = '2', .target = target};
    const absl::Status status =
        LoadPath(WriteDirectory("d" + std::to_string(target.size()), entries));
    if (target == secret) {  // a name below the directory
      EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("leads out"));
    }
    EXPECT_FALSE(InStore(image_.layers[0]));
  }
  // A whole directory elsewhere.
  const std::string real = WriteDirectory("real", LayoutOf(image_, "app:1"));
  const std::string top = WriteDirectory(
      "linked", {{.name = "blobs", .bytes = "", .type = '2', .target = real + "/blobs"},
                 {.name = "index.json", .bytes = ReadFile(real + "/index.json")}});
  EXPECT_EQ(LoadPath(top).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadPath(real), absl::OkStatus());
}

TEST_F(LoadHostileTest, PipesAndDepthInADirectory) {
  const std::string top = WriteDirectory("fifo", LayoutOf(image_, "app:1"));
  const std::string layer = top + "/blobs/sha256/" + Sha256Hex(image_.layers[0]);
  ASSERT_EQ(unlink(layer.c_str()), 0);
  ASSERT_EQ(mkfifo(layer.c_str(), 0600), 0);
  EXPECT_EQ(LoadPath(top).code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::create_directories(top + "/1/2/3/4/5/6/7/8/9/10");
  const absl::Status deep = LoadPath(top);
  EXPECT_THAT(std::string(deep.message()), HasSubstr("too deep"));
}

}  // namespace
}  // namespace varve
