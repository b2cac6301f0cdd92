#include "storage/index/keys.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

namespace varve {
namespace {

std::string DigestTableKey(Table table, const Digest& digest) {
  std::string key = TablePrefix(table);
  digest.AppendKey(&key);
  return key;
}

std::string NumberTableKey(Table table, uint64_t number) {
  std::string key = TablePrefix(table);
  AppendU64(&key, number);
  return key;
}

std::string NameTableKey(Table table, std::string_view name) {
  std::string key = TablePrefix(table);
  key.append(name);
  return key;
}

std::string RepositoryDigestKey(Table table, RepositoryId repository, const Digest& digest) {
  std::string key = NumberTableKey(table, repository);
  digest.AppendKey(&key);
  return key;
}

std::string EdgeKey(const Digest& target, EdgeKind kind, RepositoryId repository) {
  std::string key = DigestTableKey(Table::kEdge, target);
  key.push_back(static_cast<char>(kind));
  AppendU64(&key, repository);
  return key;
}

bool ConsumeTable(std::string_view* key, Table table) {
  if (key->empty() || key->front() != static_cast<char>(table)) return false;
  key->remove_prefix(1);
  return true;
}

bool ConsumeU64(std::string_view* key, uint64_t* value) {
  ByteReader reader(*key);
  *value = reader.U64();
  *key = reader.rest();
  return reader.ok();
}

bool ParseRepositoryDigest(std::string_view key, RepositoryId* repository, Digest* digest) {
  return ConsumeU64(&key, repository) && Digest::ConsumeKey(&key, digest) && key.empty();
}

}  // namespace

std::string BlobKey(const Digest& digest) { return DigestTableKey(Table::kBlob, digest); }
std::string InlineKey(const Digest& digest) { return DigestTableKey(Table::kInline, digest); }
std::string FileKey(FileId file) { return NumberTableKey(Table::kFile, file); }
std::string UploadKey(std::string_view id) { return NameTableKey(Table::kUpload, id); }
std::string OrphanKey(FileId file) { return NumberTableKey(Table::kOrphan, file); }

std::string RemovingKey(FileId file) { return NumberTableKey(Table::kRemoving, file); }
std::string RepositoryKey(std::string_view name) { return NameTableKey(Table::kRepository, name); }
std::string RepositoryNameKey(RepositoryId repository) {
  return NumberTableKey(Table::kRepositoryName, repository);
}
std::string MetaKey(std::string_view name) { return NameTableKey(Table::kMeta, name); }
std::string CounterKey(std::string_view name) { return NameTableKey(Table::kCounter, name); }

std::string CommitTokenKey(uint32_t slot) {
  std::string key = TablePrefix(Table::kCommitToken);
  AppendU32(&key, slot);
  return key;
}

std::string CondemnedKey(int64_t not_before, const Digest& digest) {
  std::string key = NumberTableKey(Table::kCondemned, static_cast<uint64_t>(not_before));
  digest.AppendKey(&key);
  return key;
}

std::string TagKey(RepositoryId repository, std::string_view tag) {
  std::string key = TagPrefix(repository);
  key.append(tag);
  return key;
}

std::string MemberKey(RepositoryId repository, const Digest& manifest) {
  return RepositoryDigestKey(Table::kMember, repository, manifest);
}

std::string LinkKey(RepositoryId repository, const Digest& blob) {
  return RepositoryDigestKey(Table::kLink, repository, blob);
}

std::string LinkExpiryKey(int64_t expires, RepositoryId repository, const Digest& blob) {
  std::string key = NumberTableKey(Table::kLinkExpiry, static_cast<uint64_t>(expires));
  AppendU64(&key, repository);
  blob.AppendKey(&key);
  return key;
}

std::string ReferrerKey(RepositoryId repository, const Digest& subject, const Digest& referrer) {
  std::string key = ReferrerPrefix(repository, subject);
  referrer.AppendKey(&key);
  return key;
}

std::string PulledKey(RepositoryId repository, const Digest& manifest) {
  return RepositoryDigestKey(Table::kPulled, repository, manifest);
}

std::string EdgeRemovalKey(RepositoryId repository, const Digest& manifest) {
  return RepositoryDigestKey(Table::kEdgeRemoval, repository, manifest);
}

std::string HoldKey(std::string_view name) { return NameTableKey(Table::kHold, name); }
std::string LeaseKey(std::string_view id) { return NameTableKey(Table::kLease, id); }

std::string LeaseContentKey(std::string_view lease, const Digest& content) {
  std::string key = LeaseContentPrefix(lease);
  content.AppendKey(&key);
  return key;
}

std::string ClaimExpiryKey(EdgeKind kind, int64_t expires, std::string_view name) {
  std::string key = ClaimExpiryPrefix(kind);
  AppendU64(&key, static_cast<uint64_t>(expires));
  key.append(name);
  return key;
}

std::string MemberEdgeKey(const Digest& target, RepositoryId repository) {
  return EdgeKey(target, EdgeKind::kMember, repository);
}

std::string TagEdgeKey(const Digest& target, RepositoryId repository, std::string_view tag) {
  std::string key = EdgeKey(target, EdgeKind::kTag, repository);
  key.append(tag);
  return key;
}

std::string ReferenceEdgeKey(const Digest& target, EdgeKind kind, RepositoryId repository,
                             const Digest& manifest) {
  CheckInvariant(kind == EdgeKind::kReference || kind == EdgeKind::kPending,
                 "what a manifest names is a reference, pending or not");
  std::string key = EdgeKey(target, kind, repository);
  manifest.AppendKey(&key);
  return key;
}

std::string HoldEdgeKey(const Digest& target, RepositoryId repository, std::string_view hold) {
  std::string key = EdgeKey(target, EdgeKind::kHold, repository);
  key.append(hold);
  return key;
}

std::string LeaseEdgeKey(const Digest& target, std::string_view lease) {
  std::string key = EdgeKey(target, EdgeKind::kLease, 0);
  key.append(lease);
  return key;
}

std::string TablePrefix(Table table) { return std::string(1, static_cast<char>(table)); }
std::string BlobPrefix() { return TablePrefix(Table::kBlob); }
std::string EdgePrefix(const Digest& target) { return DigestTableKey(Table::kEdge, target); }
std::string EdgePrefix(const Digest& target, EdgeKind kind) {
  std::string prefix = EdgePrefix(target);
  prefix.push_back(static_cast<char>(kind));
  return prefix;
}
std::string EdgePrefix(const Digest& target, EdgeKind kind, RepositoryId repository) {
  return EdgeKey(target, kind, repository);
}
std::string TagPrefix() { return TablePrefix(Table::kTag); }
std::string TagPrefix(RepositoryId repository) { return NumberTableKey(Table::kTag, repository); }
std::string MemberPrefix() { return TablePrefix(Table::kMember); }
std::string MemberPrefix(RepositoryId repository) {
  return NumberTableKey(Table::kMember, repository);
}
std::string ReferrerPrefix(RepositoryId repository, const Digest& subject) {
  return RepositoryDigestKey(Table::kReferrer, repository, subject);
}
std::string UploadPrefix() { return TablePrefix(Table::kUpload); }
std::string RemovingPrefix() { return TablePrefix(Table::kRemoving); }
std::string OrphanPrefix() { return TablePrefix(Table::kOrphan); }
std::string CondemnedPrefix() { return TablePrefix(Table::kCondemned); }
std::string RepositoryPrefix() { return TablePrefix(Table::kRepository); }
std::string LinkExpiryPrefix() { return TablePrefix(Table::kLinkExpiry); }
std::string HoldPrefix() { return TablePrefix(Table::kHold); }
std::string LeasePrefix() { return TablePrefix(Table::kLease); }
std::string LeaseContentPrefix(std::string_view lease) {
  std::string prefix = TablePrefix(Table::kLeaseContent);
  AppendString(&prefix, lease);
  return prefix;
}
std::string ClaimExpiryPrefix(EdgeKind kind) {
  CheckInvariant(kind == EdgeKind::kHold || kind == EdgeKind::kLease,
                 "what ends by itself is a hold or a lease");
  std::string prefix = TablePrefix(Table::kClaimExpiry);
  prefix.push_back(static_cast<char>(kind));
  return prefix;
}
std::string EdgeRemovalPrefix() { return TablePrefix(Table::kEdgeRemoval); }
std::string EdgeRemovalPrefix(RepositoryId repository) {
  return NumberTableKey(Table::kEdgeRemoval, repository);
}
std::string LinkPrefix(RepositoryId repository) { return NumberTableKey(Table::kLink, repository); }

bool ParseBlobKey(std::string_view key, Digest* digest) {
  return ConsumeTable(&key, Table::kBlob) && Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseInlineKey(std::string_view key, Digest* digest) {
  return ConsumeTable(&key, Table::kInline) && Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseFileKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, Table::kFile) && ConsumeU64(&key, file) && key.empty();
}

bool ParseRepositoryNameKey(std::string_view key, RepositoryId* repository) {
  return ConsumeTable(&key, Table::kRepositoryName) && ConsumeU64(&key, repository) && key.empty();
}

bool ParseTagKey(std::string_view key, RepositoryId* repository, std::string* tag) {
  if (!ConsumeTable(&key, Table::kTag) || !ConsumeU64(&key, repository)) return false;
  *tag = key;
  return !key.empty();
}

bool ParseLinkKey(std::string_view key, RepositoryId* repository, Digest* blob) {
  return ConsumeTable(&key, Table::kLink) && ParseRepositoryDigest(key, repository, blob);
}

bool ParsePulledKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, Table::kPulled) && ParseRepositoryDigest(key, repository, manifest);
}

