#include "tests/crash/model.h"

#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

std::string Shown(const std::string& repository, const Digest& digest) {
  return StrCat(repository, "@", digest.ToString().substr(0, 19));
}

}  // namespace

void Model::PushBlob(const std::string& repository, const Digest& blob) {
  blobs_[{repository, blob}] = Presence::kCertain;
}

void Model::DeleteBlob(const std::string& repository, const Digest& blob) {
  blobs_[{repository, blob}] = Presence::kAbsent;
}

void Model::PutManifest(const std::string& repository, const TestManifest& manifest,
                        const std::vector<std::string>& tags) {
  manifests_[{repository, manifest.digest}] = manifest;
  for (const Digest& blob : manifest.blobs) PushBlob(repository, blob);
  for (const std::string& tag : tags) Tag(repository, tag, manifest.digest);
}

void Model::DeleteManifest(const std::string& repository, const Digest& manifest) {
  const auto deleted = manifests_.find({repository, manifest});
  if (deleted != manifests_.end()) {
    const std::vector<Digest> blobs = std::move(deleted->second.blobs);
    manifests_.erase(deleted);
    // What it alone named, and nobody was promised, is shown no more.
    const std::set<Digest> named = Named();
    for (const Digest& blob : blobs) {
      Presence& presence = blobs_[{repository, blob}];
      if (presence == Presence::kCertain && !named.contains(blob)) presence = Presence::kPossible;
    }
  }
  for (auto tag = tags_.begin(); tag != tags_.end();) {
    const bool gone = tag->first.first == repository && tag->second == manifest;
    tag = gone ? tags_.erase(tag) : std::next(tag);
  }
}

void Model::Tag(const std::string& repository, const std::string& tag, const Digest& manifest) {
  tags_[{repository, tag}] = manifest;
}

void Model::Untag(const std::string& repository, const std::string& tag) {
  tags_.erase({repository, tag});
}

std::set<Digest> Model::Named() const {
  std::set<Digest> named;
  for (const auto& [key, manifest] : manifests_) {
    named.insert(manifest.blobs.begin(), manifest.blobs.end());
  }
  return named;
}

void Model::Reclaim() {
  const std::set<Digest> named = Named();
  for (auto& [key, presence] : blobs_) {
    if (presence == Presence::kCertain && !named.contains(key.second)) {
      presence = Presence::kPossible;
    }
  }
}

void Model::Hold(const std::string& name, const Digest& manifest) { holds_[name] = manifest; }
void Model::ReleaseHold(const std::string& name) { holds_.erase(name); }
void Model::Lease(const std::string& id, const std::vector<Digest>& contents) {
  leases_[id].insert(contents.begin(), contents.end());
}
void Model::DeleteLease(const std::string& id) { leases_.erase(id); }

Presence Model::PresenceOf(const std::string& repository, const Digest& blob) const {
  const auto found = blobs_.find({repository, blob});
  return found == blobs_.end() ? Presence::kAbsent : found->second;
}

std::vector<std::string> Model::Differences(const Store& store, const Contents& contents) const {
  std::vector<std::string> differences;
  for (const std::string& repository : contents.repositories) {
    for (const auto& [digest, bytes] : contents.blobs) {
      CompareBlob(store.blobs, repository, digest, bytes, &differences);
    }
    for (const auto& [digest, manifest] : contents.manifests) {
      CompareManifest(store, repository, manifest, &differences);
      CompareReferrers(store.manifests, repository, digest, contents, &differences);
    }
    CompareTags(store.manifests, repository, &differences);
  }
  CompareClaims(store.claims, &differences);
  const absl::StatusOr<Page<std::string>> repositories =
      store.manifests.ListRepositories({.after = "", .limit = kMaxPageRows});
  if (!repositories.ok()) {
    differences.push_back(StrCat("repositories: ", repositories.status().ToString()));
    return differences;
  }
  for (const std::string& repository : repositories->rows) {
    if (!contents.repositories.contains(repository)) {
      differences.push_back(StrCat("repository ", repository, " was never pushed to"));
    }
  }
  return differences;
}

void Model::CompareBlob(Blobs& blobs, const std::string& repository, const Digest& blob,
                        const std::string& bytes, std::vector<std::string>* differences) const {
  const std::string name = StrCat("blob ", Shown(repository, blob));
  const Presence expected = PresenceOf(repository, blob);
  const absl::StatusOr<BlobInfo> info = blobs.StatBlob(repository, blob);
  if (absl::IsNotFound(info.status())) {
    if (expected == Presence::kCertain) differences->push_back(StrCat(name, " is gone"));
    if (blobs.OpenBlob(repository, blob).ok()) {
      differences->push_back(StrCat(name, " is absent to stat, present to open"));
    }
    return;
  }
  if (!info.ok()) {
    differences->push_back(StrCat(name, ": ", info.status().ToString()));
    return;
  }
  if (expected == Presence::kAbsent) differences->push_back(StrCat(name, " is visible"));
  if (info->size_bytes != bytes.size()) differences->push_back(StrCat(name, ": wrong size"));
  const absl::StatusOr<BlobReader> reader = blobs.OpenBlob(repository, blob);
  const absl::StatusOr<std::string> read =
      reader.ok() ? ReadWhole(*reader) : absl::StatusOr<std::string>(reader.status());
  if (!read.ok()) {
    differences->push_back(StrCat(name, " cannot be read: ", read.status().ToString()));
  } else if (*read != bytes) {
    differences->push_back(StrCat(name, " has other bytes than were pushed"));
  }
}

