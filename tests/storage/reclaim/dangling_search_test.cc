// What goes, against a mark from the roots, over random references with circles in them.
#include "storage/reclaim/dangling_search.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/digest/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

constexpr RepositoryId kRepositories = 2;

bool operator<(const Member& a, const Member& b) {
  return std::pair(a.repository, a.manifest) < std::pair(b.repository, b.manifest);
}

struct Less {
  bool operator()(const Member& a, const Member& b) const { return a < b; }
};

Digest ManifestOf(size_t number) {
  return HashBytes(DigestAlgorithm::kSha256, StrCat("manifest ", number));
}

std::string SignatureTag(const Digest& subject) {
  std::string tag = StrCat(subject.ToString(), ".sig");
  tag[tag.find(':')] = '-';
  return tag;
}

class DanglingSearchTest : public testing::Test {
 protected:
  void Put(const std::string& key, const std::string& value = "") {
    ASSERT_TRUE(index_->Run([&](Transaction& txn) { return txn.Put(key, value); }).ok());
  }
  void AddMember(const Member& image, std::optional<Digest> subject = std::nullopt) {
    MemberRow row;
    row.subject = subject;
    Put(MemberKey(image.repository, image.manifest), row.Encode());
    Put(MemberEdgeKey(image.manifest, image.repository));
  }
  void AddLister(const Member& lister, const Digest& listed) {
    Put(ReferenceEdgeKey(listed, EdgeKind::kReference, lister.repository, lister.manifest));
  }
  bool Goes(DanglingSearch& search, const Member& image) {
    const absl::StatusOr<bool> goes = search.Goes(image);
    EXPECT_TRUE(goes.ok()) << goes.status();
    return goes.value_or(false);
  }

  const std::unique_ptr<Index> index_ = NewMemoryIndex();
};

TEST_F(DanglingSearchTest, AgreesWithAMarkFromTheRoots) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    const std::unique_ptr<Index> index = NewMemoryIndex();
    const size_t manifests = 2 + random.Below(9);
    std::vector<Member> members;
    std::map<Member, std::optional<Digest>, Less> subjects;
    for (size_t i = 0; i < manifests; ++i) {
      for (RepositoryId repository = 1; repository <= kRepositories; ++repository) {
        if (random.Below(3) == 0) continue;
        members.push_back({repository, ManifestOf(i)});
        std::optional<Digest>& subject = subjects[members.back()];
        if (random.Below(3) == 0) subject = ManifestOf(random.Below(manifests));
      }
    }
    if (members.empty()) continue;
    std::vector<std::pair<Member, Digest>> lists;
    std::vector<std::pair<Member, Digest>> signs;  // the first by a tag, of the second
    std::set<Digest> held;
    std::set<Digest> tagged;
    const auto pick = [&] { return members[random.Below(members.size())]; };
    for (size_t i = random.Below(2 * manifests); i > 0; --i) {
      lists.emplace_back(pick(), ManifestOf(random.Below(manifests)));
    }
    for (size_t i = random.Below(manifests); i > 0; --i) {
      signs.emplace_back(pick(), ManifestOf(random.Below(manifests)));
    }
    if (random.Below(2) == 0) held.insert(pick().manifest);
    ASSERT_TRUE(
        index
            ->Run([&](Transaction& txn) -> absl::Status {
              for (const auto& [member, subject] : subjects) {
                MemberRow row;
                row.subject = subject;
                RETURN_IF_ERROR(
                    txn.Put(MemberKey(member.repository, member.manifest), row.Encode()));
                RETURN_IF_ERROR(txn.Put(MemberEdgeKey(member.manifest, member.repository), ""));
              }
              for (const auto& [lister, listed] : lists) {
                RETURN_IF_ERROR(txn.Put(ReferenceEdgeKey(listed, EdgeKind::kReference,
                                                         lister.repository, lister.manifest),
                                        ""));
              }
              for (const auto& [signature, subject] : signs) {
                RETURN_IF_ERROR(txn.Put(
                    TagEdgeKey(signature.manifest, signature.repository, SignatureTag(subject)),
                    ""));
              }
              for (const Digest& manifest : held) {
                RETURN_IF_ERROR(txn.Put(HoldEdgeKey(manifest, 0, "web"), ""));
              }
              if (random.Below(2) == 0) {
                const Member named = pick();
                tagged.insert(named.manifest);
                return txn.Put(TagEdgeKey(named.manifest, named.repository, "v1"), "");
              }
              return absl::OkStatus();
            })
            .ok());
    for (const DanglingScope scope : {DanglingScope::kDangling, DanglingScope::kUnused}) {
      const bool plain = scope == DanglingScope::kDangling;
      const auto is_member = [&](const Member& image) { return subjects.count(image) > 0; };
      std::set<Member, Less> kept;
      for (bool changed = true; changed;) {
        changed = false;
        for (const Member& image : members) {
          bool keeps =
              held.count(image.manifest) > 0 || (plain && tagged.count(image.manifest) > 0);
          for (const auto& [lister, listed] : lists) {
            keeps = keeps || (listed == image.manifest && kept.count(lister) > 0);
          }
          const std::optional<Digest>& subject = subjects[image];
          keeps = keeps || (subject.has_value() && kept.count({image.repository, *subject}) > 0);
          for (const auto& [signature, signed_one] : signs) {
            if (signature.manifest != image.manifest) continue;
            if (!plain && signature.repository != image.repository) continue;
            const Member of{signature.repository, signed_one};
            keeps = keeps || kept.count(of) > 0 || (plain && !is_member(of));
          }
          if (keeps) changed = kept.insert(image).second || changed;
        }
      }
      DanglingSearch search(*index, scope, nullptr);
      for (size_t i = 0; i < 3 * members.size(); ++i) {
        const Member image = pick();
        const absl::StatusOr<bool> goes = search.Goes(image);
        ASSERT_TRUE(goes.ok()) << goes.status();
        EXPECT_EQ(*goes, kept.count(image) == 0);
      }
    }
  }
}

