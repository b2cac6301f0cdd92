// A call that names a lease: everything it adds or asks for is attached to the lease before the
// call does its work. A lease keeps what is not here yet as soon as it comes, so there is no moment
// in which the content is here and not kept. Both doors share this. Without a lease ("") nothing is
// attached. Thread-safe.
//
// Errors: those of the calls themselves, and FailedPrecondition when there is no such lease (any
// more); NotFound would be about what was asked for.
//
// Attaching is a transaction of its own and not part of the one that makes content visible: a
// commit guards the content's row first, attaching guards the lease's row first, and one that did
// both would wait for the other in a circle. Uploads of one lease that end together would also
// hold each other up for the time of a sync.
#ifndef VARVE_DAEMON_LEASED_CALL_H_
#define VARVE_DAEMON_LEASED_CALL_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"

namespace varve {

// Attaches `contents`; with none, checks that the lease is there.
absl::Status AttachTo(Claims& claims, std::string_view lease, absl::Span<const Digest> contents);

// Manifests as a call that works under `lease` sees them. What is told of a tag is of a manifest
// that was attached before it was read. All that it is made of must outlive it.
class LeasedManifests final : public Manifests {
 public:
  LeasedManifests(Manifests& manifests, Claims& claims, std::string_view lease)
      : manifests_(manifests), claims_(claims), lease_(lease) {}

  absl::StatusOr<ManifestInfo> PutManifest(std::string_view repository,
                                           const PutManifestRequest& request) override;
  absl::StatusOr<Manifest> GetManifest(std::string_view repository,
                                       const ManifestReference& reference) override;
  absl::StatusOr<ManifestInfo> StatManifest(std::string_view repository,
                                            const ManifestReference& reference) override;
  absl::Status Tag(std::string_view repository, std::string_view tag,
                   const Digest& digest) override;

  // What removes, lists or counts attaches nothing.
  absl::Status DeleteManifest(std::string_view repository, const Digest& digest) override {
    return manifests_.DeleteManifest(repository, digest);
  }
  absl::Status Untag(std::string_view repository, std::string_view tag, bool force) override {
    return manifests_.Untag(repository, tag, force);
  }
  absl::StatusOr<Page<TagInfo>> ListTags(std::string_view repository,
                                         const PageRequest& page) override {
    return manifests_.ListTags(repository, page);
  }
  absl::StatusOr<uint64_t> TagsVersion(std::string_view repository) override {
    return manifests_.TagsVersion(repository);
  }
  absl::StatusOr<Page<ReferrerInfo>> ListReferrers(std::string_view repository,
                                                   const Digest& subject,
                                                   std::string_view artifact_type,
                                                   const PageRequest& page) override {
    return manifests_.ListReferrers(repository, subject, artifact_type, page);
  }
  absl::StatusOr<Page<std::string>> ListRepositories(const PageRequest& page) override {
    return manifests_.ListRepositories(page);
  }
  absl::StatusOr<RepositoryInfo> DescribeRepository(std::string_view repository) override {
    return manifests_.DescribeRepository(repository);
  }
  absl::StatusOr<RepositoryMerge> MergeRepositories(std::string_view from, std::string_view into,
                                                    bool force) override {
    return manifests_.MergeRepositories(from, into, force);
  }

 private:
  // What `read` answers about a manifest that was attached before.
  template <typename Answer, typename Read>
  absl::StatusOr<Answer> ReadAttached(std::string_view repository,
                                      const ManifestReference& reference, const Read& read);

  Manifests& manifests_;
  Claims& claims_;
  const std::string_view lease_;
};

}  // namespace varve

#endif  // VARVE_DAEMON_LEASED_CALL_H_
