// A Store in memory for tests of the HTTP door, with errors that a real one gives only on a broken
// disk. Thread-safe. It knows visibility, uploads, manifests, tags and referrers, and no promises.
#ifndef VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_
#define VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/image/manifest.h"
#include "tests/support/unplayed_store.h"

namespace varve {

class FakeStore : public UnplayedStore {
 public:
  struct Upload {
    std::string repository;
    std::string bytes;
    bool held = false;
    bool checkpointed = false;
  };

  // The next call of `operation` ("OpenBlob", "Append", "Expect", "Commit", …) answers `status`.
  void FailNext(const std::string& operation, absl::Status status);
  // Blobs over the inline limit are served from a file without a descriptor for sendfile.
  void set_hide_descriptors(bool hide) { hide_descriptors_ = hide; }
  void set_health(StoreHealth health) { health_ = health; }
  size_t uploads() const;
  // Whom the last upload that was begun counts for.
  std::string last_client() const;
  // The bytes of the only upload, which must have been checkpointed since the last of them.
  std::string CheckpointedBytes() const;

  absl::StatusOr<BlobInfo> StatBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<BlobReader> OpenBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<BlobInfo> MountBlob(std::string_view repository, const Digest& digest,
                                     std::optional<std::string_view> from) override;
  absl::Status DeleteBlob(std::string_view repository, const Digest& digest) override;
  absl::StatusOr<std::unique_ptr<OpenUpload>> BeginUpload(std::string_view repository,
                                                          UploadOptions options) override;
  absl::StatusOr<std::unique_ptr<OpenUpload>> ResumeUpload(std::string_view repository,
                                                           std::string_view id) override;
  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override;
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override;
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override;
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest) override;
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override;
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override;
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                         const PageRequest& page) override;
  // Never the same: nothing is used again.
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) override;
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override;
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override;
  StoreHealth Health() override { return health_; }

 private:
  friend class FakeUpload;
  std::atomic<StoreHealth> health_ = StoreHealth::kReady;
  using Key = std::pair<std::string, Digest>;

  absl::Status Injected(const std::string& operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<BlobInfo> Find(std::string_view repository, const Digest& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Manifest> FindManifest(std::string_view repository,
                                        const ManifestReference& reference)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool hide_descriptors_ = false;
  mutable Mutex mutex_;
  std::map<std::string, absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, std::string> blobs_ ABSL_GUARDED_BY(mutex_);
  std::set<Key> links_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, std::pair<Manifest, ParsedManifest>> manifests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, Digest> tags_ ABSL_GUARDED_BY(mutex_);
  uint64_t tags_version_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::string last_client_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_HTTP_FAKE_STORE_H_
