#include "storage/index/rows.h"

#include <xxhash.h>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr uint8_t kRowVersion = 1;
constexpr uint8_t kBlobRowVersion = 2;
// Of a blob that is not packed: version, tier, quarantined, and five numbers.
constexpr size_t kBlobRowBytes = 3 + 5 * sizeof(uint64_t);

std::string NewRow(uint8_t version = kRowVersion) {
  return std::string(1, static_cast<char>(version));
}

absl::Status Malformed(std::string_view table) {
  return absl::DataLossError(StrCat("a ", table, " row of the index is damaged"));
}

void AppendOptionalDigest(std::string* out, const std::optional<Digest>& digest) {
  std::string key;
  if (digest.has_value()) digest->AppendKey(&key);
  AppendString(out, key);
}

// False when the bytes are neither empty nor a whole digest.
bool ReadOptionalDigest(ByteReader& reader, std::optional<Digest>* digest) {
  std::string_view key = reader.String();
  if (key.empty()) return reader.ok();
  Digest value;
  if (!Digest::ConsumeKey(&key, &value) || !key.empty()) return false;
  *digest = value;
  return true;
}

}  // namespace

std::string BlobRow::Encode() const {
  CheckInvariant(tier >= Tier::kInline && tier <= Tier::kPacked, "a blob has a known tier");
  CheckInvariant((tier == Tier::kLoose) == (file != 0),
                 "a loose blob has a file, and no other has");
  std::string out = NewRow(kBlobRowVersion);
  AppendU8(&out, static_cast<uint8_t>(tier));
  AppendU8(&out, quarantined ? 1 : 0);
  AppendU64(&out, size_bytes);
  AppendU64(&out, file);
  AppendU64(&out, static_cast<uint64_t>(created_nanos));
  AppendU64(&out, copy);
  AppendU64(&out, static_cast<uint64_t>(proven_nanos));
  CheckInvariant(out.size() == kBlobRowBytes, "a blob row has the bytes that it is read with");
  if (tier != Tier::kPacked) return out;
  AppendU64(&out, pack);
  AppendU32(&out, slot);
  AppendU32(&out, static_cast<uint32_t>(packs.size()));
  for (const uint64_t one : packs) AppendU64(&out, one);
  return out;
}

absl::StatusOr<BlobRow> BlobRow::Decode(std::string_view value) {
  ByteReader reader(value);
  BlobRow row;
  const uint8_t version = reader.U8();
  row.tier = static_cast<Tier>(reader.U8());
  const uint8_t quarantined = reader.U8();
  row.quarantined = quarantined == 1;
  row.size_bytes = reader.U64();
  row.file = reader.U64();
  row.created_nanos = reader.I64();
  if (version == kBlobRowVersion) {
    row.copy = reader.U64();
    row.proven_nanos = reader.I64();
  }
  bool known_tier = row.tier == Tier::kInline || row.tier == Tier::kLoose;
  if (version == kBlobRowVersion && row.tier == Tier::kPacked) {
    row.pack = reader.U64();
    row.slot = reader.U32();
    const uint32_t packs = reader.U32();
    known_tier = packs <= kMaxPacksOfBlob;
    for (uint32_t i = 0; known_tier && i < packs; ++i) row.packs.push_back(reader.U64());
  }
  const bool known_version = version == kRowVersion || version == kBlobRowVersion;
  const bool file_fits = (row.tier == Tier::kLoose) == (row.file != 0);
  if (!reader.done() || !known_version || !known_tier || !file_fits || quarantined > 1) {
    return Malformed("blob");
  }
  return row;
}

std::string EncodeInlineBytes(std::string_view bytes) {
  CheckInvariant(bytes.size() <= kMaxInlineBlobBytes, "an inline blob fits one row");
  std::string out = NewRow();
  out.reserve(1 + sizeof(uint64_t) + bytes.size());
  AppendU64(&out, XXH3_64bits(bytes.data(), bytes.size()));
  out.append(bytes);
  return out;
}

absl::StatusOr<std::string> DecodeInlineBytes(std::string value) {
  ByteReader reader(value);
  const uint8_t version = reader.U8();
  const uint64_t checksum = reader.U64();
  const std::string_view bytes = reader.rest();
  if (!reader.ok() || version != kRowVersion || bytes.size() > kMaxInlineBlobBytes ||
      checksum != XXH3_64bits(bytes.data(), bytes.size())) {
    return Malformed("inline blob");
  }
  value.erase(0, value.size() - bytes.size());
  return value;
}

std::string UploadRow::Encode() const {
  std::string out = NewRow();
  AppendString(&out, repository);
  AppendU64(&out, static_cast<uint64_t>(started_nanos));
  AppendU64(&out, static_cast<uint64_t>(updated_nanos));
  AppendU64(&out, file);
  AppendString(&out, hash_state);
  AppendString(&out, buffered);
  return out;
}

absl::StatusOr<UploadRow> UploadRow::Decode(std::string_view value) {
  ByteReader reader(value);
  UploadRow row;
  const uint8_t version = reader.U8();
  row.repository = std::string(reader.String());
  row.started_nanos = reader.I64();
  row.updated_nanos = reader.I64();
  row.file = reader.U64();
  row.hash_state = std::string(reader.String());
  row.buffered = std::string(reader.String());
  if (!reader.done() || version != kRowVersion) return Malformed("upload");
  return row;
}

std::string RepositoryRow::Encode() const {
  CheckInvariant(id != 0, "a repository has an id, which the whole store has not");
  std::string out = NewRow();
  AppendU64(&out, id);
  AppendU64(&out, static_cast<uint64_t>(created_nanos));
  return out;
}

