// A model of a store, small enough to be right by inspection, and the comparisons between the two:
// all that is visible; then, when time has passed and everything that nothing keeps is reclaimed,
// that what is left is what a mark of the model reaches; and that a check of the store finds
// nothing wrong. One thread.
#ifndef VARVE_TESTS_CONTRACT_STORE_MODEL_FIXTURE_H_
#define VARVE_TESTS_CONTRACT_STORE_MODEL_FIXTURE_H_

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/manifest.h"
#include "tests/contract/store_contract_fixture.h"
#include "tests/support/fake_clock.h"

namespace varve {

inline constexpr int64_t kModelPromise = 10 * kMinute;
inline constexpr size_t kPayloads = 40;
inline constexpr uint64_t kTags = 6;
inline constexpr uint64_t kHolds = 4;
inline constexpr uint64_t kLeases = 3;
// Longer than the time between two comparisons, shorter than the wait at each.
inline constexpr int64_t kLeaseNanos = 20 * kHour;

struct ModelManifest {
  std::string json;
  std::vector<Digest> blobs;
  std::vector<Digest> children;
};

struct ModelRepository {
  std::set<Digest> members;
  std::map<std::string, Digest> tags;
  std::map<Digest, int64_t> promises;  // digest → when it ends at the earliest
  bool exists = false;
};

class StoreModelFixture : public StoreContractTest {
 protected:
  using Code = absl::StatusCode;

  struct Upload {
    std::string repository;
    std::string id;
    size_t payload = 0;
    size_t sent = 0;
  };

  size_t Below(size_t bound) { return random_->Below(bound); }
  std::string PickRepository() { return std::string(1, static_cast<char>('a' + Below(3))); }
  Digest PayloadDigest(size_t payload) { return Sha256(payloads_[payload]); }
  std::optional<Digest> PickManifest() {
    if (manifests_.empty()) return std::nullopt;
    auto it = manifests_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(Below(manifests_.size())));
    return it->first;
  }
  std::string PickTag() { return StrCat("t", Below(kTags)); }

  void PassSomeTime(int64_t nanos) {
    under_test().Advance(nanos);
    now_ += nanos;
  }
  void Reopen() {
    under_test().Reopen();
    for (auto& [name, repository] : repositories_) repository.promises.clear();
  }
  void Promise(const std::string& repository, const Digest& digest) {
    repositories_[repository].exists = true;
    repositories_[repository].promises[digest] = now_ + kModelPromise;
  }

  bool IsNamedAnywhere(const Digest& digest) {
    return std::any_of(repositories_.begin(), repositories_.end(),
                       [&](const auto& other) { return IsNamed(other.second, digest); });
  }
  bool IsHeldByName(const Digest& manifest) const {
    return std::any_of(holds_.begin(), holds_.end(),
                       [&](const auto& hold) { return hold.second.second == manifest; });
  }
  bool IsLeased(const Digest& digest) const {
    return std::any_of(leases_.begin(), leases_.end(),
                       [&](const auto& lease) { return lease.second.all.count(digest) > 0; });
  }
  // By a hold that names it in this repository or in the whole store.
  bool IsHeldIn(const std::string& repository, const Digest& manifest) const {
    return std::any_of(holds_.begin(), holds_.end(), [&](const auto& hold) {
      return hold.second.second == manifest &&
             (hold.second.first.empty() || hold.second.first == repository);
    });
  }
  bool IsClaimedIn(const std::string& repository, const Digest& manifest) const {
    return IsHeldIn(repository, manifest) || IsLeased(manifest);
  }

