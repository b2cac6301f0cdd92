// What the store reads back from its disk: saved hash states, values of index rows, index keys.
// Input: a byte that chooses the reader, then its bytes. What is accepted is written again as the
// same bytes, so no reader takes what its writer never wrote.
#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/bytes.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "tests/fuzz/invariant.h"

namespace varve {
namespace {

void CheckHashState(std::string_view state) {
  absl::StatusOr<Hasher> hasher = Hasher::Restore(state);
  if (!hasher.ok()) {
    FUZZ_INVARIANT(hasher.status().code() == absl::StatusCode::kDataLoss);
    return;
  }
  const std::string saved = hasher->SaveState();
  FUZZ_INVARIANT(saved.size() <= 256);
  absl::StatusOr<Hasher> again = Hasher::Restore(saved);
  FUZZ_INVARIANT(again.ok() && again->Current() == hasher->Current());
  FUZZ_INVARIANT(again->bytes_hashed() == hasher->bytes_hashed());
  hasher->Update("more");
  again->Update("more");
  FUZZ_INVARIANT(again->Current() == hasher->Current());
}

// With a right checksum, which no mutation would find by itself.
void CheckHashStateBody(std::string_view body) {
  std::string state(body);
  AppendU64(&state, XXH3_64bits(body.data(), body.size()));
  CheckHashState(state);
}

template <typename Row>
void CheckRow(std::string_view value) {
  const absl::StatusOr<Row> row = Row::Decode(value);
  if (row.ok()) {
    FUZZ_INVARIANT(row->Encode() == value);
  } else {
    FUZZ_INVARIANT(row.status().code() == absl::StatusCode::kDataLoss);
  }
}

// A row of an earlier version is written again as one of the newest, which reads as the same.
void CheckBlobRow(std::string_view value) {
  absl::StatusOr<BlobRow> row = BlobRow::Decode(value);
  if (!row.ok() || value.front() == row->Encode().front()) return CheckRow<BlobRow>(value);
  CheckRow<BlobRow>(row->Encode());
}

void CheckInlineBytes(std::string_view bytes) {
  const absl::StatusOr<std::string> damaged = DecodeInlineBytes(std::string(bytes));
  FUZZ_INVARIANT(!damaged.ok() || EncodeInlineBytes(*damaged) == bytes);
  if (bytes.size() > kMaxInlineBlobBytes) return;
  const absl::StatusOr<std::string> whole = DecodeInlineBytes(EncodeInlineBytes(bytes));
  FUZZ_INVARIANT(whole.ok() && *whole == bytes);
}

void CheckNumber(std::string_view value) {
  const absl::StatusOr<uint64_t> number = DecodeNumber(value);
  FUZZ_INVARIANT(!number.ok() || EncodeNumber(*number) == value);
}

std::string KeyOf(const Digest& target, const EdgeSource& source) {
  switch (source.kind) {
    case EdgeKind::kHold:
      return HoldEdgeKey(target, source.repository, source.name);
    case EdgeKind::kLease:
      return LeaseEdgeKey(target, source.name);
    case EdgeKind::kMember:
      return MemberEdgeKey(target, source.repository);
    case EdgeKind::kTag:
      return TagEdgeKey(target, source.repository, source.name);
    case EdgeKind::kPending:
    case EdgeKind::kReference:
      break;
  }
  return ReferenceEdgeKey(target, source.kind, source.repository, source.manifest);
}

void CheckEdgeKey(std::string_view key) {
  Digest target;
  EdgeSource source;
  if (!ParseEdgeKey(key, &target, &source)) return;
  FUZZ_INVARIANT(KeyOf(target, source) == key);
}

// Of tables that only a check of the store walks.
void CheckWalkedKeys(std::string_view key) {
  uint64_t id = 0;
  Digest digest;
  Digest other;
  std::string name;
  uint32_t slot = 0;
  if (ParseCommitTokenKey(key, &slot)) FUZZ_INVARIANT(CommitTokenKey(slot) == key);
  if (ParseInlineKey(key, &digest)) FUZZ_INVARIANT(InlineKey(digest) == key);
  if (ParseFileKey(key, &id)) FUZZ_INVARIANT(FileKey(id) == key);
  if (ParseRepositoryNameKey(key, &id)) FUZZ_INVARIANT(RepositoryNameKey(id) == key);
  if (ParseTagKey(key, &id, &name)) FUZZ_INVARIANT(TagKey(id, name) == key);
  if (ParseLinkKey(key, &id, &digest)) FUZZ_INVARIANT(LinkKey(id, digest) == key);
  if (ParsePulledKey(key, &id, &digest)) FUZZ_INVARIANT(PulledKey(id, digest) == key);
  if (ParseReferrerKey(key, &id, &digest, &other)) {
    FUZZ_INVARIANT(ReferrerKey(id, digest, other) == key);
  }
  if (ParseLeaseContentKey(key, &name, &digest)) {
    FUZZ_INVARIANT(LeaseContentKey(name, digest) == key);
  }
}

void CheckKeys(std::string_view key) {
  int64_t time = 0;
  uint64_t id = 0;
  Digest digest;
  if (ParseCondemnedKey(key, &time, &digest)) FUZZ_INVARIANT(CondemnedKey(time, digest) == key);
  if (ParseLinkExpiryKey(key, &time, &id, &digest)) {
    FUZZ_INVARIANT(LinkExpiryKey(time, id, digest) == key);
  }
  if (ParseEdgeRemovalKey(key, &id, &digest)) FUZZ_INVARIANT(EdgeRemovalKey(id, digest) == key);
  if (ParseRemovingKey(key, &id)) FUZZ_INVARIANT(RemovingKey(id) == key);
  if (ParseBlobKey(key, &digest)) FUZZ_INVARIANT(BlobKey(digest) == key);
  if (ParseMemberKey(key, &id, &digest)) FUZZ_INVARIANT(MemberKey(id, digest) == key);
  CheckEdgeKey(key);
  CheckWalkedKeys(key);
  std::string_view rest = key;
  if (Digest::ConsumeKey(&rest, &digest)) {
    std::string written;
    digest.AppendKey(&written);
    FUZZ_INVARIANT(written == key.substr(0, key.size() - rest.size()));
  }
}

void CheckOne(char reader, std::string_view bytes) {
  switch (reader) {
    case 'h':
      return CheckHashState(bytes);
    case 'H':
      return CheckHashStateBody(bytes);
    case 'b':
      return CheckBlobRow(bytes);
    case 'u':
      return CheckRow<UploadRow>(bytes);
    case 'r':
      return CheckRow<RepositoryRow>(bytes);
    case 't':
      return CheckRow<TagRow>(bytes);
    case 'm':
      return CheckRow<MemberRow>(bytes);
    case 'l':
      return CheckRow<LinkRow>(bytes);
    case 'i':
      return CheckInlineBytes(bytes);
    case 'n':
      return CheckNumber(bytes);
    case 'k':
      return CheckKeys(bytes);
    default:
      return;
  }
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  varve::CheckOne(input.front(), input.substr(1));
  return 0;
}
