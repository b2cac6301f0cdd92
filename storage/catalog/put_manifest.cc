// The way of a manifest: parsed, its references checked, then manifest, edges, membership and tags
// made visible in one transaction; put_in_pages.cc has those that need several.
#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/catalog/manifest_puts.h"
#include "storage/image/hasher.h"
#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

// A put is tried again when what it names was replaced or removed between check and transaction.
constexpr int kMaxPutAttempts = 8;

// Pending edges made live, two rows each, beside 900 references, 10 tags of three rows and the rows
// of the manifest itself. Indexes past them keep their child as pending.
constexpr size_t kPendingRows = 25;
static_assert(2 * kPendingRows + kReferencesAtOnce + 3 * kMaxTagsPerPut + 15 <= kMaxRunOperations);
static_assert(kReferencesAtOnce <= kMaxBatchReads);

constexpr auto kByDigest = [](const auto& a, const auto& b) { return a.digest < b.digest; };

absl::Status MissingReference(const Digest& digest, bool is_child) {
  absl::Status status = absl::FailedPreconditionError(
      StrCat("the manifest names ", is_child ? "manifest " : "blob ", digest.ToString(),
             ", which this repository does not have, or not any more; push it (again) first"));
  status.SetPayload(kMissingDigestPayload, absl::Cord(digest.ToString()));
  return status;
}

absl::Status WrongSize(const Digest& digest, uint64_t stated_bytes, uint64_t size_bytes) {
  return absl::InvalidArgumentError(StrCat("the manifest says that ", digest.ToString(), " has ",
                                           stated_bytes, " bytes; it has ", size_bytes));
}

MemberRow DescribeMember(const ParsedManifest& manifest, uint64_t size_bytes, int64_t now) {
  MemberRow row;
  row.media_type = manifest.media_type;
  row.artifact_type = manifest.artifact_type;
  if (manifest.config.has_value()) row.config = manifest.config->digest;
  if (manifest.subject.has_value()) row.subject = manifest.subject->digest;
  row.size_bytes = size_bytes;
  for (const ContentReference& reference : manifest.References()) {
    row.content_bytes += reference.descriptor.size_bytes;
  }
  row.pushed_nanos = now;
  return row;
}

}  // namespace

absl::StatusOr<std::vector<ManifestPuts::ResolvedReference>> ManifestPuts::ResolveReferences(
    std::string_view repository, const ParsedManifest& manifest, const Sources& sources) {
  std::optional<RepositoryId> id;
  absl::StatusOr<RepositoryId> found = parts_.repositories.Find(repository);
  if (found.ok()) {
    id = *found;
  } else if (!absl::IsNotFound(found.status())) {
    return found.status();
  }
  std::vector<ResolvedReference> resolved;
  std::vector<Digest> digests;
  const std::vector<ContentReference> references = manifest.References();
  for (const ContentReference& reference : references) {
    const bool is_child = reference.role == ContentReference::Role::kChild;
    digests.push_back(reference.descriptor.digest);
    resolved.push_back({reference.descriptor.digest, is_child, false, std::nullopt});
  }
  ASSIGN_OR_RETURN(const auto blobs, parts_.blobs.FindMany(digests));
  for (size_t i = 0; i < resolved.size(); ++i) {
    if (blobs[i].has_value()) resolved[i].stored_bytes = blobs[i]->size_bytes;
  }
  RETURN_IF_ERROR(ResolveVisibility(id, sources, resolved));
  for (size_t i = 0; i < resolved.size(); ++i) {
    const bool is_config = references[i].role == ContentReference::Role::kConfig;
    const bool may_be_absent = parts_.accept_sparse_index || references[i].descriptor.foreign;
    const bool required = !sources.as_it_is && (is_config || !may_be_absent);
    if (references[i].role == ContentReference::Role::kEntry && !resolved[i].visible &&
        resolved[i].stored_bytes.has_value() && id.has_value()) {
      // It may be a manifest of which the index says that it is something else.
      ASSIGN_OR_RETURN(resolved[i].is_child, parts_.members.Has(*id, resolved[i].digest));
      resolved[i].visible = resolved[i].is_child;
    }
    if (!resolved[i].visible && required) {
      return MissingReference(resolved[i].digest, resolved[i].is_child);
    }
    CheckInvariant(!resolved[i].visible || resolved[i].stored_bytes.has_value(),
                   "what a repository shows is stored");
    const uint64_t stated = references[i].descriptor.size_bytes;
    // What another repository lists was accepted before.
    if (resolved[i].visible && !sources.repository.has_value() &&
        *resolved[i].stored_bytes != stated) {
      return WrongSize(resolved[i].digest, stated, *resolved[i].stored_bytes);
    }
  }
  // One order for all transactions, so that two of them never wait for each other in a circle.
  std::sort(resolved.begin(), resolved.end(), kByDigest);
  return resolved;
}