  bool IsNamed(const ModelRepository& repository, const Digest& blob) {
    for (const Digest& member : repository.members) {
      const ModelManifest& manifest = manifests_[member];
      for (const auto* list : {&manifest.blobs, &manifest.children}) {
        if (std::find(list->begin(), list->end(), blob) != list->end()) return true;
      }
    }
    return false;
  }
  // Whether an index of the repository that is tagged or claimed lists the manifest, or lists one
  // that does.
  bool IsPartOfKept(const std::string& name, const Digest& manifest) {
    const ModelRepository& repository = repositories_[name];
    return std::any_of(
        repository.members.begin(), repository.members.end(), [&](const Digest& index) {
          const std::vector<Digest>& children = manifests_[index].children;
          if (std::find(children.begin(), children.end(), manifest) == children.end()) {
            return false;
          }
          return HasTag(repository, index) || IsClaimedIn(name, index) || IsPartOfKept(name, index);
        });
  }
  // Certainly visible: named there, or promised.
  bool IsHeld(const ModelRepository& repository, const Digest& blob) {
    const auto promise = repository.promises.find(blob);
    if (promise != repository.promises.end() && promise->second > now_) return true;
    return IsNamed(repository, blob);
  }

  static void Forget(ModelRepository& repository, const Digest& manifest) {
    repository.members.erase(manifest);
    for (auto it = repository.tags.begin(); it != repository.tags.end();) {
      it = it->second == manifest ? repository.tags.erase(it) : std::next(it);
    }
  }

  static bool HasTag(const ModelRepository& repository, const Digest& digest) {
    return std::any_of(repository.tags.begin(), repository.tags.end(),
                       [&](const auto& tag) { return tag.second == digest; });
  }

  size_t TagsInStore(const Digest& digest) const {
    size_t tags = 0;
    for (const auto& [name, repository] : repositories_) {
      for (const auto& [tag, named] : repository.tags) tags += named == digest ? 1 : 0;
    }
    return tags;
  }

  // A check of the store, which works out anew what must be alive.
  void ExpectSound() {
    const auto report = under_test().engine().system.Check([](const CheckStep& step) {
      if (step.finding.has_value()) ADD_FAILURE() << step.finding->text;
      return true;
    });
    EXPECT_TRUE(report.ok()) << report.status();
  }

  void CompareLeased() {
    for (const auto& [id, lease] : leases_) {
      for (const Digest& digest : lease.present) {
        ASSERT_EQ(OpenCode("", digest), Code::kOk) << id << " " << digest.ToString();
      }
    }
  }

  // When no promise holds any more.
  void PruneAll(bool unused) {
    size_t dangling = 0;
    size_t untagged = 0;
    for (bool changed = true; changed;) {
      changed = false;
      for (auto& [name, repository] : repositories_) {
        for (auto it = repository.members.begin(); it != repository.members.end();) {
          const Digest digest = *it;
          const bool needed =
              IsHeldByName(digest) ||
              std::any_of(repositories_.begin(), repositories_.end(), [&](const auto& other) {
                return (!unused && HasTag(other.second, digest)) || IsNamed(other.second, digest);
              });
          ++it;
          if (needed) continue;
          untagged += static_cast<size_t>(
              std::count_if(repository.tags.begin(), repository.tags.end(),
                            [&](const auto& tag) { return tag.second == digest; }));
          Forget(repository, digest);
          ++dangling;
          changed = true;
        }
      }
    }
    const auto usage = Able(Ability::kListImages).system.MeasureDiskUsage();
    ASSERT_TRUE(usage.ok()) << usage.status();
    if (!unused) EXPECT_EQ(usage->dangling.count, dangling);
    EXPECT_EQ(usage->unreferenced.count, 0u);
    EXPECT_EQ(usage->loose.disk_bytes, under_test().AllocatedBytes());
    PruneRequest request;
    request.all = unused;
    const auto report = Able(Ability::kListImages).images.Prune(request, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->images, dangling);
    EXPECT_EQ(report->untagged, untagged);
    EXPECT_EQ(report->deferred, 0u);
    if (!unused) {
      EXPECT_EQ(report->content_bytes, usage->dangling.logical_bytes);
      EXPECT_EQ(report->freed_bytes, usage->dangling.disk_bytes);
    }
    EXPECT_EQ(usage->loose.disk_bytes - report->freed_bytes, under_test().AllocatedBytes());
  }

