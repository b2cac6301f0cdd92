// Power cuts in the model test: between two requests, and in the middle of one, whose outcome the
// model then learns from the store. A request of one transaction has happened or not; one of
// several has gone some way, each step of which must have been allowed. One thread.
#ifndef VARVE_TESTS_CONTRACT_STORE_MODEL_CRASHES_H_
#define VARVE_TESTS_CONTRACT_STORE_MODEL_CRASHES_H_

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/claims.h"
#include "storage/base/status.h"
#include "tests/contract/store_model_fixture.h"

namespace varve {

class StoreModelCrashes : public StoreModelFixture {
 protected:
  // Between two requests.
  void CutPower() {
    PowerCycle();
    ExpectSound();
  }

  // In the middle of one.
  void InterruptOne() {
    switch (Below(9)) {
      case 0:
        return InterruptPush();
      case 1:
      case 2:
        return InterruptPut();
      case 3:
        return InterruptTag();
      case 4:
        return InterruptDeletion();
      case 5:
        return InterruptHold();
      case 6:
        return InterruptRemoval();
      case 7:
        return InterruptTagFrom();
      default:
        return Interrupt([&] { return store().system.Reclaim().status(); });
    }
  }

  // How many there were; in the middle of a request; so that what it had not acknowledged was gone.
  int power_cuts() const { return power_cuts_; }
  int power_cuts_inside() const { return power_cuts_inside_; }
  int power_cuts_that_undid() const { return power_cuts_that_undid_; }

 private:
  using Change = std::function<void()>;

