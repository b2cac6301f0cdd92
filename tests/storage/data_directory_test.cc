// A store on the machine's disk whose files somebody else has touched: rotten blocks of the index,
// links and pipes in the place of files, directories that others may write to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "tests/crash/model.h"
#include "tests/crash/scenario.h"
#include "tests/support/content.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Code = absl::StatusCode;

namespace fs = std::filesystem;

constexpr char kApp[] = "team/app";

class DataDirectoryTest : public ::testing::Test {
 protected:
  absl::Status Open() {
    store_.reset();
    auto opened = OpenEngine(directory_.string(), EngineOptions());
    RETURN_IF_ERROR(opened.status());
    store_ = *std::move(opened);
    return absl::OkStatus();
  }
  // The only blob file.
  fs::path BlobFile() {
    for (const auto& entry : fs::recursive_directory_iterator(directory_ / "blobs")) {
      if (!entry.is_directory()) return entry.path();
    }
    return {};
  }
  std::string Read(const Digest& digest) {
    const absl::StatusOr<BlobReader> reader = store_->blobs.OpenBlob(kApp, digest);
    if (!reader.ok()) return reader.status().ToString();
    const absl::StatusOr<std::string> bytes = ReadWhole(*reader);
    return bytes.ok() ? *bytes : bytes.status().ToString();
  }
  Code OpenCode(const Digest& digest) {
    return store_->blobs.OpenBlob(kApp, digest).status().code();
  }
  Code StatCode(const Digest& digest) {
    return store_->blobs.StatBlob(kApp, digest).status().code();
  }

  // Flips a byte in the middle of `bytes` wherever a file of the index with this extension holds
  // them; the number of such files.
  int FlipInIndex(const std::string& extension, const std::string& bytes) {
    int flipped = 0;
    for (const auto& entry : fs::directory_iterator(directory_ / "index")) {
      if (entry.path().extension() != extension) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::string content(std::istreambuf_iterator<char>(in), {});
      in.close();
      const size_t at = content.find(bytes.substr(bytes.size() / 2, 16));
      if (at == std::string::npos) continue;
      content[at] = static_cast<char>(content[at] ^ 0x10);
      std::ofstream(entry.path(), std::ios::binary) << content;
      ++flipped;
    }
    return flipped;
  }

  // Something else stands where the file of a blob was: it answers absent, at once, and a push
  // heals it and leaves nothing of what stood there.
  void ExpectAbsentUntilPushed(const TestBlob& blob) {
    EXPECT_EQ(OpenCode(blob.digest), Code::kNotFound);
    EXPECT_EQ(StatCode(blob.digest), Code::kNotFound);
    ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
    EXPECT_EQ(Read(blob.digest), blob.bytes);
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(BlobFile())));
  }

  const TemporaryDirectory scratch_;
  const fs::path root_ = scratch_.path();
  const fs::path directory_ = root_ / "store";
  std::unique_ptr<Engine> store_;
};

// Small values lie in tables, larger ones in RocksDB's blob files.
TEST_F(DataDirectoryTest, ADamagedBlockOfTheIndexMakesAnInlineBlobAbsentUntilItIsPushed) {
  const TestBlob in_table = MakeBlob(1, 700);
  const TestBlob in_blob_file = MakeBlob(2, 20'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, in_table), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, in_blob_file), absl::OkStatus());
  ASSERT_EQ(Open(), absl::OkStatus());  // replays the log into tables
  store_.reset();
  ASSERT_EQ(FlipInIndex(".sst", in_table.bytes), 1);
  ASSERT_EQ(FlipInIndex(".blob", in_blob_file.bytes), 1);
  ASSERT_EQ(Open(), absl::OkStatus());
  for (const TestBlob& blob : {in_table, in_blob_file}) {
    EXPECT_EQ(OpenCode(blob.digest), Code::kNotFound) << Read(blob.digest);
    EXPECT_EQ(StatCode(blob.digest), Code::kNotFound);
    ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
    EXPECT_EQ(StatCode(blob.digest), Code::kOk);
    EXPECT_EQ(Read(blob.digest), blob.bytes);
  }
  ASSERT_EQ(Open(), absl::OkStatus());
  for (const TestBlob& blob : {in_table, in_blob_file}) EXPECT_EQ(Read(blob.digest), blob.bytes);
}

// A push that nobody had read the damaged blob before.
TEST_F(DataDirectoryTest, APushHealsADamagedBlockThatNobodyHasMet) {
  const TestBlob blob = MakeBlob(2, 20'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  ASSERT_EQ(Open(), absl::OkStatus());
  store_.reset();
  ASSERT_EQ(FlipInIndex(".blob", blob.bytes), 1);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  EXPECT_EQ(Read(blob.digest), blob.bytes);
}

TEST_F(DataDirectoryTest, ADamagedBlockThatTheStartNeedsSaysWhatHelps) {
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, MakeBlob(1, 700)), absl::OkStatus());
  ASSERT_EQ(Open(), absl::OkStatus());  // replays the log into tables
  store_.reset();
  ASSERT_GE(FlipInIndex(".sst", "next_id"), 1);
  const absl::Status damaged = Open();
  EXPECT_EQ(damaged.code(), Code::kDataLoss);
  EXPECT_TRUE(IsPrivate(damaged));
  EXPECT_THAT(std::string(damaged.message()),
              AllOf(HasSubstr("restore " + directory_.string() + "/index from a backup"),
                    HasSubstr(".sst")));
}

