#include "storage/catalog/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr char kDamagedPayload[] = "varve/damaged";
constexpr Promises::Answer kManifestRead = Promises::Answer::kManifestRead;
constexpr size_t kPendingPageRows = 200;
constexpr size_t kIndexesOfAManifest = 16;

absl::Status UnknownBlob(std::string_view repository, const Digest& digest) {
  if (repository.empty()) return absl::NotFoundError(StrCat("no such blob: ", digest.ToString()));
  return absl::NotFoundError(
      StrCat("blob ", digest.ToString(), " is not known in repository ", ShownName(repository)));
}

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

absl::StatusOr<std::vector<RepositoryId>> Catalog::RepositoriesOf(const Digest& manifest) {
  std::vector<RepositoryId> listing;
  RETURN_IF_ERROR(VisitEdges(parts_.index, EdgePrefix(manifest, EdgeKind::kMember),
                             [&](const EdgeSource& source) -> absl::StatusOr<bool> {
                               // The edge outlives the membership while a deletion is under way.
                               ASSIGN_OR_RETURN(const bool is_member,
                                                IsMember(source.repository, manifest));
                               if (is_member) listing.push_back(source.repository);
                               return true;
                             }));
  return listing;
}

absl::StatusOr<std::vector<std::string>> Catalog::TagsOf(RepositoryId repository,
                                                         const Digest& manifest) {
  std::vector<std::string> tags;
  RETURN_IF_ERROR(VisitEdges(parts_.index, EdgePrefix(manifest, EdgeKind::kTag, repository),
                             [&](EdgeSource source) -> absl::StatusOr<bool> {
                               tags.push_back(std::move(source.name));
                               return true;
                             }));
  return tags;
}

absl::StatusOr<bool> Catalog::IsVisible(RepositoryId repository, const Digest& digest) {
  if (repository == 0) return true;
  ASSIGN_OR_RETURN(const std::optional<std::string> link,
                   parts_.index.Get(LinkKey(repository, digest)));
  if (link.has_value()) {
    ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*link));
    if (row.expires_nanos > parts_.clock.WallNanos()) return true;
  }
  return parts_.index.HasAny(EdgePrefix(digest, EdgeKind::kReference, repository));
}

absl::StatusOr<std::vector<bool>> Catalog::AreVisible(RepositoryId repository,
                                                      absl::Span<const Digest> digests) {
  std::vector<bool> visible(digests.size(), repository == 0);
  if (repository == 0) return visible;
  std::vector<std::string> keys;
  for (const Digest& digest : digests) keys.push_back(LinkKey(repository, digest));
  ASSIGN_OR_RETURN(const OptionalValues links, GetAll(parts_.index, keys));
  const int64_t now = parts_.clock.WallNanos();
  std::vector<size_t> unlinked;
  std::vector<KeyRange> named;
  for (size_t i = 0; i < digests.size(); ++i) {
    if (links[i].has_value()) {
      ASSIGN_OR_RETURN(const LinkRow row, LinkRow::Decode(*links[i]));
      visible[i] = row.expires_nanos > now;
    }
    if (visible[i]) continue;
    unlinked.push_back(i);
    named.push_back(PrefixRange(EdgePrefix(digests[i], EdgeKind::kReference, repository)));
  }
  ASSIGN_OR_RETURN(const FirstRows edges, FirstOfAll(parts_.index, named));
  for (size_t i = 0; i < unlinked.size(); ++i) visible[unlinked[i]] = edges[i].has_value();
  return visible;
}

absl::StatusOr<bool> Catalog::IsMember(RepositoryId repository, const Digest& manifest) {
  return parts_.index.Has(MemberKey(repository, manifest));
}

absl::Status Catalog::ActivatePendingEdges(Transaction& txn, RepositoryId repository,
                                           const Digest& digest, size_t limit) {
  const std::string prefix = EdgePrefix(digest, EdgeKind::kPending, repository);
  ASSIGN_OR_RETURN(const std::vector<KeyValue> pending, txn.Scan(PrefixRange(prefix), limit));
  CheckInvariant(pending.size() <= limit, "no more edges change than a transaction has room for");
  for (const KeyValue& row : pending) {
    RETURN_IF_ERROR(txn.Delete(row.key));
    RETURN_IF_ERROR(txn.Put(StrCat(EdgePrefix(digest, EdgeKind::kReference, repository),
                                   std::string_view(row.key).substr(prefix.size())),
                            row.value));
  }
  return absl::OkStatus();
}