  void CompareAll() {
    CompareVisible();
    CompareLeased();
    ExpectSound();
    // Long enough for every promise, link, upload and lease, wherever the clock was set.
    PassSomeTime(36 * kHour);
    Reclaim();
    Reclaim();  // what the leases kept that ended in the first pass
    uploads_.clear();
    leases_.clear();
    CompareVisible();
    CompareKept();
    ExpectSound();
    if (Below(2) == 0 || HasFailure()) return;
    PassSomeTime(kHour);  // to compare was to pull
    PruneAll(Below(3) == 0);
    CompareVisible();
    CompareKept();
    ExpectSound();
  }

  void CompareVisible() {
    std::vector<std::string> with_images;
    for (const auto& [name, repository] : repositories_) {
      if (!repository.exists) continue;
      SCOPED_TRACE(name);
      if (!repository.members.empty()) with_images.push_back(name);
      std::vector<std::pair<std::string, Digest>> tags;
      const auto listed = store().manifests.ListTags(name, {"", 1000});
      // One without members may have gone.
      if (absl::IsNotFound(listed.status()) && repository.members.empty()) continue;
      ASSERT_TRUE(listed.ok()) << listed.status();
      for (const TagInfo& tag : listed->rows) tags.emplace_back(tag.name, tag.digest);
      EXPECT_THAT(tags, testing::ElementsAreArray(repository.tags));
      for (const auto& [digest, manifest] : manifests_) {
        const auto got = store().manifests.GetManifest(name, digest);
        ASSERT_EQ(got.ok(), repository.members.count(digest) > 0) << got.status();
        ASSERT_TRUE(!got.ok() || got->bytes == manifest.json);
      }
      for (const std::string& payload : payloads_) {
        if (!IsNamed(repository, Sha256(payload))) continue;
        ASSERT_TRUE(Read(name, Sha256(payload)) == payload);
      }
    }
    const auto repositories = store().manifests.ListRepositories({"", 1000});
    EXPECT_THAT(repositories.value().rows, testing::ElementsAreArray(with_images));
  }

  // Mark: what members reach. A child that its index still names keeps its own bytes, no more.
  void CompareKept() {
    std::set<Digest> marked;
    for (const auto& [name, repository] : repositories_) {
      for (const Digest& member : repository.members) {
        marked.insert(member);
        const ModelManifest& manifest = manifests_[member];
        marked.insert(manifest.blobs.begin(), manifest.blobs.end());
        marked.insert(manifest.children.begin(), manifest.children.end());
      }
    }
    size_t files = 0;
    const auto check = [&](const Digest& digest, size_t size) {
      const bool kept = marked.count(digest) > 0;
      ASSERT_EQ(OpenCode("", digest) == Code::kOk, kept) << digest.ToString();
      if (kept && size > kMaxInlineBlobBytes) ++files;
    };
    for (const std::string& payload : payloads_) check(Sha256(payload), payload.size());
    for (const auto& [digest, manifest] : manifests_) check(digest, manifest.json.size());
    EXPECT_EQ(under_test().BlobFiles().size(), files);
  }

  std::unique_ptr<SeededRandom> random_;
  std::vector<std::string> payloads_;
  std::map<Digest, ModelManifest> manifests_;
  std::map<std::string, ModelRepository> repositories_;
  struct ModelLease {
    std::set<Digest> all;
    std::set<Digest> present;  // when they were attached
  };

  std::vector<Upload> uploads_;
  std::map<std::string, std::pair<std::string, Digest>> holds_;  // name → repository, manifest
  std::map<std::string, ModelLease> leases_;
  int64_t now_ = 0;
  int64_t jumped_ = 0;  // how far the wall clock is ahead of it
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_STORE_MODEL_FIXTURE_H_