bool ParseReferrerKey(std::string_view key, RepositoryId* repository, Digest* subject,
                      Digest* referrer) {
  return ConsumeTable(&key, Table::kReferrer) && ConsumeU64(&key, repository) &&
         Digest::ConsumeKey(&key, subject) && Digest::ConsumeKey(&key, referrer) && key.empty();
}

bool ParseLeaseContentKey(std::string_view key, std::string* lease, Digest* content) {
  if (!ConsumeTable(&key, Table::kLeaseContent)) return false;
  ByteReader reader(key);
  *lease = reader.String();
  key = reader.rest();
  return reader.ok() && !lease->empty() && Digest::ConsumeKey(&key, content) && key.empty();
}

bool ParseMemberKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, Table::kMember) && ParseRepositoryDigest(key, repository, manifest);
}

bool ParseEdgeKey(std::string_view key, Digest* target, EdgeSource* source) {
  if (!ConsumeTable(&key, Table::kEdge) || !Digest::ConsumeKey(&key, target) || key.empty()) {
    return false;
  }
  source->kind = static_cast<EdgeKind>(key.front());
  key.remove_prefix(1);
  if (!ConsumeU64(&key, &source->repository)) return false;
  switch (source->kind) {
    case EdgeKind::kMember:
      return key.empty();
    case EdgeKind::kPending:
    case EdgeKind::kReference:
      return Digest::ConsumeKey(&key, &source->manifest) && key.empty();
    case EdgeKind::kLease:
      source->name = key;
      return source->repository == 0 && !key.empty();
    case EdgeKind::kHold:
    case EdgeKind::kTag:
      source->name = key;
      return !key.empty();
  }
  return false;
}

