#include "storage/index/keys.h"

#include "storage/base/bytes.h"

namespace varve {
namespace {

// Table bytes. 'i' is special to the RocksDB index, which keeps large values of that table apart.
constexpr char kLeaseTable = 'a';
constexpr char kBlobTable = 'b';
constexpr char kCondemnedTable = 'c';
constexpr char kOrphanTable = 'd';
constexpr char kEdgeTable = 'e';
constexpr char kFileTable = 'f';
constexpr char kIngestTable = 'g';
constexpr char kHoldTable = 'h';
constexpr char kInlineTable = 'i';
constexpr char kCommitTokenTable = 'k';
constexpr char kLinkTable = 'l';
constexpr char kMemberTable = 'm';
constexpr char kRepositoryNameTable = 'n';
constexpr char kLeaseContentTable = 'o';
constexpr char kPulledTable = 'p';
constexpr char kMetaTable = 'q';
constexpr char kRepositoryTable = 'r';
constexpr char kReferrerTable = 's';
constexpr char kTagTable = 't';
constexpr char kUnlinkingTable = 'u';
constexpr char kClaimExpiryTable = 'w';
constexpr char kRemovingTable = 'x';
constexpr char kLinkExpiryTable = 'y';
constexpr char kCounterTable = 'z';

std::string DigestTableKey(char table, const Digest& digest) {
  std::string key(1, table);
  digest.AppendKey(&key);
  return key;
}

std::string NumberTableKey(char table, uint64_t number) {
  std::string key(1, table);
  AppendU64(&key, number);
  return key;
}

std::string NameTableKey(char table, std::string_view name) {
  std::string key(1, table);
  key.append(name);
  return key;
}

std::string RepositoryDigestKey(char table, RepositoryId repository, const Digest& digest) {
  std::string key = NumberTableKey(table, repository);
  digest.AppendKey(&key);
  return key;
}

std::string EdgeKey(const Digest& target, EdgeKind kind, RepositoryId repository) {
  std::string key = DigestTableKey(kEdgeTable, target);
  key.push_back(static_cast<char>(kind));
  AppendU64(&key, repository);
  return key;
}

bool ConsumeTable(std::string_view* key, char table) {
  if (key->empty() || key->front() != table) return false;
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

std::string BlobKey(const Digest& digest) { return DigestTableKey(kBlobTable, digest); }
std::string InlineKey(const Digest& digest) { return DigestTableKey(kInlineTable, digest); }
std::string FileKey(FileId file) { return NumberTableKey(kFileTable, file); }
std::string IngestKey(std::string_view id) { return NameTableKey(kIngestTable, id); }
std::string OrphanKey(FileId file) { return NumberTableKey(kOrphanTable, file); }

std::string RemovingKey(FileId file) { return NumberTableKey(kRemovingTable, file); }
std::string RepositoryKey(std::string_view name) { return NameTableKey(kRepositoryTable, name); }
std::string RepositoryNameKey(RepositoryId repository) {
  return NumberTableKey(kRepositoryNameTable, repository);
}
std::string MetaKey(std::string_view name) { return NameTableKey(kMetaTable, name); }
std::string CounterKey(std::string_view name) { return NameTableKey(kCounterTable, name); }

std::string CommitTokenKey(uint32_t slot) {
  std::string key(1, kCommitTokenTable);
  AppendU32(&key, slot);
  return key;
}

std::string CondemnedKey(int64_t not_before, const Digest& digest) {
  std::string key = NumberTableKey(kCondemnedTable, static_cast<uint64_t>(not_before));
  digest.AppendKey(&key);
  return key;
}

std::string TagKey(RepositoryId repository, std::string_view tag) {
  std::string key = TagPrefix(repository);
  key.append(tag);
  return key;
}

std::string MemberKey(RepositoryId repository, const Digest& manifest) {
  return RepositoryDigestKey(kMemberTable, repository, manifest);
}

std::string LinkKey(RepositoryId repository, const Digest& blob) {
  return RepositoryDigestKey(kLinkTable, repository, blob);
}

std::string LinkExpiryKey(int64_t expires, RepositoryId repository, const Digest& blob) {
  std::string key = NumberTableKey(kLinkExpiryTable, static_cast<uint64_t>(expires));
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
  return RepositoryDigestKey(kPulledTable, repository, manifest);
}

std::string UnlinkingKey(RepositoryId repository, const Digest& manifest) {
  return RepositoryDigestKey(kUnlinkingTable, repository, manifest);
}

std::string HoldKey(std::string_view name) { return NameTableKey(kHoldTable, name); }
std::string LeaseKey(std::string_view id) { return NameTableKey(kLeaseTable, id); }

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

std::string BlobPrefix() { return std::string(1, kBlobTable); }
std::string EdgePrefix(const Digest& target) { return DigestTableKey(kEdgeTable, target); }
std::string EdgePrefix(const Digest& target, EdgeKind kind) {
  std::string prefix = EdgePrefix(target);
  prefix.push_back(static_cast<char>(kind));
  return prefix;
}
std::string EdgePrefix(const Digest& target, EdgeKind kind, RepositoryId repository) {
  return EdgeKey(target, kind, repository);
}
std::string TagPrefix() { return std::string(1, kTagTable); }
std::string TagPrefix(RepositoryId repository) { return NumberTableKey(kTagTable, repository); }
std::string MemberPrefix() { return std::string(1, kMemberTable); }
std::string MemberPrefix(RepositoryId repository) {
  return NumberTableKey(kMemberTable, repository);
}
std::string ReferrerPrefix(RepositoryId repository, const Digest& subject) {
  return RepositoryDigestKey(kReferrerTable, repository, subject);
}
std::string IngestPrefix() { return std::string(1, kIngestTable); }
std::string RemovingPrefix() { return std::string(1, kRemovingTable); }
std::string OrphanPrefix() { return std::string(1, kOrphanTable); }
std::string CondemnedPrefix() { return std::string(1, kCondemnedTable); }
std::string RepositoryPrefix() { return std::string(1, kRepositoryTable); }
std::string LinkExpiryPrefix() { return std::string(1, kLinkExpiryTable); }
std::string HoldPrefix() { return std::string(1, kHoldTable); }
std::string LeasePrefix() { return std::string(1, kLeaseTable); }
std::string LeaseContentPrefix(std::string_view lease) {
  std::string prefix(1, kLeaseContentTable);
  AppendString(&prefix, lease);
  return prefix;
}
std::string ClaimExpiryPrefix(EdgeKind kind) {
  return {kClaimExpiryTable, static_cast<char>(kind)};
}
std::string UnlinkingPrefix() { return std::string(1, kUnlinkingTable); }
std::string UnlinkingPrefix(RepositoryId repository) {
  return NumberTableKey(kUnlinkingTable, repository);
}
std::string LinkPrefix(RepositoryId repository) { return NumberTableKey(kLinkTable, repository); }

bool ParseBlobKey(std::string_view key, Digest* digest) {
  return ConsumeTable(&key, kBlobTable) && Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseInlineKey(std::string_view key, Digest* digest) {
  return ConsumeTable(&key, kInlineTable) && Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseFileKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, kFileTable) && ConsumeU64(&key, file) && key.empty();
}

bool ParseRepositoryNameKey(std::string_view key, RepositoryId* repository) {
  return ConsumeTable(&key, kRepositoryNameTable) && ConsumeU64(&key, repository) && key.empty();
}

bool ParseTagKey(std::string_view key, RepositoryId* repository, std::string* tag) {
  if (!ConsumeTable(&key, kTagTable) || !ConsumeU64(&key, repository)) return false;
  *tag = key;
  return !key.empty();
}

bool ParseLinkKey(std::string_view key, RepositoryId* repository, Digest* blob) {
  return ConsumeTable(&key, kLinkTable) && ParseRepositoryDigest(key, repository, blob);
}

bool ParsePulledKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, kPulledTable) && ParseRepositoryDigest(key, repository, manifest);
}

bool ParseReferrerKey(std::string_view key, RepositoryId* repository, Digest* subject,
                      Digest* referrer) {
  return ConsumeTable(&key, kReferrerTable) && ConsumeU64(&key, repository) &&
         Digest::ConsumeKey(&key, subject) && Digest::ConsumeKey(&key, referrer) && key.empty();
}

bool ParseLeaseContentKey(std::string_view key, std::string* lease, Digest* content) {
  if (!ConsumeTable(&key, kLeaseContentTable)) return false;
  ByteReader reader(key);
  *lease = reader.String();
  key = reader.rest();
  return reader.ok() && !lease->empty() && Digest::ConsumeKey(&key, content) && key.empty();
}

bool ParseMemberKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, kMemberTable) && ParseRepositoryDigest(key, repository, manifest);
}

