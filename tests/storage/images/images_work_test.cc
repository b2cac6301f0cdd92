// What a page of a listing costs, however much there is to list: index reads and rows are counted,
// not time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/images.h"
#include "storage/api/manifests.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/forwarding_index.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

constexpr size_t kRows = 30'000;
// What the walk may read beyond its limit: the last image, and what decides about it.
constexpr size_t kSlack = 100;

// Counts what is read outside transactions; the index outlives the store.
class CountingIndex final : public Index {
 public:
  std::unique_ptr<Transaction> Begin() override { return index_->Begin(); }
  bool may_lose_outcomes() const override { return index_->may_lose_outcomes(); }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    ++reads_;
    return index_->Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    reads_ += keys.size();
    return index_->GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    ++reads_;
    auto rows = index_->Scan(range, limit);
    if (rows.ok()) {
      rows_ += rows->size();
      largest_scan_ = std::max(largest_scan_, rows->size());
    }
    return rows;
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    reads_ += ranges.size();
    rows_ += ranges.size();
    return index_->FirstOfEach(ranges);
  }

  void Reset() { reads_ = rows_ = largest_scan_ = 0; }
  size_t reads() const { return reads_; }
  size_t rows() const { return rows_; }
  size_t largest_scan() const { return largest_scan_; }

 private:
  const std::unique_ptr<Index> index_ = NewMemoryIndex();
  size_t reads_ = 0;
  size_t rows_ = 0;
  size_t largest_scan_ = 0;
};

class ImagesWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.random = &random_;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<ForwardingIndex>(index_);
    };
    auto opened = OpenEngine("/store", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    PushImage();
  }

  void PushImage() {
    const std::string config = R"({"created":"2022-01-01T00:00:00Z","config":{"Labels":{}}})";
    const Digest digest = HashBytes(DigestAlgorithm::kSha256, config);
    auto upload = store_->blobs.BeginUpload("app", {});
    ASSERT_TRUE(upload.ok() && (*upload)->Append(0, config).ok());
    ASSERT_TRUE((*upload)->Commit(digest, config.size()).ok());
    const std::string manifest =
        StrCat(R"({"schemaVersion":2,"config":{"mediaType":)",
               R"("application/vnd.oci.image.config.v1+json","digest":")", digest.ToString(),
               R"(","size":)", config.size(), R"(},"layers":[]})");
    PutManifestRequest request;
    request.bytes = manifest;
    const auto info = store_->manifests.PutManifest("app", request);
    ASSERT_TRUE(info.ok()) << info.status();
    image_ = info->digest;
    const auto row = index_.Get(RepositoryKey("app"));
    ASSERT_TRUE(row.ok() && row->has_value());
    repository_ = RepositoryRow::Decode(**row)->id;
  }

  // Calls `write(txn, i)` for i in [0, kRows), some in each transaction.
  template <typename Write>
  void WriteRows(const Write& write) {
    constexpr size_t kPerTransaction = 300;
    for (size_t begin = 0; begin < kRows; begin += kPerTransaction) {
      const absl::Status status = index_.Run([&](Transaction& txn) -> absl::Status {
        for (size_t i = begin; i < std::min(kRows, begin + kPerTransaction); ++i) {
          const absl::Status written = write(txn, i);
          if (!written.ok()) return written;
        }
        return absl::OkStatus();
      });
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  void WriteTags() {
    WriteRows([&](Transaction& txn, size_t i) -> absl::Status {
      const std::string tag = StrCat("t", 100'000 + i);
      const absl::Status status = txn.Put(TagKey(repository_, tag), TagRow{image_, 1}.Encode());
      return status.ok() ? txn.Put(TagEdgeKey(image_, repository_, tag), "") : status;
    });
  }
  // Manifests that nothing tags; an index lists them when `listed`.
  void WriteMembers(bool listed) {
    MemberRow member;
    member.media_type = "application/vnd.oci.image.manifest.v1+json";
    WriteRows([&](Transaction& txn, size_t i) -> absl::Status {
      const Digest digest = HashBytes(DigestAlgorithm::kSha256, StrCat("member ", i));
      const absl::Status status = txn.Put(MemberKey(repository_, digest), member.Encode());
      if (!status.ok() || !listed) return status;
      return txn.Put(ReferenceEdgeKey(digest, EdgeKind::kReference, repository_, image_), "");
    });
  }

  struct Walk {
    size_t pages = 0;
    size_t images = 0;
  };
  // Follows a listing to its end, checking what each page cost.
  Walk Follow(const ImageQuery& query, size_t limit) {
    Walk walk;
    std::set<std::string> seen;
    std::string token;
    do {
      index_.Reset();
      const absl::StatusOr<ImagePage> page = store_->images.ListImages(query, token, limit);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return walk;
      EXPECT_LE(index_.reads(), kMaxListingReads + kSlack);
      EXPECT_LE(index_.rows(), kMaxListingReads + kSlack);
      EXPECT_LE(index_.largest_scan(), 128u);
      EXPECT_LE(page->images.size(), limit);
      for (const ImageInfo& image : page->images) {
        EXPECT_TRUE(
            seen.insert(image.tag.empty() ? image.manifest.digest.ToString() : image.tag).second);
      }
      walk.images += page->images.size();
      ++walk.pages;
      EXPECT_NE(page->next_page_token, token);
      token = page->next_page_token;
    } while (!token.empty() && walk.pages <= kRows);
    return walk;
  }

  CountingIndex index_;
  MemoryFileSystem disk_;
  FakeClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<Engine> store_;
  Digest image_;
  RepositoryId repository_ = 0;
};

TEST_F(ImagesWorkTest, APageOfManyTagsReadsInProportionToThePage) {
  WriteTags();
  for (const size_t limit : std::vector<size_t>{1, 10, 100}) {
    index_.Reset();
    const absl::StatusOr<ImagePage> page = store_->images.ListImages({}, "", limit);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->images.size(), limit);
    EXPECT_LE(index_.reads(), 10 * (limit + 2));
    EXPECT_LE(index_.rows(), limit + 130);
  }
  const Walk walk = Follow({}, 1000);
  EXPECT_EQ(walk.images, kRows);
  EXPECT_LE(walk.pages, kRows / 1000 + 1);
}

TEST_F(ImagesWorkTest, AFilterThatMatchesNothingGivesEmptyPagesThatGoOn) {
  WriteTags();
  const Walk by_name = Follow({"", {"reference=none"}, false}, 100);
  EXPECT_EQ(by_name.images, 0u);
  EXPECT_GE(by_name.pages, 2 * kRows / kMaxListingReads);
  EXPECT_LE(by_name.pages, 4 * kRows / kMaxListingReads);
  const Walk by_label = Follow({"", {"label=none"}, false}, 100);
  EXPECT_EQ(by_label.images, 0u);
  EXPECT_GE(by_label.pages, 3u);
  const Walk one = Follow({"app", {"reference=app:t117777"}, false}, 100);
  EXPECT_EQ(one.images, 1u);
}

TEST_F(ImagesWorkTest, DanglingImagesAreFoundWithoutReadingTags) {
  WriteTags();
  index_.Reset();
  const absl::StatusOr<ImagePage> page =
      store_->images.ListImages({"", {"dangling=true"}, false}, "", 10);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->images.empty());
  EXPECT_EQ(page->next_page_token, "");
  EXPECT_LE(index_.reads(), 20u);
}

TEST_F(ImagesWorkTest, ManifestsThatAreNotShownCostABoundedPageToo) {
  WriteMembers(/*listed=*/true);
  const Walk walk = Follow({}, 1000);
  EXPECT_EQ(walk.images, 1u);  // the image, which nothing tags
  EXPECT_GE(walk.pages, kRows / kMaxListingReads);
  const Walk all = Follow({"", {}, true}, 1000);
  EXPECT_EQ(all.images, kRows + 1);
}

TEST_F(ImagesWorkTest, DanglingImagesComeInPages) {
  WriteMembers(/*listed=*/false);
  const Walk walk = Follow({}, 1000);
  EXPECT_EQ(walk.images, kRows + 1);
}

}  // namespace
}  // namespace varve
