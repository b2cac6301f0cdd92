// What goes, against a mark from the roots, over random references with circles in them.
#include "storage/keep/dangling_search.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

constexpr RepositoryId kRepositories = 2;

struct Less {
  bool operator()(const Member& a, const Member& b) const {
    return std::pair(a.repository, a.manifest) < std::pair(b.repository, b.manifest);
  }
};

Digest ManifestOf(size_t number) {
  return HashBytes(DigestAlgorithm::kSha256, StrCat("manifest ", number));
}

std::string SignatureTag(const Digest& subject) {
  std::string tag = StrCat(subject.ToString(), ".sig");
  tag[tag.find(':')] = '-';
  return tag;
}

// Members of some repositories and what they refer to, drawn from a seed; circles come by chance.
class RandomImages {
 public:
  explicit RandomImages(uint64_t seed) : random_(seed) {
    const size_t manifests = 2 + random_.Below(9);
    for (size_t i = 0; i < manifests; ++i) {
      for (RepositoryId repository = 1; repository <= kRepositories; ++repository) {
        if (random_.Below(3) == 0) continue;
        members_.push_back({repository, ManifestOf(i)});
        std::optional<Digest>& subject = subjects_[members_.back()];
        if (random_.Below(3) == 0) subject = ManifestOf(random_.Below(manifests));
      }
    }
    if (members_.empty()) return;
    for (size_t i = random_.Below(2 * manifests); i > 0; --i) {
      lists_.emplace_back(Pick(), ManifestOf(random_.Below(manifests)));
    }
    for (size_t i = random_.Below(manifests); i > 0; --i) {
      signs_.emplace_back(Pick(), ManifestOf(random_.Below(manifests)));
    }
    if (random_.Below(2) == 0) held_ = Pick().manifest;
    if (random_.Below(2) == 0) tagged_ = Pick();
  }

  const std::vector<Member>& members() const { return members_; }
  Member Pick() { return members_[random_.Below(members_.size())]; }

  absl::Status Write(Transaction& txn) const {
    for (const auto& [member, subject] : subjects_) {
      MemberRow row;
      row.subject = subject;
      RETURN_IF_ERROR(txn.Put(MemberKey(member.repository, member.manifest), row.Encode()));
      RETURN_IF_ERROR(txn.Put(MemberEdgeKey(member.manifest, member.repository), ""));
    }
    for (const auto& [lister, listed] : lists_) {
      RETURN_IF_ERROR(txn.Put(
          ReferenceEdgeKey(listed, EdgeKind::kReference, lister.repository, lister.manifest), ""));
    }
    for (const auto& [signature, subject] : signs_) {
      RETURN_IF_ERROR(
          txn.Put(TagEdgeKey(signature.manifest, signature.repository, SignatureTag(subject)), ""));
    }
    if (held_) RETURN_IF_ERROR(txn.Put(HoldEdgeKey(*held_, 0, "web"), ""));
    if (!tagged_) return absl::OkStatus();
    return txn.Put(TagEdgeKey(tagged_->manifest, tagged_->repository, "v1"), "");
  }

  // Marked from the roots, again and again until nothing is added.
  std::set<Member, Less> Kept(DanglingScope scope) const {
    std::set<Member, Less> kept;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Member& image : members_) {
        if (IsKept(image, scope, kept)) changed = kept.insert(image).second || changed;
      }
    }
    return kept;
  }

 private:
  bool IsKept(const Member& image, DanglingScope scope, const std::set<Member, Less>& kept) const {
    const bool plain = scope == DanglingScope::kDangling;
    if (held_ == image.manifest) return true;
    if (plain && tagged_ && tagged_->manifest == image.manifest) return true;
    for (const auto& [lister, listed] : lists_) {
      if (listed == image.manifest && kept.count(lister) > 0) return true;
    }
    const std::optional<Digest>& subject = subjects_.at(image);
    if (subject && kept.count({image.repository, *subject}) > 0) return true;
    for (const auto& [signature, signed_one] : signs_) {
      if (signature.manifest != image.manifest) continue;
      if (!plain && signature.repository != image.repository) continue;
      const Member of{signature.repository, signed_one};
      if (kept.count(of) > 0 || (plain && subjects_.count(of) == 0)) return true;
    }
    return false;
  }

  SeededRandom random_;
  std::vector<Member> members_;
  std::map<Member, std::optional<Digest>, Less> subjects_;
  std::vector<std::pair<Member, Digest>> lists_;
  std::vector<std::pair<Member, Digest>> signs_;  // the first by a tag, of the second
  std::optional<Digest> held_;
  std::optional<Member> tagged_;
};

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
    RandomImages images(seed);
    if (images.members().empty()) continue;
    const std::unique_ptr<Index> index = NewMemoryIndex();
    ASSERT_TRUE(index->Run([&](Transaction& txn) { return images.Write(txn); }).ok());
    for (const DanglingScope scope : {DanglingScope::kDangling, DanglingScope::kUnused}) {
      const std::set<Member, Less> kept = images.Kept(scope);
      DanglingSearch search(*index, scope, nullptr);
      for (size_t i = 0; i < 3 * images.members().size(); ++i) {
        const Member image = images.Pick();
        EXPECT_EQ(Goes(search, image), kept.count(image) == 0);
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