absl::StatusOr<RepositoryRow> RepositoryRow::Decode(std::string_view value) {
  ByteReader reader(value);
  RepositoryRow row;
  const uint8_t version = reader.U8();
  row.id = reader.U64();
  row.created_nanos = reader.I64();
  if (!reader.done() || version != kRowVersion || row.id == 0) return Malformed("repository");
  return row;
}

std::string TagRow::Encode() const {
  std::string out = NewRow();
  digest.AppendKey(&out);
  AppendU64(&out, static_cast<uint64_t>(tagged_nanos));
  return out;
}

absl::StatusOr<TagRow> TagRow::Decode(std::string_view value) {
  TagRow row;
  if (value.empty() || static_cast<uint8_t>(value.front()) != kRowVersion) return Malformed("tag");
  value.remove_prefix(1);
  if (!Digest::ConsumeKey(&value, &row.digest)) return Malformed("tag");
  ByteReader reader(value);
  row.tagged_nanos = reader.I64();
  if (!reader.done()) return Malformed("tag");
  return row;
}

std::string MemberRow::Encode() const {
  std::string out = NewRow();
  AppendString(&out, media_type);
  AppendString(&out, artifact_type);
  AppendOptionalDigest(&out, config);
  AppendOptionalDigest(&out, subject);
  AppendU64(&out, size_bytes);
  AppendU64(&out, content_bytes);
  AppendU64(&out, static_cast<uint64_t>(pushed_nanos));
  return out;
}

absl::StatusOr<MemberRow> MemberRow::Decode(std::string_view value) {
  ByteReader reader(value);
  MemberRow row;
  const uint8_t version = reader.U8();
  row.media_type = std::string(reader.String());
  row.artifact_type = std::string(reader.String());
  const bool digests_ok =
      ReadOptionalDigest(reader, &row.config) && ReadOptionalDigest(reader, &row.subject);
  row.size_bytes = reader.U64();
  row.content_bytes = reader.U64();
  row.pushed_nanos = reader.I64();
  if (!reader.done() || version != kRowVersion || !digests_ok) return Malformed("manifest");
  return row;
}

std::string LinkRow::Encode() const {
  std::string out = NewRow();
  AppendU64(&out, static_cast<uint64_t>(expires_nanos));
  return out;
}

absl::StatusOr<LinkRow> LinkRow::Decode(std::string_view value) {
  ByteReader reader(value);
  LinkRow row;
  const uint8_t version = reader.U8();
  row.expires_nanos = reader.I64();
  if (!reader.done() || version != kRowVersion) return Malformed("link");
  return row;
}

std::string OrphanRow::Encode() const {
  std::string out = NewRow();
  AppendU64(&out, size_bytes);
  AppendU64(&out, disk_bytes);
  AppendU64(&out, static_cast<uint64_t>(found_nanos));
  return out;
}

absl::StatusOr<OrphanRow> OrphanRow::Decode(std::string_view value) {
  ByteReader reader(value);
  OrphanRow row;
  const uint8_t version = reader.U8();
  row.size_bytes = reader.U64();
  row.disk_bytes = reader.U64();
  row.found_nanos = reader.I64();
  if (!reader.done() || version != kRowVersion) return Malformed("orphan");
  return row;
}

std::string HoldRow::Encode() const {
  std::string out = NewRow();
  manifest.AppendKey(&out);
  AppendU64(&out, repository);
  AppendU64(&out, static_cast<uint64_t>(created_nanos));
  AppendU64(&out, static_cast<uint64_t>(expires_nanos));
  return out;
}

absl::StatusOr<HoldRow> HoldRow::Decode(std::string_view value) {
  HoldRow row;
  if (value.empty() || static_cast<uint8_t>(value.front()) != kRowVersion) return Malformed("hold");
  value.remove_prefix(1);
  if (!Digest::ConsumeKey(&value, &row.manifest)) return Malformed("hold");
  ByteReader reader(value);
  row.repository = reader.U64();
  row.created_nanos = reader.I64();
  row.expires_nanos = reader.I64();
  if (!reader.done()) return Malformed("hold");
  return row;
}

std::string LeaseRow::Encode() const {
  std::string out = NewRow();
  AppendU8(&out, ending ? 1 : 0);
  AppendString(&out, owner);
  AppendU64(&out, static_cast<uint64_t>(created_nanos));
  AppendU64(&out, static_cast<uint64_t>(deadline_nanos));
  AppendU64(&out, contents);
  AppendU32(&out, static_cast<uint32_t>(labels.size()));
  for (const auto& [key, text] : labels) {
    AppendString(&out, key);
    AppendString(&out, text);
  }
  return out;
}

absl::StatusOr<LeaseRow> LeaseRow::Decode(std::string_view value) {
  ByteReader reader(value);
  LeaseRow row;
  const uint8_t version = reader.U8();
  const uint8_t ending = reader.U8();
  row.ending = ending == 1;
  row.owner = std::string(reader.String());
  row.created_nanos = reader.I64();
  row.deadline_nanos = reader.I64();
  row.contents = reader.U64();
  for (uint32_t left = reader.U32(); left > 0 && reader.ok(); --left) {
    std::string key(reader.String());
    row.labels.emplace_back(std::move(key), std::string(reader.String()));
  }
  if (!reader.done() || version != kRowVersion || ending > 1) return Malformed("lease");
  return row;
}

std::string EncodeNumber(uint64_t value) {
  std::string out;
  AppendU64(&out, value);
  return out;
}

absl::StatusOr<uint64_t> DecodeNumber(std::string_view value) {
  ByteReader reader(value);
  const uint64_t number = reader.U64();
  if (!reader.done()) return Malformed("number");
  return number;
}

}  // namespace varve