absl::StatusOr<EdgeSource> EdgeSourceOf(std::string_view key) {
  Digest target;
  EdgeSource source;
  if (ParseEdgeKey(key, &target, &source)) return source;
  return absl::DataLossError("an edge row of the index is damaged");
}

bool ParseCondemnedKey(std::string_view key, int64_t* not_before, Digest* digest) {
  uint64_t time = 0;
  if (!ConsumeTable(&key, Table::kCondemned) || !ConsumeU64(&key, &time)) return false;
  *not_before = static_cast<int64_t>(time);
  return Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseLinkExpiryKey(std::string_view key, int64_t* expires, RepositoryId* repository,
                        Digest* blob) {
  uint64_t time = 0;
  if (!ConsumeTable(&key, Table::kLinkExpiry) || !ConsumeU64(&key, &time)) return false;
  *expires = static_cast<int64_t>(time);
  return ParseRepositoryDigest(key, repository, blob);
}

bool ParseClaimExpiryKey(std::string_view key, EdgeKind* kind, int64_t* expires,
                         std::string* name) {
  if (!ConsumeTable(&key, Table::kClaimExpiry) || key.empty()) return false;
  *kind = static_cast<EdgeKind>(key.front());
  key.remove_prefix(1);
  uint64_t time = 0;
  if (!ConsumeU64(&key, &time) || key.empty()) return false;
  *expires = static_cast<int64_t>(time);
  *name = key;
  return *kind == EdgeKind::kHold || *kind == EdgeKind::kLease;
}

bool ParseEdgeRemovalKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, Table::kEdgeRemoval) &&
         ParseRepositoryDigest(key, repository, manifest);
}

bool ParseRemovingKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, Table::kRemoving) && ConsumeU64(&key, file) && key.empty();
}

bool ParseOrphanKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, Table::kOrphan) && ConsumeU64(&key, file) && key.empty();
}

bool ParseCommitTokenKey(std::string_view key, uint32_t* slot) {
  if (!ConsumeTable(&key, Table::kCommitToken)) return false;
  ByteReader reader(key);
  *slot = reader.U32();
  return reader.done();
}

}  // namespace varve