absl::Status ManifestPuts::ResolveVisibility(std::optional<RepositoryId> repository,
                                             const Sources& sources,
                                             std::vector<ResolvedReference>& references) {
  std::vector<ResolvedReference*> children;
  std::vector<ResolvedReference*> blobs;
  std::vector<std::string> members;
  for (ResolvedReference& reference : references) {
    if (!reference.stored_bytes.has_value()) continue;
    if (!reference.is_child) {
      blobs.push_back(&reference);
    } else if (repository.has_value()) {
      children.push_back(&reference);
      members.push_back(MemberKey(*repository, reference.digest));
    }
  }
  ASSIGN_OR_RETURN(const OptionalValues listed, GetAll(parts_.index, members));
  for (size_t i = 0; i < children.size(); ++i) children[i]->visible = listed[i].has_value();
  if (sources.whole_store) {
    for (ResolvedReference* reference : blobs) reference->visible = true;
    return absl::OkStatus();
  }
  if (repository.has_value()) {
    RETURN_IF_ERROR(ShowBlobs(*repository, blobs));
    // A client that was told "exists" may name the blob even if another one deleted it since.
    for (ResolvedReference* reference : blobs) {
      reference->visible = parts_.promises.IsPromised(*repository, reference->digest);
    }
    std::erase_if(blobs, [](const ResolvedReference* reference) { return reference->visible; });
  }
  return sources.repository.has_value() ? ShowBlobs(*sources.repository, blobs) : absl::OkStatus();
}

// Those that the repository shows leave the list.
absl::Status ManifestPuts::ShowBlobs(RepositoryId repository,
                                     std::vector<ResolvedReference*>& references) {
  std::vector<Digest> digests;
  for (const ResolvedReference* reference : references) digests.push_back(reference->digest);
  ASSIGN_OR_RETURN(const std::vector<bool> visible, parts_.links.AreVisible(repository, digests));
  for (size_t i = 0; i < references.size(); ++i) references[i]->visible = visible[i];
  std::erase_if(references, [](const ResolvedReference* reference) { return reference->visible; });
  return absl::OkStatus();
}

absl::StatusOr<ManifestInfo> ManifestPuts::Put(std::string_view repository,
                                               const PutManifestRequest& request) {
  ASSIGN_OR_RETURN(PlacedManifest put,
                   PutFrom(repository, request, {request.whole_store, std::nullopt, false}));
  const std::vector<std::string>& tags = request.tags;
  const Digest& digest = put.info.digest;
  parts_.events.Tell(Event::Type::kPush, put.repository, tags.empty() ? "" : tags.front(), digest);
  for (const std::string& tag : tags) {
    parts_.events.Tell(Event::Type::kTag, put.repository, tag, digest);
  }
  return std::move(put.info);
}

absl::StatusOr<ManifestPuts::PlacedManifest> ManifestPuts::PutFrom(
    std::string_view repository, const PutManifestRequest& request, const Sources& sources) {
  RETURN_IF_ERROR(ValidateRepositoryName(repository));
  if (request.tags.size() > kMaxTagsPerPut) {
    return absl::InvalidArgumentError(StrCat("at most ", kMaxTagsPerPut, " tags at once"));
  }
  for (const std::string& tag : request.tags) RETURN_IF_ERROR(ValidateTag(tag));
  // What another repository lists was accepted before.
  const ManifestRules rules =
      sources.repository.has_value() ? ManifestRules::kStored : ManifestRules::kPushed;
  ASSIGN_OR_RETURN(const ParsedManifest manifest,
                   ParseManifest(request.bytes, request.media_type, rules));
  const DigestAlgorithm algorithm =
      request.expected.has_value() ? request.expected->algorithm() : request.algorithm;
  const Digest digest = HashBytes(algorithm, request.bytes);
  if (request.expected.has_value() && digest != *request.expected) {
    return absl::InvalidArgumentError(StrCat("the manifest received has the digest ",
                                             digest.ToString(), ", not ",
                                             request.expected->ToString()));
  }
  NewManifest put{repository,
                  0,
                  digest,
                  request,
                  DescribeMember(manifest, request.bytes.size(), parts_.clock.WallNanos()),
                  {}};
  ASSIGN_OR_RETURN(put.references, ResolveReferences(repository, manifest, sources));
  if (sources.as_it_is) {
    ASSIGN_OR_RETURN(put.member.pushed_nanos, PushedNanos(*sources.repository, repository, digest));
  }
  for (int attempt = 0; attempt < kMaxPutAttempts; ++attempt) {
    if (attempt > 0) {
      ASSIGN_OR_RETURN(put.references, ResolveReferences(repository, manifest, sources));
    }
    ASSIGN_OR_RETURN(const NamedRepository found, parts_.repositories.FindOrMake(repository));
    RETURN_IF_ERROR(parts_.promises.GrantPush(found.id, digest));
    put.id = found.id;
    put.repository = found.name;
    const TagVersions::Change change(parts_.tags.versions(), put.id);
    const absl::Status status =
        put.references.size() <= kReferencesAtOnce ? PutAtOnce(put) : PutInPages(put);
    if (absl::IsOutOfRange(status)) continue;
    RETURN_IF_ERROR(status);
    return PlacedManifest{Members::InfoOf(digest, std::move(put.member)), put.repository};
  }
  return absl::UnavailableError("what the manifest names keeps changing; try again");
}

