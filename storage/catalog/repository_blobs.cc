#include "storage/catalog/repository_blobs.h"

#include <memory>
#include <string>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

constexpr size_t kPendingPageRows = 200;

absl::Status UnknownBlob(std::string_view repository, const Digest& digest) {
  if (repository.empty()) return absl::NotFoundError(StrCat("no such blob: ", digest.ToString()));
  return absl::NotFoundError(
      StrCat("blob ", digest.ToString(), " is not known in repository ", ShownName(repository)));
}

// The bytes of a blob that is being sent: as long as a door has them, its repository is being read.
class BytesBeingSent final : public ReadableBytes {
 public:
  BytesBeingSent(std::unique_ptr<ReadableBytes> bytes, RepositoryActivity::Reading reading)
      : bytes_(std::move(bytes)), reading_(std::move(reading)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<char> out) const override {
    return bytes_->ReadAt(offset, out);
  }
  uint64_t Available(uint64_t offset) const override { return bytes_->Available(offset); }
  std::string_view in_memory() const override { return bytes_->in_memory(); }
  int descriptor() const override { return bytes_->descriptor(); }

 private:
  const std::unique_ptr<ReadableBytes> bytes_;
  const RepositoryActivity::Reading reading_;
};

}  // namespace

absl::StatusOr<BlobInfo> RepositoryBlobs::Stat(std::string_view repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(std::optional<BlobRow> row, parts_.blobs.Find(digest));
  if (!row.has_value()) return UnknownBlob(repository, digest);
  ASSIGN_OR_RETURN(const bool visible, parts_.links.IsVisible(id, digest));
  if (!visible) return UnknownBlob(repository, digest);
  // Granted first, read after: see Promises.
  parts_.promises.NotePush();
  ASSIGN_OR_RETURN(const bool was_promised,
                   parts_.promises.Grant(id, digest, Promises::Answer::kContent, began));
  if (!was_promised) {
    ASSIGN_OR_RETURN(row, parts_.blobs.Find(digest));
  }
  if (!row.has_value()) return UnknownBlob(repository, digest);
  return BlobInfo{digest, row->size_bytes, row->created_nanos};
}

absl::StatusOr<std::vector<Digest>> RepositoryBlobs::FindMissing(std::string_view repository,
                                                                 absl::Span<const Digest> digests) {
  const absl::StatusOr<RepositoryId> id = parts_.repositories.Find(repository);
  if (absl::IsNotFound(id.status())) return std::vector<Digest>(digests.begin(), digests.end());
  RETURN_IF_ERROR(id.status());
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(const auto rows, parts_.blobs.FindMany(digests));
  ASSIGN_OR_RETURN(const std::vector<bool> visible, parts_.links.AreVisible(*id, digests));
  // Granted first, read after: see Promises.
  parts_.promises.NotePush();
  CheckInvariant(rows.size() == digests.size() && visible.size() == digests.size(),
                 "each digest that was asked for gets an answer");
  std::vector<bool> present(digests.size());
  std::vector<size_t> unsure;
  std::vector<Digest> read_again;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (!rows[i].has_value() || !visible[i]) continue;
    ASSIGN_OR_RETURN(present[i],
                     parts_.promises.Grant(*id, digests[i], Promises::Answer::kContent, began));
    if (present[i]) continue;
    unsure.push_back(i);
    read_again.push_back(digests[i]);
  }
  ASSIGN_OR_RETURN(const auto rows_now, parts_.blobs.FindMany(read_again));
  for (size_t i = 0; i < unsure.size(); ++i) present[unsure[i]] = rows_now[i].has_value();
  std::vector<Digest> missing;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (!present[i]) missing.push_back(digests[i]);
  }
  return missing;
}

