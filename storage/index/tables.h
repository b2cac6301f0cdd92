// The tables of the index, one key space: the first byte of a key says of which one it is. The
// list here is that of storage/FORMAT.md, which a test compares with it; fsck looks at each.
#ifndef VARVE_STORAGE_INDEX_TABLES_H_
#define VARVE_STORAGE_INDEX_TABLES_H_

#include <string_view>

namespace varve {

enum class Table : char {
  kLease = 'a',
  kBlob = 'b',
  kCondemned = 'c',
  kOrphan = 'd',
  kEdge = 'e',
  kFile = 'f',
  kUpload = 'g',
  kHold = 'h',
  kInline = 'i',  // the RocksDB index keeps it apart, with large values in files of their own
  kCommitToken = 'k',
  kLink = 'l',
  kMember = 'm',
  kRepositoryName = 'n',
  kLeaseContent = 'o',
  kPulled = 'p',
  kMeta = 'q',
  kRepository = 'r',
  kReferrer = 's',
  kTag = 't',
  kEdgeRemoval = 'u',
  kClaimExpiry = 'w',
  kRemoving = 'x',
  kLinkExpiry = 'y',
  kCounter = 'z',
};

struct TableInfo {
  Table table;
  std::string_view name;
  std::string_view row;  // what its values are; "": empty, the key says all
};

// In the order of the keys.
inline constexpr TableInfo kTables[] = {
    {Table::kLease, "lease", "lease row"},
    {Table::kBlob, "blob", "blob row"},
    {Table::kCondemned, "condemned", ""},
    {Table::kOrphan, "orphan", "orphan row"},
    {Table::kEdge, "edge", ""},
    {Table::kFile, "file", "digest key"},
    {Table::kUpload, "upload", "upload row"},
    {Table::kHold, "hold", "hold row"},
    {Table::kInline, "inline", "inline row"},
    {Table::kCommitToken, "commit token", "u64 process · u64 number"},
    {Table::kLink, "link", "link row"},
    {Table::kMember, "member", "member row"},
    {Table::kRepositoryName, "repository name", "text"},
    {Table::kLeaseContent, "lease content", ""},
    {Table::kPulled, "pulled", "u64 time"},
    {Table::kMeta, "meta", "u64 or text"},
    {Table::kRepository, "repository", "repository row"},
    {Table::kReferrer, "referrer", ""},
    {Table::kTag, "tag", "tag row"},
    {Table::kEdgeRemoval, "edge removal", "u64"},
    {Table::kClaimExpiry, "claim expiry", ""},
    {Table::kRemoving, "removing", "nothing, or u8 root"},
    {Table::kLinkExpiry, "link expiry", ""},
    {Table::kCounter, "counter", "i64"},
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_TABLES_H_