// Each manifest refers to the one before: the way upward from the last is long.
TEST_F(DanglingSearchTest, ALongWayUpIsKnownFromAnEarlierSearch) {
  const size_t length = 3 * kMaxKeeperPath;
  for (size_t i = 0; i < length; ++i) {
    AddMember({1, ManifestOf(i)}, i == 0 ? std::nullopt : std::optional(ManifestOf(i - 1)));
  }
  DanglingSearch lost(*index_, DanglingScope::kDangling, nullptr);
  EXPECT_FALSE(Goes(lost, {1, ManifestOf(length - 1)}));  // too far to tell
  DanglingSearch search(*index_, DanglingScope::kDangling, nullptr);
  for (size_t i = 0; i < length; i += kMaxKeeperPath / 2) {
    EXPECT_TRUE(Goes(search, {1, ManifestOf(i)})) << i;
  }
  EXPECT_TRUE(Goes(search, {1, ManifestOf(length - 1)}));
}

// Many images that go list the same one: each blob of it is counted once.
TEST_F(DanglingSearchTest, ABlobIsCountedByTheFirstImageThatNamesIt) {
  const Digest blob = HashBytes(DigestAlgorithm::kSha256, "layer");
  for (size_t i = 0; i < 400; ++i) {
    AddMember({1, ManifestOf(i)});
    AddLister({1, ManifestOf(i)}, blob);
  }
  DanglingSearch search(*index_, DanglingScope::kDangling, nullptr);
  using Owners = DanglingSearch::Owners;
  EXPECT_EQ(search.OwnersOf(blob).value(), Owners::kGoing);
  size_t counted = 0;
  for (size_t i = 0; i < 400; ++i) {
    const Member image{1, ManifestOf(i)};
    counted += search.OwnersOf(blob, &image).value() == Owners::kGoing ? 1 : 0;
  }
  EXPECT_EQ(counted, 1u);
  Put(TagEdgeKey(ManifestOf(7), 1, "v1"));
  DanglingSearch again(*index_, DanglingScope::kDangling, nullptr);
  EXPECT_EQ(again.OwnersOf(blob).value(), Owners::kOthers);
  EXPECT_EQ(again.OwnersOf(HashBytes(DigestAlgorithm::kSha256, "nobody's")).value(), Owners::kNone);
}

}  // namespace
}  // namespace varve
