#include "tests/daemon/http/fake_store.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {
namespace {

class MemoryFile : public ReadableBytes {
 public:
  MemoryFile(std::string bytes, bool hide_descriptor)
      : bytes_(std::move(bytes)), fd_(hide_descriptor ? -1 : memfd_create("blob", MFD_CLOEXEC)) {
    if (fd_ >= 0) (void)!write(fd_, bytes_.data(), bytes_.size());
  }
  ~MemoryFile() override {
    if (fd_ >= 0) close(fd_);
  }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t n = std::min(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, n);
    return n;
  }
  int descriptor() const override { return fd_; }

 private:
  const std::string bytes_;
  const int fd_;
};

}  // namespace

class FakeUpload : public OpenUpload {
 public:
  FakeUpload(FakeStore& store, std::string id) : store_(store), id_(std::move(id)) {}
  ~FakeUpload() override {
    MutexLock lock(store_.mutex_);
    const auto found = store_.uploads_.find(id_);
    if (found != store_.uploads_.end()) found->second.held = false;
  }
  UploadStatus status() const override {
    MutexLock lock(store_.mutex_);
    const auto found = store_.uploads_.find(id_);
    const size_t size = found == store_.uploads_.end() ? 0 : found->second.bytes.size();
    return UploadStatus{id_, size, 0, 0};
  }
  absl::Status Expect(uint64_t) override {
    MutexLock lock(store_.mutex_);
    return store_.Injected("Expect");
  }
  absl::Status Append(uint64_t offset, std::string_view bytes) override {
    MutexLock lock(store_.mutex_);
    if (absl::Status status = store_.Injected("Append"); !status.ok()) {
      if (!absl::IsResourceExhausted(status)) store_.uploads_.erase(id_);
      return status;
    }
    FakeStore::Upload& upload = store_.uploads_.at(id_);
    if (offset != upload.bytes.size()) return absl::OutOfRangeError("wrong offset");
    upload.bytes.append(bytes);
    upload.checkpointed = false;
    return absl::OkStatus();
  }
  absl::Status Restart() override {
    MutexLock lock(store_.mutex_);
    store_.uploads_.at(id_).bytes.clear();
    return absl::OkStatus();
  }
  absl::Status Checkpoint() override {
    MutexLock lock(store_.mutex_);
    store_.uploads_.at(id_).checkpointed = true;
    return store_.Injected("Checkpoint");
  }
  absl::StatusOr<BlobInfo> Commit(const Digest& expected, std::optional<uint64_t>) override {
    MutexLock lock(store_.mutex_);
    RETURN_IF_ERROR(store_.Injected("Commit"));
    FakeStore::Upload upload = std::move(store_.uploads_.at(id_));
    store_.uploads_.erase(id_);
    if (HashBytes(expected.algorithm(), upload.bytes) != expected) {
      return absl::InvalidArgumentError("the bytes do not have this digest");
    }
    store_.links_.insert({upload.repository, expected});
    store_.blobs_[expected] = std::move(upload.bytes);
    return store_.Find(upload.repository, expected);
  }
  absl::Status Abort() override {
    MutexLock lock(store_.mutex_);
    store_.uploads_.erase(id_);
    return absl::OkStatus();
  }

 private:
  FakeStore& store_;
  const std::string id_;
};

void FakeStore::FailNext(const std::string& operation, absl::Status status) {
  MutexLock lock(mutex_);
  failures_[operation] = std::move(status);
}

absl::Status FakeStore::Injected(const std::string& operation) {
  const auto found = failures_.find(operation);
  if (found == failures_.end()) return absl::OkStatus();
  absl::Status status = std::move(found->second);
  failures_.erase(found);
  return status;
}

std::string FakeStore::last_client() const {
  MutexLock lock(mutex_);
  return last_client_;
}

size_t FakeStore::uploads() const {
  MutexLock lock(mutex_);
  return uploads_.size();
}

std::string FakeStore::CheckpointedBytes() const {
  MutexLock lock(mutex_);
  if (uploads_.size() != 1) return "not one upload";
  const Upload& upload = uploads_.begin()->second;
  return upload.checkpointed ? upload.bytes : "not checkpointed";
}