bool ParseEdgeKey(std::string_view key, Digest* target, EdgeSource* source) {
  if (!ConsumeTable(&key, kEdgeTable) || !Digest::ConsumeKey(&key, target) || key.empty()) {
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
    case EdgeKind::kHold:
    case EdgeKind::kLease:
    case EdgeKind::kTag:
      source->tag = key;
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
  if (!ConsumeTable(&key, kCondemnedTable) || !ConsumeU64(&key, &time)) return false;
  *not_before = static_cast<int64_t>(time);
  return Digest::ConsumeKey(&key, digest) && key.empty();
}

bool ParseLinkExpiryKey(std::string_view key, int64_t* expires, RepositoryId* repository,
                        Digest* blob) {
  uint64_t time = 0;
  if (!ConsumeTable(&key, kLinkExpiryTable) || !ConsumeU64(&key, &time)) return false;
  *expires = static_cast<int64_t>(time);
  return ParseRepositoryDigest(key, repository, blob);
}

bool ParseClaimExpiryKey(std::string_view key, EdgeKind* kind, int64_t* expires,
                         std::string* name) {
  if (!ConsumeTable(&key, kClaimExpiryTable) || key.empty()) return false;
  *kind = static_cast<EdgeKind>(key.front());
  key.remove_prefix(1);
  uint64_t time = 0;
  if (!ConsumeU64(&key, &time) || key.empty()) return false;
  *expires = static_cast<int64_t>(time);
  *name = key;
  return *kind == EdgeKind::kHold || *kind == EdgeKind::kLease;
}

bool ParseUnlinkingKey(std::string_view key, RepositoryId* repository, Digest* manifest) {
  return ConsumeTable(&key, kUnlinkingTable) && ParseRepositoryDigest(key, repository, manifest);
}

bool ParseRemovingKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, kRemovingTable) && ConsumeU64(&key, file) && key.empty();
}

bool ParseOrphanKey(std::string_view key, FileId* file) {
  return ConsumeTable(&key, kOrphanTable) && ConsumeU64(&key, file) && key.empty();
}

bool ParseCommitTokenKey(std::string_view key, uint32_t* slot) {
  if (!ConsumeTable(&key, kCommitTokenTable)) return false;
  ByteReader reader(key);
  *slot = reader.U32();
  return reader.done();
}

}  // namespace varve
