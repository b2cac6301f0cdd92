// Values of index rows: plain structs with Encode and Decode. Every row starts with a version byte;
// RocksDB checksums what it stores, and the bytes of inline blobs carry a checksum of their own.
// Encode writes the newest version. Decode reads every version, and answers DataLoss, naming the
// table, for anything that none of them wrote. storage/FORMAT.md.
#ifndef VARVE_STORAGE_INDEX_ROWS_H_
#define VARVE_STORAGE_INDEX_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/index/keys.h"

namespace varve {

struct BlobRow {
  enum class Tier : uint8_t { kInline = 1, kLoose = 2, kPacked = 3 };
  Tier tier = Tier::kInline;
  bool quarantined = false;  // the stored bytes are known to be bad: answers absent until healed
  uint64_t size_bytes = 0;
  FileId file = 0;  // of a loose blob
  int64_t created_nanos = 0;
  // Which stored bytes stand behind the row: from the one id counter, new with each switch; for a
  // loose blob its file id. 0: written by version 1, whose copies are told apart by their files.
  uint64_t copy = 0;
  int64_t proven_nanos = 0;  // when the stored bytes were last read back and hashed; 0: never
  // Of a packed blob: where the slot of its wrapper is, and every pack that it uses.
  uint64_t pack = 0;
  uint32_t slot = 0;
  std::vector<uint64_t> packs;

  std::string Encode() const;
  static absl::StatusOr<BlobRow> Decode(std::string_view value);

  // True while the same stored bytes stand behind both rows, in the same state.
  friend bool SameCopy(const BlobRow& a, const BlobRow& b) {
    return a.copy == b.copy && a.tier == b.tier && a.file == b.file &&
           a.quarantined == b.quarantined;
  }
};

// The bytes of an inline blob with their checksum.
std::string EncodeInlineBytes(std::string_view bytes);
absl::StatusOr<std::string> DecodeInlineBytes(std::string value);

struct UploadRow {
  std::string repository;  // by name: it need not exist before the commit
  int64_t started_nanos = 0;
  int64_t updated_nanos = 0;
  FileId file = 0;         // 0: the bytes are in `buffered`
  std::string hash_state;  // Hasher::SaveState over exactly the synced bytes
  std::string buffered;

  std::string Encode() const;
  static absl::StatusOr<UploadRow> Decode(std::string_view value);
};

struct RepositoryRow {
  RepositoryId id = 0;
  int64_t created_nanos = 0;

  std::string Encode() const;
  static absl::StatusOr<RepositoryRow> Decode(std::string_view value);
};

struct TagRow {
  Digest digest;
  int64_t tagged_nanos = 0;

  std::string Encode() const;
  static absl::StatusOr<TagRow> Decode(std::string_view value);
};

// A manifest as one repository lists it: what listings need without reading the manifest.
struct MemberRow {
  std::string media_type;
  std::string artifact_type;
  std::optional<Digest> config;
  std::optional<Digest> subject;
  uint64_t size_bytes = 0;
  uint64_t content_bytes = 0;
  int64_t pushed_nanos = 0;

  std::string Encode() const;
  static absl::StatusOr<MemberRow> Decode(std::string_view value);
};

struct LinkRow {
  int64_t expires_nanos = 0;

  std::string Encode() const;
  static absl::StatusOr<LinkRow> Decode(std::string_view value);
};

// A file that lost its rows; kept for kOrphanNanos.
struct OrphanRow {
  uint64_t size_bytes = 0;
  uint64_t disk_bytes = 0;  // that it takes
  int64_t found_nanos = 0;

  std::string Encode() const;
  static absl::StatusOr<OrphanRow> Decode(std::string_view value);
};

// "A container uses this image."
struct HoldRow {
  Digest manifest;
  RepositoryId repository = 0;  // where it was named; 0: the whole store
  int64_t created_nanos = 0;
  int64_t expires_nanos = 0;  // 0: never

  std::string Encode() const;
  static absl::StatusOr<HoldRow> Decode(std::string_view value);
};

// A client's claim on content while it works.
struct LeaseRow {
  bool ending = false;  // its edges are being removed in pages
  std::string owner;
  int64_t created_nanos = 0;
  int64_t deadline_nanos = 0;
  uint64_t contents = 0;  // digests attached
  std::vector<std::pair<std::string, std::string>> labels;

  std::string Encode() const;
  static absl::StatusOr<LeaseRow> Decode(std::string_view value);
};

// Rows of one number: meta rows, counters.
std::string EncodeNumber(uint64_t value);
absl::StatusOr<uint64_t> DecodeNumber(std::string_view value);

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROWS_H_