  void PowerCycle() {
    ++power_cuts_;
    under_test().PowerCycle(random_->Next());
    for (auto& [name, repository] : repositories_) repository.promises.clear();
    // What was not saved of an upload is gone, and sometimes the upload.
    for (size_t i = 0; i < uploads_.size();) {
      const auto upload = store().blobs.ResumeUpload(uploads_[i].repository, uploads_[i].id);
      if (upload.ok()) {
        const uint64_t offset = (*upload)->status().offset_bytes;
        EXPECT_LE(offset, uploads_[i].sent);
        uploads_[i++].sent = offset;
        continue;
      }
      EXPECT_TRUE(absl::IsNotFound(upload.status())) << upload.status();
      uploads_.erase(uploads_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  // Runs `request` until the power goes, some time soon, and starts again. Its status.
  absl::Status RunInterrupted(const std::function<absl::Status()>& request) {
    under_test().CutPowerAfter(Below(2) == 0 ? Below(3) : Below(20));
    const absl::Status status = request();
    if (absl::IsUnavailable(status)) ++power_cuts_inside_;
    PowerCycle();
    return status;
  }

  // `changes`, if there are any, is what the request does to the model.
  void Interrupt(const std::function<absl::Status()>& request, const Change& changes = nullptr) {
    const absl::Status status = RunInterrupted(request);
    if (changes == nullptr) return ExpectSound();
    const auto before = repositories_;
    changes();
    const std::string visible = Visible();
    const bool happened = visible == Shown();
    if (!happened) repositories_ = before;
    EXPECT_EQ(visible, Shown()) << "neither done nor not done: " << status;
    // What was acknowledged is there.
    EXPECT_TRUE(happened || !status.ok());
    if (absl::IsUnavailable(status) && !happened) ++power_cuts_that_undid_;
    ExpectSound();
  }

  void InterruptPush() {
    const std::string& bytes = payloads_[Below(kPayloads)];
    const std::string name = PickRepository();
    const absl::Status status = RunInterrupted(
        [&] { return PushBytes(store().blobs, name, bytes, Sha256(bytes)).status(); });
    if (status.ok()) {
      // Nothing goes within a promise time of the start.
      EXPECT_EQ(OpenCode("", Sha256(bytes)), Code::kOk);
    }
    ExpectSound();
  }

  void InterruptPut() {
    const auto known = PickManifest();
    if (!known.has_value()) return;
    const std::string name = PickRepository();
    PutManifestRequest request;
    const std::string json = manifests_[*known].json;
    request.bytes = json;
    if (Below(2) == 0) request.tags = {PickTag()};
    Interrupt([&] { return store().manifests.PutManifest(name, request).status(); },
              [&] {
                ModelRepository& repository = repositories_[name];
                repository.members.insert(*known);
                repository.exists = true;
                for (const std::string& tag : request.tags) repository.tags[tag] = *known;
              });
  }

  void InterruptTag() {
    const auto digest = PickManifest();
    const std::string name = PickRepository();
    const std::string tag = PickTag();
    if (Below(2) == 0) {
      return Interrupt([&] { return store().manifests.Untag(name, tag, true); },
                       [&] { repositories_[name].tags.erase(tag); });
    }
    if (!digest.has_value()) return;
    Interrupt([&] { return store().manifests.Tag(name, tag, *digest); },
              [&] { repositories_[name].tags[tag] = *digest; });
  }

  void InterruptDeletion() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string name = PickRepository();
    Interrupt([&] { return store().manifests.DeleteManifest(name, *digest); },
              [&] { Forget(repositories_[name], *digest); });
  }

  void InterruptHold() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string name = StrCat("h", Below(kHolds));
    const std::string where = PickRepository();
    const bool release = Below(2) == 0;
    const absl::Status status = RunInterrupted([&] {
      return release ? store().claims.ReleaseHold(name)
                     : store().claims.CreateHold({name, where, *digest, 0}).status();
    });
    const auto before = holds_;
    if (status.ok() && release) holds_.erase(name);
    if (status.ok() && !release) holds_[name] = {where, *digest};
    std::map<std::string, std::pair<std::string, Digest>> now;
    const auto listed = store().claims.ListHolds({"", 100});
    ASSERT_TRUE(listed.ok()) << listed.status();
    for (const HoldInfo& hold : listed->rows) {
      now[hold.name] = {hold.repository, hold.manifest};
    }
    if (!status.ok()) {
      // Of one that was not acknowledged either may be.
      const auto found = now.find(name);
      holds_.erase(name);
      if (found != now.end()) {
        const bool is_old = before.count(name) > 0 && before.at(name) == found->second;
        EXPECT_TRUE(is_old || (!release && found->second == std::make_pair(where, *digest)));
        holds_.insert(*found);
      } else {
        EXPECT_TRUE(release || before.count(name) == 0);
      }
    }
    EXPECT_EQ(now, holds_);
    ExpectSound();
  }

  // A prune, or an `rmi` of a tag: what has gone may go, with its tags.
  void InterruptRemoval() {
    const bool prune = Below(2) == 0;
    const std::string name = PickRepository();
    const std::string tag = PickTag();
    PruneRequest request;
    request.all = Below(2) == 0;
    RunInterrupted([&] {
      return prune ? store().images.Prune(request, nullptr).status()
                   : store().images.RemoveImage(StrCat(name, ":", tag), /*force=*/false).status();
    }).IgnoreError();
    const auto before = repositories_;
    LearnVisible();
    for (const auto& [place, repository] : before) {
      const ModelRepository& now = repositories_[place];
      for (const Digest& member : repository.members) {
        if (now.members.count(member) > 0) continue;
        EXPECT_TRUE(prune || place == name);
        EXPECT_FALSE(prune ? IsHeldByName(member) || IsLeased(member) || IsNamedAnywhere(member)
                           : IsClaimedIn(place, member) || IsNamed(now, member));
      }
      for (const auto& [one, named] : repository.tags) {
        if (now.tags.count(one) > 0) continue;
        EXPECT_TRUE(prune ? request.all && now.members.count(named) == 0
                          : place == name && (one == tag || now.members.count(named) == 0));
      }
    }
    EXPECT_FALSE(HasMore(before));
    ExpectSound();
  }

  // The image and, before it, what it lists; the tag with the last.
  void InterruptTagFrom() {
    const auto digest = PickManifest();
    const std::string from = PickRepository();
    const std::string to = PickRepository();
    const std::string tag = PickTag();
    if (!digest.has_value() || from == to) return;
    const absl::Status status =
        RunInterrupted([&] { return store().images.TagFrom(from, *digest, to, tag); });
    auto before = repositories_;
    LearnVisible();
    const ModelRepository& now = repositories_[to];
    for (const Digest& member : now.members) {
      const bool was_there = before[to].members.count(member) > 0;
      EXPECT_TRUE(was_there || before[from].members.count(member) > 0);
    }
    const auto tagged = now.tags.find(tag);
    if (status.ok()) EXPECT_TRUE(tagged != now.tags.end() && tagged->second == *digest);
    if (tagged != now.tags.end() && tagged->second == *digest) before[to].tags[tag] = *digest;
    EXPECT_EQ(now.tags, before[to].tags);
    ExpectSound();
  }

  // Whether something is there that `before` had not.
  bool HasMore(const std::map<std::string, ModelRepository>& before) {
    for (const auto& [name, repository] : repositories_) {
      const auto found = before.find(name);
      const ModelRepository old = found == before.end() ? ModelRepository() : found->second;
      for (const Digest& member : repository.members) {
        if (old.members.count(member) == 0) return true;
      }
      for (const auto& tag : repository.tags) {
        if (old.tags.count(tag.first) == 0 || old.tags.at(tag.first) != tag.second) return true;
      }
    }
    return false;
  }

  // Members and tags as the store shows them, put into the model.
  void LearnVisible() {
    for (const std::string name : {"a", "b", "c"}) {
      ModelRepository& repository = repositories_[name];
      repository.members.clear();
      repository.tags.clear();
      for (const auto& [digest, manifest] : manifests_) {
        if (store().manifests.GetManifest(name, digest).ok()) repository.members.insert(digest);
      }
      const auto tags = store().manifests.ListTags(name, {"", 1000});
      if (!tags.ok()) continue;
      for (const TagInfo& tag : tags->rows) repository.tags[tag.name] = tag.digest;
    }
  }

  std::string Visible() {
    auto kept = repositories_;
    LearnVisible();
    std::string visible = Shown();
    repositories_ = std::move(kept);
    return visible;
  }
  // The same of the model.
  std::string Shown() const {
    std::string shown;
    for (const auto& [name, repository] : repositories_) {
      for (const Digest& member : repository.members) {
        shown += StrCat(name, "@", member.ToString(), "\n");
      }
      for (const auto& [tag, digest] : repository.tags) {
        shown += StrCat(name, ":", tag, " ", digest.ToString(), "\n");
      }
    }
    return shown;
  }

  int power_cuts_ = 0;
  int power_cuts_inside_ = 0;
  int power_cuts_that_undid_ = 0;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_STORE_MODEL_CRASHES_H_