absl::StatusOr<BlobInfo> FakeStore::Find(std::string_view repository, const Digest& digest) {
  const auto found = blobs_.find(digest);
  if (found == blobs_.end() || links_.count({std::string(repository), digest}) == 0) {
    return absl::NotFoundError("no such blob");
  }
  return BlobInfo{digest, found->second.size(), 0};
}

absl::StatusOr<BlobInfo> FakeStore::StatBlob(std::string_view repository, const Digest& digest) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("StatBlob"));
  return Find(repository, digest);
}

absl::StatusOr<BlobReader> FakeStore::OpenBlob(std::string_view repository, const Digest& digest) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("OpenBlob"));
  BlobReader reader;
  ASSIGN_OR_RETURN(reader.info, Find(repository, digest));
  const std::string& bytes = blobs_.at(digest);
  if (bytes.size() <= kMaxInlineBlobBytes) {
    reader.bytes = std::make_unique<BytesInMemory>(bytes);
  } else {
    reader.bytes = std::make_unique<MemoryFile>(bytes, hide_descriptors_);
  }
  return reader;
}

absl::StatusOr<BlobInfo> FakeStore::MountBlob(std::string_view repository, const Digest& digest,
                                              std::optional<std::string_view> from) {
  MutexLock lock(mutex_);
  if (blobs_.count(digest) == 0) return absl::NotFoundError("no such blob");
  if (from.has_value()) RETURN_IF_ERROR(Find(*from, digest).status());
  links_.insert({std::string(repository), digest});
  return Find(repository, digest);
}

absl::Status FakeStore::DeleteBlob(std::string_view repository, const Digest& digest) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("DeleteBlob"));
  RETURN_IF_ERROR(Find(repository, digest).status());
  links_.erase({std::string(repository), digest});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<OpenUpload>> FakeStore::BeginUpload(std::string_view repository,
                                                                   UploadOptions options) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("BeginUpload"));
  if (options.id.empty()) options.id = StrCat("upload-", next_id_++);
  last_client_ = options.client;
  uploads_[options.id] = Upload{std::string(repository), "", true, false};
  return std::unique_ptr<OpenUpload>(std::make_unique<FakeUpload>(*this, options.id));
}

absl::StatusOr<std::unique_ptr<OpenUpload>> FakeStore::ResumeUpload(std::string_view repository,
                                                                    std::string_view id) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("ResumeUpload"));
  const auto found = uploads_.find(std::string(id));
  if (found == uploads_.end() || found->second.repository != repository) {
    return absl::NotFoundError("no such upload");
  }
  if (found->second.held) return absl::AbortedError("another request works on this upload");
  found->second.held = true;
  return std::unique_ptr<OpenUpload>(std::make_unique<FakeUpload>(*this, std::string(id)));
}

absl::StatusOr<ManifestInfo> FakeStore::PutManifest(std::string_view repository,
                                                    const PutManifestRequest& request) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("PutManifest"));
  ASSIGN_OR_RETURN(ParsedManifest parsed, ParseManifest(request.bytes, request.media_type));
  const Digest digest =
      HashBytes(request.expected.has_value() ? request.expected->algorithm() : request.algorithm,
                request.bytes);
  if (request.expected.has_value() && *request.expected != digest) {
    return absl::InvalidArgumentError("wrong digest");
  }
  std::vector<Descriptor> needed = parsed.layers;
  if (parsed.config.has_value()) needed.push_back(*parsed.config);
  for (const Descriptor& descriptor : needed) {
    if (descriptor.foreign || Find(repository, descriptor.digest).ok()) continue;
    absl::Status missing = absl::FailedPreconditionError("the manifest names an absent blob");
    missing.SetPayload(kMissingDigestPayload, absl::Cord(descriptor.digest.ToString()));
    return missing;
  }
  Manifest manifest;
  manifest.bytes = std::string(request.bytes);
  manifest.info.digest = digest;
  manifest.info.media_type = parsed.media_type;
  manifest.info.artifact_type = parsed.artifact_type;
  manifest.info.size_bytes = request.bytes.size();
  if (parsed.subject.has_value()) manifest.info.subject = parsed.subject->digest;
  const ManifestInfo info = manifest.info;
  manifests_[{std::string(repository), digest}] = {std::move(manifest), std::move(parsed)};
  for (const std::string& tag : request.tags) tags_[{std::string(repository), tag}] = digest;
  return info;
}

