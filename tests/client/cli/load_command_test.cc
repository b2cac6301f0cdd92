// `varve load` as scripts meet it: output and exit codes.
#include <sys/wait.h>

#include <cstdlib>

#include "gmock/gmock.h"
#include "tests/client/archive/load_fixture.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LoadCliTest : public LoadTest {
 protected:
  // Runs `varve arguments`, standard input from `input`; gives the exit code.
  int Run(const std::string& arguments, const std::string& input = "/dev/null") {
    const std::string command = "VARVE_ADDRESS=" + Address() + " " VARVE_BINARY " " + arguments +
                                " <" + input + " >" + Path("out") + " 2>" + Path("err");
    const int status = std::system(command.c_str());
    out_ = ReadFile(Path("out"));
    err_ = ReadFile(Path("err"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  const TestImage image_{{TestBytes(5000, 1)}};
  std::string out_;
  std::string err_;
};

TEST_F(LoadCliTest, FromAFileAndFromStandardInput) {
  const std::string file = WriteFile("a.tar", Tar(LayoutOf(image_, "app:1")));
  EXPECT_EQ(Run("load -q -i " + file), 0) << err_;
  EXPECT_EQ(out_, "Loaded image: app:1\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(Run("image load", file), 0) << err_;
  EXPECT_EQ(out_, "Loaded image: app:1\n");
  EXPECT_THAT(err_, HasSubstr("already there"));
  EXPECT_EQ(Run("load -i " + WriteDirectory("layout", LayoutOf(image_, "dir:1"))), 0) << err_;
  EXPECT_EQ(out_, "Loaded image: dir:1\n");
}

TEST_F(LoadCliTest, TheWordsOfDocker) {
  const TestImage other({"other"});
  ASSERT_EQ(Load(Tar(LayoutOf(other, "app:1"))), absl::OkStatus());
  EXPECT_EQ(Run("load -q", WriteFile("a.tar", Tar(LayoutOf(image_, "app:1")))), 0) << err_;
  EXPECT_EQ(out_, "The image app:1 already exists, renaming the old one with ID " +
                      other.digest().ToString() + " to empty string\nLoaded image: app:1\n");
  const std::string unnamed = WriteFile(
      "b.tar", Tar(Layout(BlobEntries(image_), {Described(kManifestType, image_.manifest)})));
  EXPECT_EQ(Run("load -q", unnamed), 0) << err_;
  EXPECT_EQ(out_, "Loaded image ID: " + image_.digest().ToString() + "\n");
}

TEST_F(LoadCliTest, JsonLines) {
  EXPECT_EQ(Run("load -q --json", WriteFile("a.tar", Tar(LayoutOf(image_, "app:1")))), 0) << err_;
  EXPECT_EQ(out_, "{\"repository\":\"app\",\"tag\":\"1\",\"image_id\":\"" +
                      image_.digest().ToString() + "\",\"digest\":\"" + image_.digest().ToString() +
                      "\"}\n");
}

TEST_F(LoadCliTest, ExitCodes) {
  EXPECT_EQ(Run("load --platform nonsense"), 2);
  EXPECT_EQ(Run("load --repository UPPER"), 2);
  EXPECT_EQ(Run("load extra"), 2);
  EXPECT_EQ(Run("load -i " + Path("none")), 1);
  EXPECT_THAT(err_, StartsWith("varve: "));
  EXPECT_EQ(Run("load"), 1) << "an empty input";
  std::vector<TestEntry> entries = LayoutOf(image_, "app:1");
  entries[0].bytes[0] ^= 1;
  EXPECT_EQ(Run("load -q", WriteFile("a.tar", Tar(entries))), 3);
  EXPECT_THAT(err_, HasSubstr("the archive is damaged"));
  EXPECT_EQ(out_, "");
}

TEST_F(LoadCliTest, ALayerThatIsNotItsDiffIdIsDamage) {
  const std::string layer = Compress(Tar({{.name = "f", .bytes = "other"}}), "gzip");
  const std::string file = WriteFile(
      "a.tar",
      Tar({{.name = "l.tar", .bytes = layer},
           {.name = "c.json", .bytes = image_.config},
           {.name = "manifest.json",
            .bytes =
                "[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"l.tar\"]}]"}}));
  EXPECT_EQ(Run("load -q -i " + file), 3);
  const std::string said = err_;
  ASSERT_EQ(std::system(("cat " + file + " | VARVE_ADDRESS=" + Address() +
                         " " VARVE_BINARY " load -q 2>" + Path("err") + "; test $? -eq 3")
                            .c_str()),
            0);
  EXPECT_EQ(ReadFile(Path("err")), said);
}

TEST_F(LoadCliTest, WhatIsLeftOutIsToldAndIsNoError) {
  const TestImage absent({TestBytes(50, 4)}, "mips64le");
  const std::string index = IndexOf({Described(kManifestType, image_.manifest, image_.platform),
                                     Described(kManifestType, absent.manifest, absent.platform)});
  std::vector<TestEntry> blobs = BlobEntries(image_);
  blobs.push_back(BlobEntry(index));
  const std::string file =
      WriteFile("a.tar", Tar(Layout(blobs, {Described(kIndexType, index, Named("app:1"))})));
  EXPECT_EQ(Run("load -q -i " + file), 0);
  EXPECT_EQ(out_, "Loaded image: app:1\n");
  EXPECT_THAT(err_, StartsWith("varve: app:1: the archive lacks \"linux/mips64le\""));
  EXPECT_THAT(err_, HasSubstr(Sha256Of(index).ToString()));
}

TEST_F(LoadCliTest, EveryImageThatFailsIsTold) {
  const TestImage bad({TestBytes(50, 2)});
  const TestImage worse({TestBytes(50, 3)});
  const std::string file = WriteFile(
      "a.tar",
      Tar(Layout(BlobEntries(image_), {Described(kManifestType, bad.manifest, Named("bad:1")),
                                       Described(kManifestType, image_.manifest, Named("app:1")),
                                       Described(kManifestType, worse.manifest, Named("w:1"))})));
  EXPECT_EQ(Run("load -q", file), 1);
  EXPECT_EQ(out_, "Loaded image: app:1\n");
  EXPECT_THAT(err_, HasSubstr(bad.digest().ToString()));
  EXPECT_THAT(err_, HasSubstr(worse.digest().ToString()));
}

}  // namespace
}  // namespace varve
