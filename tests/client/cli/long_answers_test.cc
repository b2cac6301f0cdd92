// Images with more tags and in more repositories than one message of the daemon names: nothing is
// left out without being counted. The daemon's promise time is zero, so that prune may take them.
#include <algorithm>

#include "gmock/gmock.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kListed = 1000;  // as images.proto says
constexpr size_t kTags = 2500;
constexpr size_t kPlaces = 1010;

class LongAnswersTest : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    ASSERT_NO_FATAL_FAILURE(RestartDaemonWithoutPromises());
  }

  ManifestInfo PutImageWithManyTags() {
    const ManifestInfo image = PutImage("app", {}, 1);
    const auto manifest = store_->manifests.GetManifest("app", image.digest);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    for (size_t i = 0; i < kTags; i += 10) {
      PutManifestRequest request;
      request.bytes = manifest->bytes;
      for (size_t j = i; j < i + 10; ++j) request.tags.push_back(StrCat("t", 10'000 + j));
      EXPECT_TRUE(store_->manifests.PutManifest("app", request).ok());
    }
    return image;
  }

  static size_t LinesWith(const std::string& text, const std::string& start) {
    size_t count = 0;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      if (text.compare(at, start.size(), start) == 0) ++count;
    }
    return count;
  }
};

TEST_F(LongAnswersTest, TagsOfAnImageAreNamedOrCounted) {
  const ManifestInfo image = PutImageWithManyTags();
  const auto found = client_->FindImage(image.digest.ToString());
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->places.size(), 1u);
  EXPECT_EQ(found->places[0].tags.size(), kListed);
  EXPECT_EQ(found->places[0].more_tags, kTags - kListed);
  EXPECT_EQ(found->more_places, 0u);

  const auto details = client_->InspectImage("app", "t10000", "");
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_EQ(details->references.size(), kListed);
  EXPECT_EQ(details->more_references, kTags - kListed);
  EXPECT_THAT(Run({"inspect", "app:t10000"}).out, HasSubstr("\"MoreRepoTags\": 1500"));
  PutImage("few", {"v1"}, 2);
  EXPECT_THAT(Run({"inspect", "few:v1"}).out, Not(HasSubstr("MoreRepoTags")));
}

TEST_F(LongAnswersTest, APruneNamesEveryTag) {
  PutImageWithManyTags();
  PutImage("few", {"v1"}, 2);
  EXPECT_EQ(LinesWith(Run({"image", "prune", "-a", "--dry-run"}).out, "would untag: app:t1"),
            kTags);
  PruneRequest request;
  request.all = true;
  std::vector<std::string> untagged;
  size_t images = 0;
  const auto report = client_->Prune(request, [&](const PruneStep& step) {
    if (step.kind != PruneStep::Kind::kRemoved) return true;
    ++images;
    EXPECT_EQ(step.untagged.size(), step.image.repository == "app" ? kTags : 1u);
    untagged.insert(untagged.end(), step.untagged.begin(), step.untagged.end());
    return true;
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(images, 2u);
  EXPECT_EQ(report->untagged, kTags + 1);
  EXPECT_EQ(untagged.size(), kTags + 1);
  EXPECT_TRUE(std::is_sorted(untagged.begin(), untagged.end()));
  EXPECT_EQ(std::unique(untagged.begin(), untagged.end()), untagged.end());
}

TEST_F(LongAnswersTest, ARemovalCountsWhatItDoesNotName) {
  const ManifestInfo image = PutImageWithManyTags();
  const CommandOutcome removed = Run({"rmi", "--force", image.digest.ToString()});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(LinesWith(removed.out, "Untagged: app:t1"), kListed);
  EXPECT_THAT(removed.out, AllOf(HasSubstr("\nand 1500 more untagged\nDeleted: app@"),
                                 Not(HasSubstr("more deleted"))));
}

TEST_F(LongAnswersTest, RepositoriesAreNamedOrCounted) {
  const ManifestInfo image = PutImage("app", {"v1"}, 1);
  for (size_t i = 1; i < kPlaces; ++i) {
    ASSERT_TRUE(store_->images.TagFrom("app", image.digest, StrCat("app", i), "v1").ok());
  }
  const auto found = client_->FindImage(image.digest.ToString());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->places.size(), kListed);
  EXPECT_EQ(found->more_places, kPlaces - kListed);
  const CommandOutcome removed = Run({"rmi", "--force", "--json", image.digest.ToString()});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_EQ(LinesWith(removed.out, "{\"deleted\":"), kListed);
  EXPECT_THAT(removed.out,
              AllOf(HasSubstr("{\"more_untagged\":10}\n"), HasSubstr("{\"more_deleted\":10}\n")));
}

}  // namespace
}  // namespace varve
