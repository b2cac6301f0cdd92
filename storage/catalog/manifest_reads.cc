#include "storage/catalog/manifest_reads.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/cord.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kDamagedPayload[] = "varve/damaged";
constexpr Promises::Answer kManifestRead = Promises::Answer::kManifestRead;

absl::Status UnknownManifest(std::string_view repository, const ManifestReference& reference) {
  const auto* digest = std::get_if<Digest>(&reference);
  return absl::NotFoundError(
      StrCat("manifest ", digest != nullptr ? digest->ToString() : std::get<std::string>(reference),
             " is not known in repository ", ShownName(repository)));
}

// Of a manifest that the repository has, and whose bytes are gone or damaged: it counts as absent,
// so that the next push of it heals it.
absl::Status DamagedManifest(const Digest& digest) {
  absl::Status status =
      absl::NotFoundError(StrCat("the stored bytes of manifest ", digest.ToString(),
                                 " are damaged, so that it counts as absent; push it again"));
  status.SetPayload(kDamagedPayload, absl::Cord());
  return status;
}

bool NamesNothing(const absl::Status& status) {
  return absl::IsNotFound(status) && !status.GetPayload(kDamagedPayload).has_value();
}

}  // namespace

absl::StatusOr<Manifest> ManifestReads::Get(std::string_view repository,
                                            const ManifestReference& reference) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  return parts_.repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<Manifest> {
        absl::StatusOr<Manifest> manifest = GetIn(found.id, reference);
        if (NamesNothing(manifest.status())) return UnknownManifest(repository, reference);
        if (manifest.ok()) parts_.events.TellPull(found, reference, manifest->info.digest);
        return manifest;
      });
}

absl::StatusOr<ManifestInfo> ManifestReads::Stat(std::string_view repository,
                                                 const ManifestReference& reference) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  return parts_.repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<ManifestInfo> {
        absl::StatusOr<ManifestInfo> info = StatIn(found.id, reference);
        if (!NamesNothing(info.status())) return info;
        return UnknownManifest(repository, reference);
      });
}

absl::StatusOr<Manifest> ManifestReads::GetIn(RepositoryId repository,
                                              const ManifestReference& reference) {
  Manifest manifest;
  ASSIGN_OR_RETURN(manifest.info, PromiseMember(repository, reference));
  absl::StatusOr<std::string> bytes = parts_.blobs.ReadAll(manifest.info.digest, kMaxManifestBytes);
  if (absl::IsNotFound(bytes.status())) return DamagedManifest(manifest.info.digest);
  RETURN_IF_ERROR(bytes.status());
  manifest.bytes = *std::move(bytes);
  parts_.pull_times.Note(repository, manifest.info.digest);
  return manifest;
}

absl::StatusOr<ManifestInfo> ManifestReads::StatIn(RepositoryId repository,
                                                   const ManifestReference& reference) {
  ASSIGN_OR_RETURN(ManifestInfo info, PromiseMember(repository, reference));
  ASSIGN_OR_RETURN(const std::optional<BlobRow> row, parts_.blobs.Find(info.digest));
  if (!row.has_value()) return DamagedManifest(info.digest);
  return info;
}

absl::StatusOr<ManifestInfo> ManifestReads::PromiseMember(RepositoryId repository,
                                                          const ManifestReference& reference) {
  // Granted first, read after: see Promises. What a client names by its digest may be anything: no
  // promise is made of what is not here.
  if (const auto* digest = std::get_if<Digest>(&reference)) {
    const int64_t began = parts_.clock.MonotonicNanos();
    ASSIGN_OR_RETURN(ManifestInfo info, parts_.members.Read(repository, *digest));
    ASSIGN_OR_RETURN(const bool was_promised,
                     parts_.promises.Grant(repository, *digest, kManifestRead, began));
    if (was_promised) return info;
    return parts_.members.Read(repository, *digest);
  }
  ASSIGN_OR_RETURN(const Digest tagged,
                   parts_.tags.Find(repository, std::get<std::string>(reference)));
  RETURN_IF_ERROR(parts_.promises.Grant(repository, tagged, kManifestRead).status());
  return parts_.members.Read(repository, tagged);
}

}  // namespace varve