absl::StatusOr<Manifest> FakeStore::FindManifest(std::string_view repository,
                                                 const ManifestReference& reference) {
  Digest digest;
  if (const auto* tag = std::get_if<std::string>(&reference)) {
    const auto found = tags_.find({std::string(repository), *tag});
    if (found == tags_.end()) return absl::NotFoundError("no such tag");
    digest = found->second;
  } else {
    digest = std::get<Digest>(reference);
  }
  const auto found = manifests_.find({std::string(repository), digest});
  if (found == manifests_.end()) return absl::NotFoundError("no such manifest");
  return found->second.first;
}

absl::StatusOr<Manifest> FakeStore::GetManifest(std::string_view repository,
                                                const ManifestReference& reference) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(Injected("GetManifest"));
  return FindManifest(repository, reference);
}

absl::StatusOr<ManifestInfo> FakeStore::StatManifest(std::string_view repository,
                                                     const ManifestReference& reference) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const Manifest manifest, FindManifest(repository, reference));
  return manifest.info;
}

absl::Status FakeStore::DeleteManifest(std::string_view repository, const Digest& digest) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(FindManifest(repository, digest).status());
  manifests_.erase({std::string(repository), digest});
  for (auto it = tags_.begin(); it != tags_.end();) {
    const bool gone = it->first.first == repository && it->second == digest;
    it = gone ? tags_.erase(it) : std::next(it);
  }
  return absl::OkStatus();
}

absl::Status FakeStore::Tag(std::string_view repository, std::string_view tag,
                            const Digest& digest) {
  MutexLock lock(mutex_);
  tags_[{std::string(repository), std::string(tag)}] = digest;
  return absl::OkStatus();
}

absl::Status FakeStore::Untag(std::string_view repository, std::string_view tag, bool /*force*/) {
  MutexLock lock(mutex_);
  if (tags_.erase({std::string(repository), std::string(tag)}) > 0) return absl::OkStatus();
  return absl::NotFoundError("no such tag");
}

absl::StatusOr<Page<TagInfo>> FakeStore::ListTags(std::string_view repository,
                                                  const PageRequest& page) {
  MutexLock lock(mutex_);
  Page<TagInfo> result;
  bool exists = false;
  for (const auto& [key, digest] : tags_) {
    if (key.first != repository) continue;
    exists = true;
    if (key.second <= page.after) continue;
    result.more = result.rows.size() == page.limit;
    if (result.more) break;
    result.rows.push_back(TagInfo{key.second, digest, 0});
  }
  if (!exists) return absl::NotFoundError("no such repository");
  return result;
}

absl::StatusOr<uint64_t> FakeStore::TagsVersion(std::string_view repository) {
  RETURN_IF_ERROR(ListTags(repository, {}).status());
  MutexLock lock(mutex_);
  return ++tags_version_;
}

absl::StatusOr<Page<std::string>> FakeStore::ListRepositories(const PageRequest& page) {
  MutexLock lock(mutex_);
  std::set<std::string> names;
  for (const auto& [key, manifest] : manifests_) names.insert(key.first);
  Page<std::string> result;
  for (const std::string& name : names) {
    if (name <= page.after) continue;
    result.more = result.rows.size() == page.limit;
    if (result.more) break;
    result.rows.push_back(name);
  }
  return result;
}

absl::StatusOr<Page<ReferrerInfo>> FakeStore::ListReferrers(std::string_view repository,
                                                            const Digest& subject,
                                                            std::string_view artifact_type,
                                                            const PageRequest& page) {
  MutexLock lock(mutex_);
  std::map<std::string, ReferrerInfo> all;
  bool exists = false;
  for (const auto& [key, entry] : manifests_) {
    if (key.first != repository) continue;
    exists = true;
    const ManifestInfo& info = entry.first.info;
    if (info.subject != subject) continue;
    if (!artifact_type.empty() && info.artifact_type != artifact_type) continue;
    all[info.digest.ToString()] = ReferrerInfo{info, entry.second.annotations_json};
  }
  if (!exists) return absl::NotFoundError("no such repository");
  Page<ReferrerInfo> result;
  for (const auto& [digest, referrer] : all) {
    if (digest <= page.after) continue;
    result.more = result.rows.size() == page.limit;
    if (result.more) break;
    result.rows.push_back(referrer);
  }
  return result;
}

}  // namespace varve