absl::Status Catalog::BeforeCommit(std::string_view repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const NamedRepository found, repositories.FindOrMake(repository));
  return PromisePush(found.id, digest);
}

absl::Status Catalog::PromisePush(RepositoryId repository, const Digest& digest) {
  parts_.promises.NotePush();
  parts_.promises.RenewRepository(repository);
  return parts_.promises.Grant(repository, digest).status();
}

void Catalog::WhileUploading(std::string_view repository, int64_t began_nanos) {
  const absl::StatusOr<RepositoryId> id = repositories.Find(repository);
  // One that does not exist yet has no promises to renew.
  if (id.ok()) parts_.promises.activity().NoteUpload(*id, began_nanos);
}

absl::Status Catalog::InCommit(Transaction& txn, std::string_view repository,
                               const Digest& digest) {
  if (repository.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.GuardNamed(txn, repository));
  RETURN_IF_ERROR(Link(txn, id, digest));
  return ActivatePendingEdges(txn, id, digest, kPendingPageRows);
}

absl::StatusOr<BlobInfo> Catalog::StatBlob(std::string_view repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(std::optional<BlobRow> row, parts_.blobs.Find(digest));
  if (!row.has_value()) return UnknownBlob(repository, digest);
  ASSIGN_OR_RETURN(const bool visible, IsVisible(id, digest));
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

absl::StatusOr<std::vector<Digest>> Catalog::FindMissing(std::string_view repository,
                                                         absl::Span<const Digest> digests) {
  const absl::StatusOr<RepositoryId> id = repositories.Find(repository);
  if (absl::IsNotFound(id.status())) return std::vector<Digest>(digests.begin(), digests.end());
  RETURN_IF_ERROR(id.status());
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(const auto rows, parts_.blobs.FindMany(digests));
  ASSIGN_OR_RETURN(const std::vector<bool> visible, AreVisible(*id, digests));
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

absl::StatusOr<BlobReader> Catalog::OpenBlob(std::string_view repository, const Digest& digest) {
  return repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<BlobReader> {
        ASSIGN_OR_RETURN(const bool visible, IsVisible(found.id, digest));
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

absl::StatusOr<BlobInfo> Catalog::MountBlob(std::string_view repository, const Digest& digest,
                                            std::optional<std::string_view> from) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  RepositoryId source = 0;
  if (from.has_value()) {
    ASSIGN_OR_RETURN(source, repositories.Find(*from));
  }
  ASSIGN_OR_RETURN(const bool visible, IsVisible(source, digest));
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

absl::Status Catalog::DeleteBlob(std::string_view repository, const Digest& digest) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  ASSIGN_OR_RETURN(const RepositoryId id, repositories.Find(repository));
  ASSIGN_OR_RETURN(const std::optional<BlobRow> row, parts_.blobs.Find(digest));
  ASSIGN_OR_RETURN(const bool visible, IsVisible(id, digest));
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
  empty_repositories.Note(id);
  parts_.promises.RenewRepository(id);
  return absl::OkStatus();
}

absl::StatusOr<Digest> Catalog::Resolve(RepositoryId repository,
                                        const ManifestReference& reference) {
  if (const auto* digest = std::get_if<Digest>(&reference)) return *digest;
  const std::string& tag = std::get<std::string>(reference);
  RETURN_IF_ERROR(ValidateTag(tag));
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   parts_.index.Get(TagKey(repository, tag)));
  if (!value.has_value()) return absl::NotFoundError(StrCat("tag ", tag, " does not exist"));
  ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(*value));
  return row.digest;
}

absl::StatusOr<ManifestInfo> Catalog::ReadMember(RepositoryId repository, const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   parts_.index.Get(MemberKey(repository, digest)));
  if (!value.has_value()) {
    return absl::NotFoundError(StrCat("manifest ", digest.ToString(), " is not a member"));
  }
  ASSIGN_OR_RETURN(MemberRow row, MemberRow::Decode(*value));
  return InfoOf(digest, std::move(row));
}