// When it was pushed, of both repositories the last time.
absl::StatusOr<int64_t> ManifestPuts::PushedNanos(RepositoryId from, std::string_view into,
                                                  const Digest& digest) {
  ASSIGN_OR_RETURN(const ManifestInfo ours, parts_.members.Read(from, digest));
  ASSIGN_OR_RETURN(const RepositoryId id, parts_.repositories.Find(into));
  const absl::StatusOr<ManifestInfo> theirs = parts_.members.Read(id, digest);
  if (absl::IsNotFound(theirs.status())) return ours.pushed_nanos;
  RETURN_IF_ERROR(theirs.status());
  return std::max(ours.pushed_nanos, theirs->pushed_nanos);
}

absl::Status ManifestPuts::PutAtOnce(const NewManifest& put) {
  return CommitBytes(put, [&](Transaction& txn) -> absl::Status {
    RETURN_IF_ERROR(WriteEdges(txn, put, put.references));
    return ShowManifest(txn, put);
  });
}

absl::Status ManifestPuts::CommitBytes(const NewManifest& put,
                                       const std::function<absl::Status(Transaction&)>& also) {
  ASSIGN_OR_RETURN(const NewBlob blob, parts_.blobs.Stage(put.digest, put.request.bytes));
  const absl::Status status = parts_.blobs.Commit(blob, also).status();
  if (!status.ok()) parts_.blobs.Discard(blob.file);
  return status;
}

absl::Status ManifestPuts::CheckReferences(Transaction& txn, RepositoryId repository,
                                           absl::Span<const ResolvedReference> references) {
  std::vector<std::string> blobs;
  std::vector<std::string> members;
  for (const ResolvedReference& reference : references) {
    blobs.push_back(BlobKey(reference.digest));
    if (reference.visible && reference.is_child) {
      members.push_back(MemberKey(repository, reference.digest));
    }
  }
  ASSIGN_OR_RETURN(const OptionalValues rows, txn.GetManyForUpdate(blobs, Guard::kShared));
  // A deletion of a child guards its blob row exclusively, so this holds until the commit.
  ASSIGN_OR_RETURN(const OptionalValues listed, txn.GetMany(members));
  bool unchanged = std::all_of(listed.begin(), listed.end(),
                               [](const auto& member) { return member.has_value(); });
  for (size_t i = 0; i < references.size(); ++i) {
    if (!references[i].visible) continue;
    unchanged = unchanged && rows[i].has_value();
    if (!unchanged) break;
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*rows[i]));
    // Its bytes may have been replaced since, by such as were just hashed.
    unchanged = !row.quarantined;
  }
  // OutOfRange means "look again" between here and PutFrom only.
  return unchanged ? absl::OkStatus()
                   : absl::OutOfRangeError("a reference changed since it was checked");
}

absl::Status ManifestPuts::WriteEdges(Transaction& txn, const NewManifest& put,
                                      absl::Span<const ResolvedReference> references) {
  CheckInvariant(references.size() <= kReferencesAtOnce,
                 "a page of references fits one transaction");
  CheckInvariant(std::is_sorted(references.begin(), references.end(), kByDigest),
                 "a put guards what it names in one order");
  ASSIGN_OR_RETURN(const RepositoryId guarded, parts_.repositories.GuardNamed(txn, put.repository));
  if (guarded != put.id) return absl::OutOfRangeError("the repository was made anew");
  RETURN_IF_ERROR(CheckReferences(txn, put.id, references));
  for (const ResolvedReference& reference : references) {
    const EdgeKind kind = reference.visible ? EdgeKind::kReference : EdgeKind::kPending;
    RETURN_IF_ERROR(txn.Put(ReferenceEdgeKey(reference.digest, kind, put.id, put.digest), ""));
  }
  return absl::OkStatus();
}

absl::Status ManifestPuts::ShowManifest(Transaction& txn, const NewManifest& put) {
  CheckInvariant(put.member.size_bytes == put.request.bytes.size(),
                 "a member row tells the size of its manifest");
  // A deletion of the same manifest that is still under way stops here.
  const std::string note_key = EdgeRemovalKey(put.id, put.digest);
  ASSIGN_OR_RETURN(const std::optional<std::string> deleting,
                   txn.GetForUpdate(note_key, Guard::kExclusive));
  if (deleting.has_value()) RETURN_IF_ERROR(txn.Delete(note_key));

  RETURN_IF_ERROR(txn.Put(MemberKey(put.id, put.digest), put.member.Encode()));
  RETURN_IF_ERROR(txn.Put(MemberEdgeKey(put.digest, put.id), ""));
  if (put.member.subject.has_value()) {
    RETURN_IF_ERROR(txn.Put(ReferrerKey(put.id, *put.member.subject, put.digest), ""));
  }
  RETURN_IF_ERROR(parts_.links.ActivatePendingEdges(txn, put.id, put.digest, kPendingRows));
  for (const std::string& tag : put.request.tags) {
    RETURN_IF_ERROR(parts_.tags.Set(txn, put.id, tag, {put.digest, parts_.clock.WallNanos()}));
  }
  return absl::OkStatus();
}

}  // namespace varve
