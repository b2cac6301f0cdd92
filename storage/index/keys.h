// Keys of the index. Layout and meaning of every table: storage/FORMAT.md §Index keys. Pure
// functions.
//
// A key is a table byte and its parts; integers are big-endian, digests are algorithm byte + raw
// bytes, and a name that is not the last part is length-prefixed, so that no key is a prefix of
// another table's and rows sort by their parts.
#ifndef VARVE_STORAGE_INDEX_KEYS_H_
#define VARVE_STORAGE_INDEX_KEYS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/index/tables.h"

namespace varve {

// Never reused for another repository, also after that one is gone. 0 = the whole store.
using RepositoryId = uint64_t;
// Names a file under blobs/; never reused. 0 = none.
using FileId = uint64_t;

// A manifest as one repository lists it.
struct Member {
  RepositoryId repository = 0;
  Digest manifest;

  friend bool operator==(const Member& a, const Member& b) {
    return a.repository == b.repository && a.manifest == b.manifest;
  }
  template <typename H>
  friend H AbslHashValue(H state, const Member& member) {
    return H::combine(std::move(state), member.repository, member.manifest);
  }
};

// Why a blob is kept; the byte after the target in an edge key.
enum class EdgeKind : char {
  kHold = 'H',       // source: repository (0: the whole store), hold
  kLease = 'L',      // source: lease. The target need not be here yet
  kMember = 'M',     // source: repository. A manifest stays while a repository lists it
  kPending = 'P',    // source: repository, manifest. As kReference, but the target was not visible
  kReference = 'R',  // source: repository, manifest that names the target there
  kTag = 'T',        // source: repository, tag
};

std::string BlobKey(const Digest& digest);    // blob row
std::string InlineKey(const Digest& digest);  // bytes of an inline blob
std::string FileKey(FileId file);             // which blob a file holds
std::string UploadKey(std::string_view id);   // a resumable upload
std::string RemovingKey(FileId file);         // a file on its way out
std::string OrphanKey(FileId file);           // a file that lost its rows, kept for a while
std::string CondemnedKey(int64_t not_before, const Digest& digest);
std::string RepositoryKey(std::string_view name);
std::string RepositoryNameKey(RepositoryId repository);  // its name, by id
std::string TagKey(RepositoryId repository, std::string_view tag);
std::string MemberKey(RepositoryId repository, const Digest& manifest);
std::string LinkKey(RepositoryId repository, const Digest& blob);
std::string LinkExpiryKey(int64_t expires, RepositoryId repository, const Digest& blob);
std::string ReferrerKey(RepositoryId repository, const Digest& subject, const Digest& referrer);
std::string PulledKey(RepositoryId repository, const Digest& manifest);  // when, last
std::string EdgeRemovalKey(RepositoryId repository, const Digest& manifest);
std::string HoldKey(std::string_view name);
std::string LeaseKey(std::string_view id);
std::string LeaseContentKey(std::string_view lease, const Digest& content);
// When a hold or a lease ends: `kind` is that of its edges.
std::string ClaimExpiryKey(EdgeKind kind, int64_t expires, std::string_view name);
std::string MetaKey(std::string_view name);
std::string CounterKey(std::string_view name);
std::string CommitTokenKey(uint32_t slot);  // the mark of the last commit that used the slot

std::string MemberEdgeKey(const Digest& target, RepositoryId repository);
std::string TagEdgeKey(const Digest& target, RepositoryId repository, std::string_view tag);
std::string ReferenceEdgeKey(const Digest& target, EdgeKind kind, RepositoryId repository,
                             const Digest& manifest);
std::string HoldEdgeKey(const Digest& target, RepositoryId repository, std::string_view hold);
std::string LeaseEdgeKey(const Digest& target, std::string_view lease);

// Prefixes for scans (use with PrefixRange).
std::string TablePrefix(Table table);
std::string BlobPrefix();
std::string EdgePrefix(const Digest& target);
std::string EdgePrefix(const Digest& target, EdgeKind kind);
std::string EdgePrefix(const Digest& target, EdgeKind kind, RepositoryId repository);
std::string TagPrefix();
std::string TagPrefix(RepositoryId repository);
std::string MemberPrefix();
std::string MemberPrefix(RepositoryId repository);
std::string ReferrerPrefix(RepositoryId repository, const Digest& subject);
std::string UploadPrefix();
std::string RemovingPrefix();
std::string OrphanPrefix();
std::string CondemnedPrefix();
std::string RepositoryPrefix();
std::string LinkPrefix(RepositoryId repository);
std::string LinkExpiryPrefix();
std::string EdgeRemovalPrefix();
std::string EdgeRemovalPrefix(RepositoryId repository);
std::string HoldPrefix();
std::string LeasePrefix();
std::string LeaseContentPrefix(std::string_view lease);
std::string ClaimExpiryPrefix(EdgeKind kind);

// Where an edge comes from.
struct EdgeSource {
  EdgeKind kind = EdgeKind::kMember;
  RepositoryId repository = 0;
  Digest manifest;   // of kReference and kPending
  std::string name;  // of kTag, kHold and kLease
};

// The source of a scanned edge key; DataLoss when that is malformed.
absl::StatusOr<EdgeSource> EdgeSourceOf(std::string_view key);

// The parts of a scanned key; false when the key is not of that table or is malformed.
bool ParseBlobKey(std::string_view key, Digest* digest);
bool ParseInlineKey(std::string_view key, Digest* digest);
bool ParseFileKey(std::string_view key, FileId* file);
bool ParseRepositoryNameKey(std::string_view key, RepositoryId* repository);
bool ParseTagKey(std::string_view key, RepositoryId* repository, std::string* tag);
bool ParseMemberKey(std::string_view key, RepositoryId* repository, Digest* manifest);
bool ParseLinkKey(std::string_view key, RepositoryId* repository, Digest* blob);
bool ParsePulledKey(std::string_view key, RepositoryId* repository, Digest* manifest);
bool ParseReferrerKey(std::string_view key, RepositoryId* repository, Digest* subject,
                      Digest* referrer);
bool ParseLeaseContentKey(std::string_view key, std::string* lease, Digest* content);
bool ParseEdgeKey(std::string_view key, Digest* target, EdgeSource* source);
bool ParseCondemnedKey(std::string_view key, int64_t* not_before, Digest* digest);
bool ParseLinkExpiryKey(std::string_view key, int64_t* expires, RepositoryId* repository,
                        Digest* blob);
bool ParseClaimExpiryKey(std::string_view key, EdgeKind* kind, int64_t* expires, std::string* name);
bool ParseEdgeRemovalKey(std::string_view key, RepositoryId* repository, Digest* manifest);
bool ParseRemovingKey(std::string_view key, FileId* file);
bool ParseOrphanKey(std::string_view key, FileId* file);
bool ParseCommitTokenKey(std::string_view key, uint32_t* slot);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_KEYS_H_
