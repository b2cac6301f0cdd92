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

}  // namespace

absl::Status AttachTo(Claims& claims, std::string_view lease, absl::Span<const Digest> contents) {
  if (lease.empty()) return absl::OkStatus();
  const absl::Status status = claims.AttachToLease(lease, contents).status();
  if (!absl::IsNotFound(status)) return status;
  return absl::FailedPreconditionError(
      StrCat("there is no lease ", lease, " (any more); create one and begin again"));
}

absl::StatusOr<ManifestInfo> LeasedManifests::PutManifest(std::string_view repository,
                                                          const PutManifestRequest& request) {
  if (!lease_.empty()) {
    const Digest digest = request.expected.has_value()
                              ? *request.expected
                              : HashBytes(request.algorithm, request.bytes);
    RETURN_IF_ERROR(AttachTo(claims_, lease_, {digest}));
  }
  return manifests_.PutManifest(repository, request);
}

absl::StatusOr<Manifest> LeasedManifests::GetManifest(std::string_view repository,
                                                      const ManifestReference& reference) {
  return ReadAttached<Manifest>(repository, reference,
                                [&] { return manifests_.GetManifest(repository, reference); });
}

absl::StatusOr<ManifestInfo> LeasedManifests::StatManifest(std::string_view repository,
                                                           const ManifestReference& reference) {
  return ReadAttached<ManifestInfo>(repository, reference,
                                    [&] { return manifests_.StatManifest(repository, reference); });
}

absl::Status LeasedManifests::Tag(std::string_view repository, std::string_view tag,
                                  const Digest& digest) {
  RETURN_IF_ERROR(AttachTo(claims_, lease_, {digest}));
  return manifests_.Tag(repository, tag, digest);
}

template <typename Answer, typename Read>
absl::StatusOr<Answer> LeasedManifests::ReadAttached(std::string_view repository,
                                                     const ManifestReference& reference,
                                                     const Read& read) {
  if (lease_.empty()) return read();
  if (const auto* digest = std::get_if<Digest>(&reference)) {
    RETURN_IF_ERROR(AttachTo(claims_, lease_, {*digest}));
    return read();
  }
  // First, so that a lease that is gone is what the call fails for.
  RETURN_IF_ERROR(AttachTo(claims_, lease_, {}));
  ASSIGN_OR_RETURN(const ManifestInfo named, manifests_.StatManifest(repository, reference));
  Digest attached = named.digest;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    RETURN_IF_ERROR(AttachTo(claims_, lease_, {attached}));
    absl::StatusOr<Answer> answer = read();
    if (!answer.ok() || DigestOf(*answer) == attached) return answer;
    attached = DigestOf(*answer);
  }
  return absl::UnavailableError("the tag moves all the time; try again");
}

}  // namespace varve