absl::StatusOr<BlobReader> RepositoryBlobs::Open(std::string_view repository,
                                                 const Digest& digest) {
  return parts_.repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<BlobReader> {
        ASSIGN_OR_RETURN(const bool visible, parts_.links.IsVisible(found.id, digest));
        if (!visible) return UnknownBlob(repository, digest);
        ASSIGN_OR_RETURN(BlobReader reader, parts_.blobs.Open(digest));
        RepositoryActivity& activity = parts_.promises.activity();
        if (!reader.bytes->in_memory().empty()) {
          activity.NoteRead(found.id);  // all of it
        } else {
          reader.bytes = std::make_unique<BytesBeingSent>(std::move(reader.bytes),
                                                          activity.BeginRead(found.id));
        }
        return reader;
      });
}

absl::StatusOr<BlobInfo> RepositoryBlobs::Mount(std::string_view repository, const Digest& digest,
                                                std::optional<std::string_view> from) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RepositoryId source = 0;
  if (from.has_value()) {
    ASSIGN_OR_RETURN(source, parts_.repositories.Find(*from));
  }
  ASSIGN_OR_RETURN(const bool visible, parts_.links.IsVisible(source, digest));
  if (!visible) return UnknownBlob(*from, digest);
  ASSIGN_OR_RETURN(std::optional<BlobRow> found, parts_.blobs.Find(digest));
  if (!found.has_value()) return UnknownBlob(from.value_or("any"), digest);
  BlobRow row;
  absl::Status mounted;
  do {
    RETURN_IF_ERROR(BeforeCommit(repository, digest));
    mounted = parts_.index.Run([&](Transaction& txn) -> absl::Status {
      ASSIGN_OR_RETURN(const std::optional<std::string> value,
                       txn.GetForUpdate(BlobKey(digest), Guard::kShared));
      if (!value.has_value()) return UnknownBlob(repository, digest);
      ASSIGN_OR_RETURN(row, BlobRow::Decode(*value));
      if (row.quarantined) return UnknownBlob(repository, digest);
      return InCommit(txn, repository, digest);
    });
  } while (absl::IsOutOfRange(mounted));  // see CommitParticipant
  RETURN_IF_ERROR(mounted);
  return BlobInfo{digest, row.size_bytes, row.created_nanos};
}

absl::Status RepositoryBlobs::Delete(std::string_view repository, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(repository));
  ASSIGN_OR_RETURN(const std::optional<BlobRow> row, parts_.blobs.Find(digest));
  ASSIGN_OR_RETURN(const bool visible, parts_.links.IsVisible(id, digest));
  if (!visible || !row.has_value()) return UnknownBlob(repository, digest);
  RETURN_IF_ERROR(parts_.index.Run([&](Transaction& txn) -> absl::Status {
    // Whoever adds an edge to the blob guards its row shared, so none appears meanwhile.
    RETURN_IF_ERROR(txn.GetForUpdate(BlobKey(digest), Guard::kExclusive).status());
    ASSIGN_OR_RETURN(const bool named, txn.HasAny(EdgePrefix(digest, EdgeKind::kReference, id)));
    if (named) {
      return absl::FailedPreconditionError(
          StrCat("a manifest of repository ", ShownName(repository), " names blob ",
                 digest.ToString(), "; delete the manifest instead"));
    }
    RETURN_IF_ERROR(txn.Delete(LinkKey(id, digest)));
    return txn.Put(CondemnedKey(parts_.clock.WallNanos(), digest), "");
  }));
  parts_.empty_repositories.Note(id);
  parts_.promises.RenewRepository(id);
  return absl::OkStatus();
}

absl::Status RepositoryBlobs::BeforeCommit(std::string_view repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindOrMake(repository));
  return parts_.promises.GrantPush(found.id, digest);
}

absl::Status RepositoryBlobs::InCommit(Transaction& txn, std::string_view repository,
                                       const Digest& digest) {
  if (repository.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.GuardNamed(txn, repository));
  RETURN_IF_ERROR(parts_.links.Add(txn, id, digest));
  return parts_.links.ActivatePendingEdges(txn, id, digest, kPendingPageRows);
}

void RepositoryBlobs::WhileUploading(std::string_view repository, int64_t began_nanos) {
  const absl::StatusOr<RepositoryId> id = parts_.repositories.Find(repository);
  // One that does not exist yet has no promises to renew.
  if (id.ok()) parts_.promises.activity().NoteUpload(*id, began_nanos);
}

}  // namespace varve
