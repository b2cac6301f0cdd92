// Random requests against the store and against a model; every few hundred, both are compared.
//
// A failure names its seed; VARVE_MODEL_SEED=<seed> runs that one.
#include <cstdlib>

#include "tests/contract/store_model_crashes.h"

namespace varve {
namespace {

class StoreModelTest : public StoreModelCrashes {
 protected:
  void Run(uint64_t seed, int operations) {
    SCOPED_TRACE(StrCat("VARVE_MODEL_SEED=", seed));
    StoreSettings settings;
    settings.seed = seed;
    Make(settings);
    random_ = std::make_unique<SeededRandom>(seed);
    payloads_.clear();
    manifests_.clear();
    repositories_.clear();
    holds_.clear();
    leases_.clear();
    uploads_.clear();
    now_ = 0;
    jumped_ = 0;
    for (size_t i = 0; i < kPayloads; ++i) {
      // Every fourth is a file.
      payloads_.push_back(MakeBytes(i % 4 == 0 ? 66'000 + i : 10 * i, 1000 + i));
    }
    for (int i = 0; i < operations && !HasFailure(); ++i) {
      Step();
      if (i % 400 == 399) CompareAll();
    }
    CompareAll();
    if (!Can(Ability::kPowerCut)) return;
    RecordProperty("power_cuts", power_cuts());
    RecordProperty("power_cuts_inside", power_cuts_inside());
    RecordProperty("power_cuts_inside_that_undid", power_cuts_that_undid());
    // 1 of 62 operations is one that is interrupted: short runs may have few by chance.
    if (operations >= 10'000 && !HasFailure()) EXPECT_GT(power_cuts_inside(), operations / 2000);
  }
  static uint64_t FreshSeed() {
    const char* given = std::getenv("VARVE_MODEL_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : SystemRandom().Next() >> 1;
  }

 private:
  void Step() {
    switch (Below(31)) {
      case 0:
      case 1:
      case 2:
        return PushWhole();
      case 3:
      case 4:
        return PushPiece();
      case 5:
      case 6:
      case 7:
        return PutImage();
      case 8:
        return PutIndex();
      case 9:
        return TagOne();
      case 10:
        return UntagOne();
      case 11:
      case 12:
        return DeleteOneManifest();
      case 13:
        return DeleteOneBlob();
      case 14:
        return MountOne();
      case 15:
        return StatOne();
      case 16:
      case 17:
        Reclaim();
        return;
      case 18:
        return PassSomeTime(static_cast<int64_t>(Below(4)) * kMinute);
      case 19:
        return TagFromOne();
      case 20:
        return RemoveOneTag();
      case 21:
      case 22:
        return HoldOne();
      case 23:
        return ReleaseOne();
      case 24:
        return LeaseSome();
      case 25:
        return EndOneLease();
      case 26:
        return PruneSome();
      case 27:
        return StatOneManifest();
      case 28:
        return JumpClock();
      case 29:
        return RemoveOneById();
      default:
        return Restart();
    }
  }

  void PushWhole() {
    const std::string repository = PickRepository();
    const size_t payload = Below(kPayloads);
    Promise(repository, Push(repository, payloads_[payload]));
  }

  void PushPiece() {
    if (uploads_.empty() || (uploads_.size() < 5 && Below(2) == 0)) {
      const std::string repository = PickRepository();
      const auto begun = store().blobs.BeginUpload(repository, {});
      ASSERT_TRUE(begun.ok()) << begun.status();
      uploads_.push_back({repository, (*begun)->status().id, Below(kPayloads), 0});
      return;
    }
    const size_t place = Below(uploads_.size());
    Upload& upload = uploads_[place];
    auto open = store().blobs.ResumeUpload(upload.repository, upload.id);
    ASSERT_TRUE(open.ok()) << open.status();
    ASSERT_EQ((*open)->status().offset_bytes, upload.sent);
    const std::string& bytes = payloads_[upload.payload];
    const std::string piece = bytes.substr(upload.sent, 1 + Below(40'000));
    ASSERT_TRUE((*open)->Append(upload.sent, piece).ok());
    upload.sent += piece.size();
    if (upload.sent < bytes.size()) return;
    const auto info = (*open)->Commit(PayloadDigest(upload.payload), bytes.size());
    ASSERT_TRUE(info.ok()) << info.status();
    Promise(upload.repository, info->digest);
    uploads_.erase(uploads_.begin() + static_cast<std::ptrdiff_t>(place));
  }

  void PutImage() {
    ModelManifest manifest;
    ManifestParts parts;
    parts.config = PayloadDigest(Below(kPayloads));
    manifest.blobs = {*parts.config};
    for (size_t i = Below(4); i > 0; --i) {
      parts.layers.push_back(PayloadDigest(Below(kPayloads)));
      manifest.blobs.push_back(parts.layers.back());
    }
    // A few are too large to be kept inline.
    if (Below(10) == 0) parts.note = std::string(70'000, 'n');
    manifest.json = ManifestJson(parts);
    Put(manifest);
  }

  void PutIndex() {
    ModelManifest manifest;
    ManifestParts parts;
    parts.media_type = kMediaTypeOciIndex;
    for (size_t i = Below(4); i > 0; --i) {
      if (const auto child = PickManifest()) parts.children.push_back(*child);
    }
    manifest.children = parts.children;
    manifest.json = ManifestJson(parts);
    Put(manifest);
  }

  void Put(const ModelManifest& manifest) {
    const std::string name = PickRepository();
    ModelRepository& repository = repositories_[name];
    bool certain = true;
    bool children_there = true;
    for (const Digest& blob : manifest.blobs) certain = certain && IsHeld(repository, blob);
    for (const Digest& child : manifest.children) {
      children_there = children_there && repository.members.count(child) > 0;
    }
    PutManifestRequest request;
    request.bytes = manifest.json;
    if (Below(2) == 0) request.tags = {PickTag()};
    const auto put = store().manifests.PutManifest(name, request);
    if (!put.ok()) {
      EXPECT_EQ(put.status().code(), Code::kFailedPrecondition) << put.status();
      EXPECT_FALSE(certain && children_there) << put.status();
      return;
    }
    EXPECT_TRUE(children_there);
    EXPECT_EQ(put->digest, Sha256(manifest.json));  // which learns the size that an index states
    manifests_[put->digest] = manifest;
    repository.members.insert(put->digest);
    for (const std::string& tag : request.tags) repository.tags[tag] = put->digest;
    repository.exists = true;
  }

  void TagOne() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string name = PickRepository();
    ModelRepository& repository = repositories_[name];
    const std::string tag = PickTag();
    const absl::Status status = Able(Ability::kTagWithoutContent).manifests.Tag(name, tag, *digest);
    EXPECT_EQ(status.ok(), repository.members.count(*digest) > 0) << status;
    if (status.ok()) repository.tags[tag] = *digest;
  }

  // Whether it is the last tag, of any repository, of an image with a hold.
  bool IsLastOfHeld(const std::string& name, const std::string& tag) {
    const auto found = repositories_[name].tags.find(tag);
    if (found == repositories_[name].tags.end()) return false;
    const Digest& digest = found->second;
    return TagsInStore(digest) == 1 &&
           std::any_of(holds_.begin(), holds_.end(),
                       [&](const auto& hold) { return hold.second.second == digest; });
  }

  void UntagOne() {
    const std::string name = PickRepository();
    const std::string tag = PickTag();
    const bool force = Below(2) == 0;
    const absl::Status status = store().manifests.Untag(name, tag, force);
    if (!force && Can(Ability::kClaims) && IsLastOfHeld(name, tag)) {
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      return;
    }
    EXPECT_EQ(status.ok(), repositories_[name].tags.erase(tag) > 0) << status;
  }

  void DeleteOneManifest() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string name = PickRepository();
    ModelRepository& repository = repositories_[name];
    const absl::Status status =
        Able(Ability::kDeleteManifest).manifests.DeleteManifest(name, *digest);
    if (repository.members.count(*digest) > 0 &&
        (IsClaimedIn(name, *digest) || IsPartOfKept(name, *digest))) {
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      return;
    }
    EXPECT_EQ(status.ok(), repository.members.count(*digest) > 0) << status;
    Forget(repository, *digest);
  }

  void Restart() {
    if (Below(20) == 0) Reopen();
    if (!Can(Ability::kPowerCut)) return;
    if (Below(8) == 0) CutPower();
    if (Below(2) == 0) InterruptOne();
  }

  void HoldOne() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string where = Below(3) == 0 ? "" : PickRepository();
    const std::string name = StrCat("h", Below(kHolds));
    const bool listed =
        std::any_of(repositories_.begin(), repositories_.end(), [&](const auto& repository) {
          return (where.empty() || where == repository.first) &&
                 repository.second.members.count(*digest) > 0;
        });
    const auto before = holds_.find(name);
    const bool other = before != holds_.end() && before->second != std::make_pair(where, *digest);
    const absl::Status status =
        Able(Ability::kClaims).claims.CreateHold({name, where, *digest, 0}).status();
    if (!listed) {
      EXPECT_TRUE(absl::IsNotFound(status)) << status;
    } else if (other) {
      EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
    } else {
      EXPECT_TRUE(status.ok()) << status;
      holds_[name] = {where, *digest};
    }
  }

  void ReleaseOne() {
    const std::string name = StrCat("h", Below(kHolds));
    const absl::Status status = Able(Ability::kClaims).claims.ReleaseHold(name);
    EXPECT_EQ(status.ok(), holds_.erase(name) > 0) << status;
  }

  // Attaches a few digests; what is there now must stay until the lease ends.
  void LeaseSome() {
    Claims& claims = Able(Ability::kClaims).claims;
    const std::string id = StrCat("l", Below(kLeases));
    LeaseRequest request;
    request.id = id;
    request.ttl_nanos = kLeaseNanos;
    const auto lease = claims.CreateLease(request);
    EXPECT_EQ(lease.ok(), leases_.count(id) == 0) << lease.status();
    std::vector<Digest> contents = {PayloadDigest(Below(kPayloads))};
    if (const auto manifest = PickManifest()) contents.push_back(*manifest);
    const auto absent = claims.AttachToLease(id, contents);
    ASSERT_TRUE(absent.ok()) << absent.status();
    for (const Digest& digest : contents) {
      leases_[id].all.insert(digest);
      const bool is_absent = std::find(absent->begin(), absent->end(), digest) != absent->end();
      if (!is_absent) leases_[id].present.insert(digest);
    }
  }

  void EndOneLease() {
    const std::string id = StrCat("l", Below(kLeases));
    CompareLeased();
    const absl::Status status = Able(Ability::kClaims).claims.DeleteLease(id);
    EXPECT_EQ(status.ok(), leases_.erase(id) > 0) << status;
  }

  void StatOneManifest() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const std::string name = PickRepository();
    const absl::Status status = store().manifests.StatManifest(name, *digest).status();
    EXPECT_EQ(status.ok(), repositories_[name].members.count(*digest) > 0) << status;
  }

  void JumpClock() {
    if (Below(4) != 0) return;
    const bool back = jumped_ >= 3 * kHour || (jumped_ > -3 * kHour && Below(2) == 0);
    jumped_ += back ? -kHour : kHour;
    under_test().JumpWall(back ? -kHour : kHour);
    Reclaim();  // notices it
  }

  // Any prune, also while promises hold: what goes must have been allowed to.
  void PruneSome() {
    PruneRequest request;
    request.all = Below(2) == 0;
    std::string prefix;
    switch (Below(8)) {
      case 0:
        prefix = StrCat(PickRepository(), ":t");
        request.filters.push_back(StrCat("reference=", prefix, "[0-3]"));
        break;
      case 1:
        request.filters.push_back(StrCat("keep-last=", Below(4)));
        break;
      case 2:
        request.filters.push_back("unused-for=1h");
        break;
      case 3:
        request.filters.push_back(StrCat("until=", Below(48), "h"));
        break;
      case 4:
        request.filters.push_back(Below(2) == 0 ? "label!=team=a" : "label=team=a");
        break;
      case 5:
        request.filters.push_back(StrCat("dangling=", request.all ? "false" : "true"));
        break;
      default:
        break;
    }
    const bool by_name = !prefix.empty();
    const auto report =
        Able(Ability::kListImages).images.Prune(request, [&](const PruneStep& step) {
          if (step.kind != PruneStep::Kind::kRemoved) return true;
          const std::string& name = step.image.repository;
          const Digest& digest = step.image.manifest.digest;
          ModelRepository& repository = repositories_[name];
          EXPECT_EQ(repository.members.count(digest), 1u);
          EXPECT_FALSE(IsHeldByName(digest) || IsLeased(digest) || IsNamedAnywhere(digest));
          std::set<std::string> tags;
          for (const auto& [tag, named] : repository.tags) {
            if (named != digest) continue;
            tags.insert(StrCat(name, ":", tag));
            EXPECT_FALSE(by_name && (name != prefix.substr(0, 1) || tag > "t3")) << tag;
          }
          EXPECT_EQ(std::set<std::string>(step.untagged.begin(), step.untagged.end()), tags);
          if (!request.all) {
            EXPECT_FALSE(
                std::any_of(repositories_.begin(), repositories_.end(),
                            [&](const auto& other) { return HasTag(other.second, digest); }));
          }
          Forget(repository, digest);
          return true;
        });
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->skipped, 0u);
  }

  void DeleteOneBlob() {
    const std::string name = PickRepository();
    const Digest digest = PayloadDigest(Below(kPayloads));
    const absl::Status status = Able(Ability::kDeleteBlob).blobs.DeleteBlob(name, digest);
    EXPECT_EQ(absl::IsFailedPrecondition(status), IsNamed(repositories_[name], digest)) << status;
  }

  void MountOne() {
    const std::string from = PickRepository();
    const std::string to = PickRepository();
    const Digest digest = PayloadDigest(Below(kPayloads));
    const bool certain = IsNamed(repositories_[from], digest);
    const auto info = Able(Ability::kMountBlob).blobs.MountBlob(to, digest, from);
    EXPECT_TRUE(info.ok() || !certain) << info.status();
    if (info.ok()) Promise(to, digest);
  }

  void StatOne() {
    const std::string name = PickRepository();
    const Digest digest = PayloadDigest(Below(kPayloads));
    const auto info = store().blobs.StatBlob(name, digest);
    EXPECT_TRUE(info.ok() || !IsNamed(repositories_[name], digest)) << info.status();
    if (info.ok()) Promise(name, digest);
  }

  // As TagFrom does it: children first; false where that ends with an error.
  bool Copy(const ModelRepository& from, ModelRepository& to, const Digest& digest, size_t depth,
            std::set<Digest>* done) {
    for (const Digest& child : manifests_[digest].children) {
      if (!done->insert(child).second) continue;
      if (depth == kMaxIndexDepth) return false;
      if (from.members.count(child) > 0 && !Copy(from, to, child, depth + 1, done)) return false;
    }
    for (const Digest& child : manifests_[digest].children) {
      if (to.members.count(child) == 0) return false;
    }
    to.members.insert(digest);
    to.exists = true;
    for (const Digest& blob : manifests_[digest].blobs) to.promises.erase(blob);
    return true;
  }

  void TagFromOne() {
    const auto digest = PickManifest();
    const std::string from = PickRepository();
    const std::string to = PickRepository();
    if (!digest.has_value() || from == to) return;
    const std::string tag = PickTag();
    std::set<Digest> done;
    const bool there = repositories_[from].members.count(*digest) > 0;
    const bool copied = there && Copy(repositories_[from], repositories_[to], *digest, 0, &done);
    const absl::Status status = Able(Ability::kListImages).images.TagFrom(from, *digest, to, tag);
    EXPECT_EQ(status.ok(), copied) << status;
    EXPECT_EQ(absl::IsNotFound(status), !there) << status;
    if (copied) repositories_[to].tags[tag] = *digest;
  }

  // `rmi` by digest: from every repository, unless something there needs it.
  void RemoveOneById() {
    const auto digest = PickManifest();
    if (!digest.has_value()) return;
    const bool force = Below(2) == 0;
    const auto removed = Able(Ability::kListImages).images.RemoveImage(digest->ToString(), force);
    std::vector<std::string> places;
    bool needed = !force && TagsInStore(*digest) > 1;
    for (const auto& [name, repository] : repositories_) {
      if (repository.members.count(*digest) == 0) continue;
      places.push_back(name);
      needed = needed || IsClaimedIn(name, *digest) || IsNamed(repository, *digest);
    }
    if (places.empty()) {
      EXPECT_TRUE(absl::IsNotFound(removed.status())) << removed.status();
      return;
    }
    if (needed) {
      EXPECT_TRUE(absl::IsFailedPrecondition(removed.status())) << removed.status();
      return;
    }
    ASSERT_TRUE(removed.ok()) << removed.status();
    const std::set<std::string> told(removed->deleted.begin(), removed->deleted.end());
    std::set<std::string> deleted;
    for (const std::string& name : places) {
      Forget(repositories_[name], *digest);
      deleted.insert(StrCat(name, "@", digest->ToString()));
      FollowDeletion(name, manifests_[*digest].children, told, &deleted);
    }
    EXPECT_EQ(told, deleted);
  }

  // What only the deleted image needed goes with it, unless a promise covers it: the model does not
  // know of those.
  void FollowDeletion(const std::string& name, std::vector<Digest> waiting,
                      const std::set<std::string>& told, std::set<std::string>* deleted) {
    ModelRepository& repository = repositories_[name];
    while (!waiting.empty()) {
      const Digest digest = waiting.back();
      waiting.pop_back();
      if (HasTag(repository, digest) || IsNamed(repository, digest)) continue;
      if (IsClaimedIn(name, digest)) continue;
      const std::string at = StrCat(name, "@", digest.ToString());
      if (told.count(at) == 0) continue;
      if (repository.members.erase(digest) == 0) continue;
      deleted->insert(at);
      for (const Digest& child : manifests_[digest].children) waiting.push_back(child);
    }
  }

  // `rmi` of a tag: what nothing of the repository needs any more goes with it.
  void RemoveOneTag() {
    const std::string name = PickRepository();
    const std::string tag = PickTag();
    ModelRepository& repository = repositories_[name];
    const auto removed =
        Able(Ability::kListImages).images.RemoveImage(StrCat(name, ":", tag), /*force=*/false);
    const auto found = repository.tags.find(tag);
    if (IsLastOfHeld(name, tag)) {
      ASSERT_TRUE(absl::IsFailedPrecondition(removed.status())) << removed.status();
      return;
    }
    ASSERT_EQ(removed.ok(), found != repository.tags.end()) << removed.status();
    if (!removed.ok()) return;
    const Digest named = found->second;
    const std::set<std::string> told(removed->deleted.begin(), removed->deleted.end());
    repository.tags.erase(found);
    std::set<std::string> deleted;
    const bool needed =
        HasTag(repository, named) || IsNamed(repository, named) || IsClaimedIn(name, named);
    if (!needed) {
      repository.members.erase(named);
      deleted.insert(StrCat(name, "@", named.ToString()));
      FollowDeletion(name, manifests_[named].children, told, &deleted);
    }
    EXPECT_EQ(told, deleted);
  }
};

// The store in memory goes through 100,000 of them in both together.
int Operations(const StoreFactory& store) {
  return store.name == "Memory" ? 50'000 : store.random_steps;
}

TEST_P(StoreModelTest, FixedSeed) { Run(20'260'001, Operations(GetParam())); }

TEST_P(StoreModelTest, FreshSeed) {
  const uint64_t seed = FreshSeed();
  RecordProperty("seed", StrCat(seed));
  Run(seed, Operations(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreModelTest, testing::ValuesIn(ModelStores()), StoreName);

}  // namespace
}  // namespace varve
