// Listings: byte order, pages, filters, limits.
#include <gmock/gmock.h>

#include <algorithm>

#include "storage/api/images.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "tests/contract/store_contract_fixture.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

class StoreListingsTest : public StoreContractTest {
 protected:
  // All rows of a listing, `limit` at a time; `name` gives where the next page starts.
  template <typename List, typename Name>
  auto AllPages(const List& list, const Name& name, size_t limit) {
    PageRequest page{"", limit};
    auto all = list(page).value().rows;
    all.clear();
    for (;;) {
      const auto answer = list(page);
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (!answer.ok()) return all;
      EXPECT_LE(answer->rows.size(), limit);
      all.insert(all.end(), answer->rows.begin(), answer->rows.end());
      if (!answer->more) return all;
      EXPECT_FALSE(answer->rows.empty());
      if (answer->rows.empty()) return all;
      page.after = name(answer->rows.back());
    }
  }
  std::vector<std::string> TagNames(size_t limit) {
    std::vector<std::string> names;
    for (const TagInfo& tag :
         AllPages([&](const PageRequest& page) { return store().manifests.ListTags("app", page); },
                  [](const TagInfo& row) { return row.name; }, limit)) {
      names.push_back(tag.name);
    }
    return names;
  }
};
STORE_SUITE(StoreListingsVersionTest, StoreListingsTest, kTagsVersion);
STORE_SUITE(StoreListingsImagesTest, StoreListingsTest, kListImages);

TEST_P(StoreListingsTest, TagsInByteOrderInPagesOfAnySize) {
  EXPECT_EQ(store().manifests.ListTags("app", {}).status().code(), Code::kNotFound);
  const Image image = PushImage("app", 1);
  EXPECT_THAT(TagNames(10), IsEmpty());
  std::vector<std::string> tags = {"1", "10", "2", "B", "_", "a", "a-", "a.b", "aa", "latest"};
  for (const std::string& tag : tags)
    ASSERT_TRUE(store().manifests.Tag("app", tag, image.manifest).ok());
  PushImage("app2", 1, {"other"});
  std::sort(tags.begin(), tags.end());
  for (const size_t limit : std::vector<size_t>{1, 2, 3, 9, 10, 11, 5000}) {
    SCOPED_TRACE(limit);
    EXPECT_THAT(TagNames(limit), ElementsAreArray(tags));
  }
  const auto page = store().manifests.ListTags("app", {"a", 2});
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->rows, SizeIs(2));
  EXPECT_EQ(page->rows[0].name, "a-");
  EXPECT_EQ(page->rows[0].digest, image.manifest);
  EXPECT_TRUE(page->more);
  EXPECT_THAT(store().manifests.ListTags("app", {"zzz", 10})->rows, IsEmpty());
  EXPECT_THAT(store().manifests.ListTags("app", {std::string(5000, 'z'), 10})->rows, IsEmpty());
  EXPECT_THAT(store().manifests.ListTags("app", {"", 0})->rows, IsEmpty());
}