ManifestInfo Catalog::InfoOf(const Digest& digest, MemberRow row) {
  return ManifestInfo{digest,
                      std::move(row.media_type),
                      std::move(row.artifact_type),
                      row.subject,
                      row.config,
                      row.size_bytes,
                      row.content_bytes,
                      row.pushed_nanos};
}

absl::StatusOr<ManifestInfo> Catalog::PromiseMember(RepositoryId repository,
                                                    const ManifestReference& reference) {
  const int64_t began = parts_.clock.MonotonicNanos();
  ASSIGN_OR_RETURN(const Digest digest, Resolve(repository, reference));
  // Granted first, read after: see Promises. What a client names by its digest may be anything: no
  // promise is made of what is not here.
  if (std::holds_alternative<Digest>(reference)) {
    ASSIGN_OR_RETURN(ManifestInfo info, ReadMember(repository, digest));
    ASSIGN_OR_RETURN(const bool was_promised,
                     parts_.promises.Grant(repository, digest, kManifestRead, began));
    if (was_promised) return info;
  } else {
    RETURN_IF_ERROR(parts_.promises.Grant(repository, digest, kManifestRead).status());
  }
  return ReadMember(repository, digest);
}

absl::StatusOr<Manifest> Catalog::ReadManifest(RepositoryId repository,
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

absl::StatusOr<ManifestInfo> Catalog::ReadManifestInfo(RepositoryId repository,
                                                       const ManifestReference& reference) {
  ASSIGN_OR_RETURN(ManifestInfo info, PromiseMember(repository, reference));
  ASSIGN_OR_RETURN(const std::optional<BlobRow> row, parts_.blobs.Find(info.digest));
  if (!row.has_value()) return DamagedManifest(info.digest);
  return info;
}

absl::StatusOr<Manifest> Catalog::GetManifest(std::string_view repository,
                                              const ManifestReference& reference) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  return repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<Manifest> {
        absl::StatusOr<Manifest> manifest = ReadManifest(found.id, reference);
        if (NamesNothing(manifest.status())) return UnknownManifest(repository, reference);
        if (manifest.ok()) TellPull(found, reference, manifest->info.digest);
        return manifest;
      });
}

void Catalog::Tell(Event::Type type, std::string_view repository, std::string_view tag,
                   const Digest& manifest) {
  Event event;
  event.type = type;
  event.repository = repository;
  event.tag = tag;
  event.digest = manifest;
  parts_.events.Add(std::move(event));
}

void Catalog::TellPull(const NamedRepository& repository, const ManifestReference& reference,
                       const Digest& manifest) {
  const auto* const named = std::get_if<std::string>(&reference);
  const std::string_view tag = named != nullptr ? std::string_view(*named) : std::string_view();
  if (!recent_pulls_.Begins(repository.id, manifest, tag)) return;
  if (tag.empty() && IsPartOfPull(repository.id, manifest)) return;
  Tell(Event::Type::kPull, repository.name, tag, manifest);
}

bool Catalog::IsPartOfPull(RepositoryId repository, const Digest& manifest) {
  const std::string prefix = EdgePrefix(manifest, EdgeKind::kReference, repository);
  // One that more indexes list is told once more than it need be.
  const absl::StatusOr<std::vector<KeyValue>> edges =
      parts_.index.Scan(PrefixRange(prefix), kIndexesOfAManifest);
  if (!edges.ok()) return false;
  return std::any_of(edges->begin(), edges->end(), [&](const KeyValue& edge) {
    std::string_view source = std::string_view(edge.key).substr(prefix.size());
    Digest index;
    return Digest::ConsumeKey(&source, &index) && recent_pulls_.Contains(repository, index);
  });
}

absl::StatusOr<ManifestInfo> Catalog::StatManifest(std::string_view repository,
                                                   const ManifestReference& reference) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  return repositories.InRepository(
      repository, [&](const NamedRepository& found) -> absl::StatusOr<ManifestInfo> {
        absl::StatusOr<ManifestInfo> info = ReadManifestInfo(found.id, reference);
        if (!NamesNothing(info.status())) return info;
        return UnknownManifest(repository, reference);
      });
}

}  // namespace varve