// A row of the index that cannot be read is no row that is not there: neither for who asks for the
// image, nor for who lists.
TEST_F(DataDirectoryTest, ADamagedBlockUnderAManifestRowIsDataLoss) {
  ASSERT_EQ(Open(), absl::OkStatus());
  const TestBlob config = MakeBlob(1, 700);
  ASSERT_EQ(PushBlob(store_->blobs, kApp, config), absl::OkStatus());
  // Rows of incompressible text, so many that some block has no others.
  std::map<Digest, std::string> types;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::string type =
        StrCat("application/", absl::BytesToHexString(ToAbsl(MakeBlob(seed, 60).bytes)));
    const std::string json =
        StrCat(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)",
               R"("artifactType":")", type, R"(","config":{"mediaType":"application/x","digest":")",
               config.digest.ToString(), R"(","size":700},"layers":[]})");
    PutManifestRequest request;
    request.bytes = json;
    const auto put = store_->manifests.PutManifest(kApp, request);
    ASSERT_EQ(put.status(), absl::OkStatus());
    types[put->digest] = type;
  }
  const auto middle = std::next(types.begin(), 50);
  ASSERT_EQ(store_->manifests.Tag(kApp, "v1", middle->first), absl::OkStatus());
  ASSERT_EQ(Open(), absl::OkStatus());
  store_.reset();
  // Once in its row; its bytes have another family, with tables of its own.
  ASSERT_EQ(FlipInIndex(".sst", middle->second), 2);
  ASSERT_EQ(Open(), absl::OkStatus());
  const std::vector<ManifestReference> references = {middle->first, std::string("v1")};
  for (const ManifestReference& reference : references) {
    for (const absl::Status& status : {store_->manifests.GetManifest(kApp, reference).status(),
                                       store_->manifests.StatManifest(kApp, reference).status()}) {
      EXPECT_EQ(status.code(), Code::kDataLoss) << status;
      EXPECT_TRUE(IsPrivate(status));
    }
  }
  ImageQuery all;
  all.all = true;
  EXPECT_EQ(store_->images.ListImages(all, "", 1000).status().code(), Code::kDataLoss);
  EXPECT_EQ(store_->manifests.GetManifest(kApp, types.begin()->first).status(), absl::OkStatus());
  EXPECT_EQ(store_->manifests.ListTags(kApp, {}).status(), absl::OkStatus());
  // The check names the rows that need it.
  std::string findings;
  const auto report = store_->system.Check([&](const CheckStep& step) {
    if (step.finding.has_value()) findings += step.finding->text + "\n";
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(findings, testing::ContainsRegex("a row that the row . [0-9a-f]+ needs"));
}

// The disk of the blobs was unmounted, or somebody moved them, under the running daemon.
TEST_F(DataDirectoryTest, WithoutBlobsNothingIsAbsentAndNothingIsTaken) {
  const TestBlob here = MakeBlob(1, 70'000);
  const TestBlob fresh = MakeBlob(2, 70'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, here), absl::OkStatus());
  fs::rename(directory_ / "blobs", root_ / "elsewhere");
  for (const absl::Status& status :
       {store_->blobs.OpenBlob(kApp, here.digest).status(),
        store_->blobs.StatBlob(kApp, here.digest).status(),
        store_->blobs.FindMissing(kApp, std::vector<Digest>{here.digest}).status(),
        store_->blobs.MountBlob("other", here.digest, kApp).status(),
        PushBlob(store_->blobs, kApp, fresh), store_->system.Check(nullptr).status(),
        store_->system.CheckContent(nullptr).status()}) {
    EXPECT_EQ(status.code(), Code::kInternal) << status;
    EXPECT_TRUE(IsPrivate(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr((directory_ / "blobs is gone").string()));
  }
  fs::rename(root_ / "elsewhere", directory_ / "blobs");
  EXPECT_EQ(Read(here.digest), here.bytes);
  EXPECT_EQ(store_->system.Check(nullptr)->findings, 0u) << "nothing was quarantined";
  ASSERT_EQ(PushBlob(store_->blobs, kApp, fresh), absl::OkStatus());
  EXPECT_EQ(Read(fresh.digest), fresh.bytes);
}

// One directory of them is gone: what was in it is absent, and heals once the daemon was started
// again.
TEST_F(DataDirectoryTest, AMissingDirectoryOfBlobsIsNamedAndMadeAgainByAStart) {
  const TestBlob blob = MakeBlob(1, 70'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  const fs::path range = BlobFile().parent_path();
  fs::remove_all(range);
  EXPECT_EQ(OpenCode(blob.digest), Code::kNotFound);
  const absl::Status pushed = PushBlob(store_->blobs, kApp, blob);
  EXPECT_EQ(pushed.code(), Code::kInternal) << pushed;
  EXPECT_THAT(std::string(pushed.message()), HasSubstr(range.string() + " is gone"));
  ASSERT_EQ(Open(), absl::OkStatus());
  ExpectAbsentUntilPushed(blob);
}

TEST_F(DataDirectoryTest, ContentOnTheDiskIsHashed) {
  const TestBlob blob = MakeBlob(1, 3'000'001);  // a last piece of no whole block
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  const absl::StatusOr<CheckReport> good = store_->system.CheckContent(nullptr);
  ASSERT_EQ(good.status(), absl::OkStatus());
  EXPECT_EQ(good->hashed_bytes, blob.bytes.size());
  EXPECT_EQ(good->findings, 0u);
  std::fstream(BlobFile(), std::ios::in | std::ios::out | std::ios::binary).seekp(2'999'999)
      << '\0';
  const absl::StatusOr<CheckReport> bad = store_->system.CheckContent(nullptr);
  ASSERT_EQ(bad.status(), absl::OkStatus());
  EXPECT_EQ(bad->findings, 1u);
  ExpectAbsentUntilPushed(blob);
}

TEST_F(DataDirectoryTest, APipeInThePlaceOfABlobFileHangsNobody) {
  const TestBlob blob = MakeBlob(1, 70'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  const fs::path file = BlobFile();
  fs::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  ExpectAbsentUntilPushed(blob);
}

TEST_F(DataDirectoryTest, ALinkInThePlaceOfABlobFileIsNotFollowed) {
  const TestBlob blob = MakeBlob(1, 70'000);
  ASSERT_EQ(Open(), absl::OkStatus());
  ASSERT_EQ(PushBlob(store_->blobs, kApp, blob), absl::OkStatus());
  const fs::path file = BlobFile();
  const fs::path secret = root_ / "secret";
  std::ofstream(secret, std::ios::binary) << std::string(70'000, 's');
  fs::remove(file);
  fs::create_symlink(secret, file);
  ExpectAbsentUntilPushed(blob);
  EXPECT_EQ(fs::file_size(secret), 70'000u);
}

TEST_F(DataDirectoryTest, StoreAndLockMustBeFiles) {
  ASSERT_EQ(Open(), absl::OkStatus());
  store_.reset();
  for (const char* name : {"LOCK", "STORE"}) {
    const fs::path path = directory_ / name;
    fs::rename(path, root_ / name);
    fs::create_symlink(root_ / name, path);
    EXPECT_EQ(Open().code(), Code::kDataLoss) << name;
    fs::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const absl::Status opened = Open();
    EXPECT_EQ(opened.code(), Code::kDataLoss) << name;
    EXPECT_THAT(std::string(opened.message()), HasSubstr("is no regular file"));
    fs::remove(path);
    fs::rename(root_ / name, path);
  }
  EXPECT_EQ(Open(), absl::OkStatus());
}

TEST_F(DataDirectoryTest, ADirectoryThatEveryoneMayChangeIsRefused) {
  ASSERT_EQ(Open(), absl::OkStatus());
  store_.reset();
  for (const mode_t mode : {0777u, 01777u, 0702u}) {
    ASSERT_EQ(::chmod(directory_.c_str(), mode), 0);
    const absl::Status refused = Open();
    EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()),
                AllOf(HasSubstr(directory_.string()), HasSubstr("chmod o-w")));
  }
  for (const mode_t mode : {0700u, 0755u, 0770u}) {
    ASSERT_EQ(::chmod(directory_.c_str(), mode), 0);
    EXPECT_EQ(Open(), absl::OkStatus());
  }
}

TEST_F(DataDirectoryTest, ADirectoryOfSomebodyElseIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  fs::create_directory(directory_);
  ASSERT_EQ(::chown(directory_.c_str(), 12'345, 12'345), 0);
  const absl::Status refused = Open();
  EXPECT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("belongs to user 12345"), HasSubstr("user 0")));
}

}  // namespace
}  // namespace varve