TEST_P(StoreListingsTest, APageHasALimit) {
  const Image image = PushImage("app", 1);
  for (size_t i = 0; i <= kMaxPageRows; ++i) {
    ASSERT_TRUE(store().manifests.Tag("app", StrCat("t", 10'000 + i), image.manifest).ok());
  }
  const auto page = store().manifests.ListTags("app", {"", 1'000'000});
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->rows, SizeIs(kMaxPageRows));
  EXPECT_TRUE(page->more);
}

// Whatever changes a tag of a repository changes its version, before the call returns.
TEST_P(StoreListingsVersionTest, EveryChangeOfATagChangesTheVersion) {
  EXPECT_EQ(store().manifests.TagsVersion("app").status().code(), absl::StatusCode::kNotFound);
  const Image image = PushImage("app", 1, {"first"});
  const Image other = PushImage("app", 2, {"second"});
  uint64_t before = store().manifests.TagsVersion("app").value();
  EXPECT_EQ(store().manifests.TagsVersion("app").value(), before);
  const auto expect_change = [&](const char* what) {
    const uint64_t after = store().manifests.TagsVersion("app").value();
    EXPECT_NE(after, before) << what;
    before = after;
  };
  ASSERT_TRUE(store().manifests.Tag("app", "third", image.manifest).ok());
  expect_change("tag");
  ASSERT_TRUE(store().manifests.Untag("app", "third", false).ok());
  expect_change("untag");
  PushImage("app", 1, {"fourth"});
  expect_change("push with a tag");
  ASSERT_TRUE(store().images.TagFrom("app", image.manifest, "app", "fifth").ok());
  expect_change("tag from");
  ASSERT_TRUE(store().images.RemoveImage("app:fourth", false).ok());
  expect_change("rmi of one of several tags");
  ASSERT_TRUE(store().images.RemoveImage("app:second", false).ok());
  expect_change("rmi of the last tag");
  DeleteManifest("app", image.manifest);
  expect_change("delete of a manifest");
}

TEST_P(StoreListingsTest, RepositoriesThatHaveImages) {
  EXPECT_THAT(store().manifests.ListRepositories({})->rows, IsEmpty());
  const std::vector<std::string> names = {"a", "a-b", "a/b", "a/c", "b"};
  for (const std::string& name : names) PushImage(name, 1);
  Push("only/blobs", "bytes");
  const Image gone = PushImage("a/gone", 2);
  DeleteManifest("a/gone", gone.manifest);
  for (const size_t limit : std::vector<size_t>{1, 2, 4, 5, 6}) {
    EXPECT_THAT(
        AllPages([&](const PageRequest& page) { return store().manifests.ListRepositories(page); },
                 [](const std::string& row) { return row; }, limit),
        ElementsAreArray(names));
  }
}

TEST_P(StoreListingsTest, ReferrersByTypeWithTheirAnnotations) {
  const Image image = PushImage("app", 1, {"v1"});
  const auto list = [&](std::string_view type, size_t limit) {
    std::vector<std::string> notes;
    for (const ReferrerInfo& row : AllPages(
             [&](const PageRequest& page) {
               return store().manifests.ListReferrers("app", image.manifest, type, page);
             },
             [](const ReferrerInfo& last) { return last.manifest.digest.ToString(); }, limit)) {
      EXPECT_EQ(row.manifest.subject, image.manifest);
      notes.push_back(row.annotations_json);
    }
    std::sort(notes.begin(), notes.end());
    return notes;
  };
  EXPECT_THAT(list("", 10), IsEmpty());
  std::vector<Digest> referrers;
  for (int i = 0; i < 6; ++i) {
    ManifestParts parts;
    parts.config = image.config;
    parts.subject = image.manifest;
    parts.artifact_type = i % 2 == 0 ? "application/even" : "application/odd";
    parts.note = StrCat(i);
    referrers.push_back(PutManifest("app", ManifestJson(parts)));
  }
  const auto note = [](int i) { return StrCat("{\"note\":\"", i, "\"}"); };
  for (const size_t limit : std::vector<size_t>{1, 2, 3, 100}) {
    EXPECT_THAT(list("application/odd", limit), ElementsAre(note(1), note(3), note(5)));
    EXPECT_THAT(list("", limit), SizeIs(6));
  }
  EXPECT_THAT(list("application/none", 2), IsEmpty());
  EXPECT_EQ(store().manifests.ListReferrers("app", image.manifest, "", {"junk", 1}).status().code(),
            Code::kInvalidArgument);
  DeleteManifest("app", referrers[1]);
  EXPECT_THAT(list("application/odd", 10), ElementsAre(note(3), note(5)));
  DeleteManifest("app", image.manifest);
  EXPECT_THAT(list("", 10), SizeIs(5));
}

TEST_P(StoreListingsTest, ReferrersWithLargeAnnotationsComeInBoundedPages) {
  const Image image = PushImage("app", 1);
  constexpr size_t kNoteBytes = 3'000'000;
  for (int i = 0; i < 8; ++i) {
    ManifestParts parts;
    parts.config = image.config;
    parts.subject = image.manifest;
    parts.note = std::string(kNoteBytes, static_cast<char>('a' + i));
    PutManifest("app", ManifestJson(parts));
  }
  const auto page = store().manifests.ListReferrers("app", image.manifest, "", {"", 1000});
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->more);
  EXPECT_LE(page->rows.size(), 3u);
  const auto all = AllPages(
      [&](const PageRequest& request) {
        return store().manifests.ListReferrers("app", image.manifest, "", request);
      },
      [](const ReferrerInfo& last) { return last.manifest.digest.ToString(); }, 1000);
  EXPECT_THAT(all, SizeIs(8));
}

TEST_P(StoreListingsImagesTest, ImagesOfOneRepositoryOrOfAll) {
  const Image one = PushImage("a", 1, {"v1", "v2"});
  PushImage("a/b", 2, {"v1"});
  PushImage("c", 3);
  const Image last = PushImage("d", 4, {"x"});
  const auto tagged = [](const std::string& repository) {
    ImageQuery query;
    query.repository = repository;
    query.filters = {"dangling=false"};
    return query;
  };
  const auto names = [&](const std::string& repository, size_t limit) {
    std::vector<std::string> found;
    std::string token;
    do {
      const auto page = store().images.ListImages(tagged(repository), token, limit);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return found;
      EXPECT_LE(page->images.size(), limit);
      for (const ImageInfo& image : page->images) {
        found.push_back(StrCat(image.repository, ":", image.tag));
      }
      token = page->next_page_token;
    } while (!token.empty());
    return found;
  };
  for (const size_t limit : std::vector<size_t>{1, 2, 3, 4, 5}) {
    SCOPED_TRACE(limit);
    EXPECT_THAT(names("", limit), ElementsAre("a:v1", "a:v2", "a/b:v1", "d:x"));
    EXPECT_THAT(names("a", limit), ElementsAre("a:v1", "a:v2"));
  }
  EXPECT_THAT(names("c", 5), IsEmpty());
  const auto page = store().images.ListImages(tagged("d"), "", 10);
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->images, SizeIs(1));
  EXPECT_EQ(page->images[0].manifest.digest, last.manifest);
  EXPECT_GT(page->images[0].tagged_nanos, 0);
  EXPECT_EQ(store().images.ListImages(tagged("none"), "", 10).status().code(), Code::kNotFound);
  EXPECT_EQ(store().images.ListImages(tagged("a"), "", 10)->images[0].manifest.digest,
            one.manifest);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreListingsTest, testing::ValuesIn(AllStores()), StoreName);

}  // namespace
}  // namespace varve