void Model::CompareManifest(const Store& store, const std::string& repository,
                            const TestManifest& manifest,
                            std::vector<std::string>* differences) const {
  const std::string name = StrCat("manifest ", Shown(repository, manifest.digest));
  const bool expected = manifests_.contains({repository, manifest.digest});
  const absl::StatusOr<Manifest> read = store.manifests.GetManifest(repository, manifest.digest);
  const absl::StatusOr<ManifestInfo> info =
      store.manifests.StatManifest(repository, manifest.digest);
  if (read.ok() != info.ok()) differences->push_back(StrCat(name, ": get and stat disagree"));
  if (absl::IsNotFound(read.status())) {
    if (expected) differences->push_back(StrCat(name, " is gone"));
    return;
  }
  if (!read.ok()) {
    differences->push_back(StrCat(name, ": ", read.status().ToString()));
    return;
  }
  if (!expected) differences->push_back(StrCat(name, " is visible"));
  if (read->bytes != manifest.bytes) {
    differences->push_back(StrCat(name, " has other bytes than were pushed"));
  }
  for (const Digest& blob : manifest.blobs) {
    if (!store.blobs.StatBlob(repository, blob).ok()) {
      differences->push_back(StrCat(name, " is visible without ", Shown(repository, blob)));
    }
  }
}

void Model::CompareTags(Manifests& manifests, const std::string& repository,
                        std::vector<std::string>* differences) const {
  std::map<std::string, Digest> expected;
  for (const auto& [key, digest] : tags_) {
    if (key.first == repository) expected[key.second] = digest;
  }
  std::map<std::string, Digest> found;
  const absl::StatusOr<Page<TagInfo>> tags =
      manifests.ListTags(repository, {.after = "", .limit = kMaxPageRows});
  if (!tags.ok() && !absl::IsNotFound(tags.status())) {
    differences->push_back(StrCat("tags of ", repository, ": ", tags.status().ToString()));
    return;
  }
  if (tags.ok()) {
    for (const TagInfo& tag : tags->rows) found[tag.name] = tag.digest;
  }
  for (const auto& [tag, digest] : found) {
    const absl::StatusOr<Manifest> manifest = manifests.GetManifest(repository, tag);
    if (!manifest.ok() || manifest->info.digest != digest) {
      differences->push_back(
          StrCat("tag ", repository, ":", tag, " leads nowhere: ", manifest.status().ToString()));
    }
    if (!expected.contains(tag)) {
      differences->push_back(StrCat("tag ", repository, ":", tag, " is visible"));
    }
  }
  for (const auto& [tag, digest] : expected) {
    const auto there = found.find(tag);
    if (there == found.end()) {
      differences->push_back(StrCat("tag ", repository, ":", tag, " is gone"));
    } else if (there->second != digest) {
      differences->push_back(StrCat("tag ", repository, ":", tag, " names ",
                                    Shown(repository, there->second), ", not ",
                                    Shown(repository, digest)));
    }
  }
}

void Model::CompareClaims(Claims& claims, std::vector<std::string>* differences) const {
  std::map<std::string, Digest> holds;
  const absl::StatusOr<Page<HoldInfo>> held =
      claims.ListHolds({.after = "", .limit = kMaxPageRows});
  const absl::StatusOr<Page<LeaseInfo>> leased =
      claims.ListLeases({.after = "", .limit = kMaxPageRows});
  if (!held.ok() || !leased.ok()) {
    differences->push_back("holds or leases cannot be listed");
    return;
  }
  for (const HoldInfo& hold : held->rows) holds[hold.name] = hold.manifest;
  if (holds != holds_) {
    differences->push_back(StrCat("there are ", holds.size(), " holds instead of ", holds_.size()));
  }
  std::map<std::string, uint64_t> leases;
  std::map<std::string, uint64_t> expected;
  for (const LeaseInfo& lease : leased->rows) leases[lease.id] = lease.contents;
  for (const auto& [id, contents] : leases_) expected[id] = contents.size();
  if (leases != expected) {
    differences->push_back(StrCat("there are ", leases.size(), " leases instead of ",
                                  expected.size(), ", or their contents differ"));
  }
}

void Model::CompareReferrers(Manifests& manifests, const std::string& repository,
                             const Digest& subject, const Contents& contents,
                             std::vector<std::string>* differences) const {
  std::set<Digest> expected;
  for (const auto& [digest, manifest] : contents.manifests) {
    if (manifest.subject == subject && manifests_.contains({repository, digest})) {
      expected.insert(digest);
    }
  }
  const absl::StatusOr<Page<ReferrerInfo>> referrers =
      manifests.ListReferrers(repository, subject, "", {.after = "", .limit = kMaxPageRows});
  std::set<Digest> found;
  if (referrers.ok()) {
    for (const ReferrerInfo& referrer : referrers->rows) found.insert(referrer.manifest.digest);
  } else if (!absl::IsNotFound(referrers.status())) {
    differences->push_back(StrCat("referrers: ", referrers.status().ToString()));
  }
  if (found != expected) {
    differences->push_back(StrCat("referrers of ", Shown(repository, subject), ": ", found.size(),
                                  " instead of ", expected.size()));
  }
}

}  // namespace varve
