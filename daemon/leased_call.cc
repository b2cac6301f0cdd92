#include "daemon/leased_call.h"

#include <variant>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

// A tag that moves more often than this between two reads is not worth waiting for.
constexpr int kMaxReads = 8;

const Digest& DigestOf(const Manifest& manifest) { return manifest.info.digest; }
const Digest& DigestOf(const ManifestInfo& info) { return info.digest; }

// What `read` answers about a manifest that was attached before.
template <typename Answer, typename Read>
absl::StatusOr<Answer> ReadAttached(Store& store, std::string_view lease,
                                    std::string_view repository, const ManifestReference& reference,
                                    const Read& read) {
  if (lease.empty()) return read();
  if (const auto* digest = std::get_if<Digest>(&reference)) {
    RETURN_IF_ERROR(AttachNamed(store, lease, {*digest}));
    return read();
  }
  // First, so that a lease that is gone is what the call fails for.
  RETURN_IF_ERROR(AttachNamed(store, lease, {}));
  ASSIGN_OR_RETURN(const ManifestInfo named, store.StatManifest(repository, reference));
  Digest attached = named.digest;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    RETURN_IF_ERROR(AttachNamed(store, lease, {attached}));
    absl::StatusOr<Answer> answer = read();
    if (!answer.ok() || DigestOf(*answer) == attached) return answer;
    attached = DigestOf(*answer);
  }
  return absl::UnavailableError("the tag moves all the time; try again");
}

}  // namespace

absl::Status AttachNamed(Store& store, std::string_view lease, absl::Span<const Digest> contents) {
  const absl::Status status = store.AttachToLease(lease, contents).status();
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(
      StrCat("there is no lease ", lease, " (any more); create one and begin again"));
}

absl::StatusOr<ManifestInfo> PutManifest(Store& store, std::string_view lease,
                                         std::string_view repository,
                                         const PutManifestRequest& request) {
  if (!lease.empty()) {
    const Digest digest = request.expected.has_value()
                              ? *request.expected
                              : HashBytes(request.algorithm, request.bytes);
    RETURN_IF_ERROR(AttachNamed(store, lease, {digest}));
  }
  return store.PutManifest(repository, request);
}

absl::StatusOr<Manifest> GetManifest(Store& store, std::string_view lease,
                                     std::string_view repository,
                                     const ManifestReference& reference) {
  return ReadAttached<Manifest>(store, lease, repository, reference,
                                [&] { return store.GetManifest(repository, reference); });
}

absl::StatusOr<ManifestInfo> StatManifest(Store& store, std::string_view lease,
                                          std::string_view repository,
                                          const ManifestReference& reference) {
  return ReadAttached<ManifestInfo>(store, lease, repository, reference,
                                    [&] { return store.StatManifest(repository, reference); });
}

}  // namespace varve
