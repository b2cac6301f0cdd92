// Every encoding of storage/FORMAT.md, byte for byte: whoever changes one makes a new format
// version.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "storage/image/hasher.h"
#include "storage/index/counter.h"
#include "storage/index/keys.h"
#include "storage/index/rows.h"
#include "storage/limits.h"
#include "storage/store_file.h"

namespace varve {
namespace {

// A digest whose bytes show their order: first, first + 1, …
Digest CountingDigest(char first) {
  std::string raw;
  for (int i = 0; i < 32; ++i) raw.push_back(static_cast<char>(first + i));
  return Digest(DigestAlgorithm::kSha256, raw);
}

const Digest kDigest = CountingDigest(0);
const Digest kOther = CountingDigest(0x40);
constexpr RepositoryId kRepository = 0x0102030405060708;
constexpr int64_t kTime = 0x1112131415161718;
constexpr FileId kFile = 0x2122;

// The digests in the expectations below.
const char kDigestHex[] = "01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const char kOtherHex[] = "01404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

template <typename... Pieces>
std::string Joined(const Pieces&... pieces) {
  return (std::string() + ... + std::string(pieces));
}

TEST(GoldenBytesTest, KeysOfBlobs) {
  EXPECT_EQ(Hex(BlobKey(kDigest)), Joined("62", kDigestHex));
  EXPECT_EQ(Hex(InlineKey(kDigest)), Joined("69", kDigestHex));
  EXPECT_EQ(Hex(FileKey(kFile)), "660000000000002122");
  EXPECT_EQ(Hex(RemovingKey(kFile)), "780000000000002122");
  EXPECT_EQ(Hex(OrphanKey(kFile)), "640000000000002122");
  EXPECT_EQ(Hex(CondemnedKey(kTime, kDigest)), Joined("631112131415161718", kDigestHex));
  EXPECT_EQ(Hex(UploadKey("up-1")), "6775702d31");
}

TEST(GoldenBytesTest, KeysOfSha512) {
  const std::string raw(64, '\x5a');
  EXPECT_EQ(Hex(BlobKey(Digest(DigestAlgorithm::kSha512, raw))), Joined("6202", Hex(raw)));
}

TEST(GoldenBytesTest, KeysOfRepositories) {
  EXPECT_EQ(Hex(RepositoryKey("a/b")), "72612f62");
  EXPECT_EQ(Hex(RepositoryNameKey(kRepository)), "6e0102030405060708");
  EXPECT_EQ(Hex(TagKey(kRepository, "v1")), "7401020304050607087631");
  EXPECT_EQ(Hex(MemberKey(kRepository, kDigest)), Joined("6d0102030405060708", kDigestHex));
  EXPECT_EQ(Hex(LinkKey(kRepository, kDigest)), Joined("6c0102030405060708", kDigestHex));
  EXPECT_EQ(Hex(LinkExpiryKey(kTime, kRepository, kDigest)),
            Joined("7911121314151617180102030405060708", kDigestHex));
  EXPECT_EQ(Hex(ReferrerKey(kRepository, kDigest, kOther)),
            Joined("730102030405060708", kDigestHex, kOtherHex));
  EXPECT_EQ(Hex(PulledKey(kRepository, kDigest)), Joined("700102030405060708", kDigestHex));
  EXPECT_EQ(Hex(EdgeRemovalKey(kRepository, kDigest)), Joined("750102030405060708", kDigestHex));
  EXPECT_EQ(Hex(MetaKey("uuid")), "7175756964");
  EXPECT_EQ(Hex(CounterKey("blobs")), "7a626c6f6273");
  EXPECT_EQ(Hex(CommitTokenKey(42)), "6b0000002a");
}

TEST(GoldenBytesTest, KeysOfEdges) {
  EXPECT_EQ(Hex(MemberEdgeKey(kDigest, kRepository)),
            Joined("65", kDigestHex, "4d0102030405060708"));
  EXPECT_EQ(Hex(TagEdgeKey(kDigest, kRepository, "v1")),
            Joined("65", kDigestHex, "5401020304050607087631"));
  EXPECT_EQ(Hex(ReferenceEdgeKey(kDigest, EdgeKind::kReference, kRepository, kOther)),
            Joined("65", kDigestHex, "520102030405060708", kOtherHex));
  EXPECT_EQ(Hex(ReferenceEdgeKey(kDigest, EdgeKind::kPending, kRepository, kOther)),
            Joined("65", kDigestHex, "500102030405060708", kOtherHex));
}

TEST(GoldenBytesTest, KeysOfClaims) {
  EXPECT_EQ(Hex(HoldKey("web-1")), "687765622d31");
  EXPECT_EQ(Hex(LeaseKey("L1")), "614c31");
  EXPECT_EQ(Hex(LeaseContentKey("L1", kDigest)), Joined("6f000000024c31", kDigestHex));
  EXPECT_EQ(Hex(ClaimExpiryKey(EdgeKind::kHold, kTime, "web-1")), "774811121314151617187765622d31");
  EXPECT_EQ(Hex(ClaimExpiryKey(EdgeKind::kLease, kTime, "L1")), "774c11121314151617184c31");
  EXPECT_EQ(Hex(HoldEdgeKey(kDigest, kRepository, "web-1")),
            Joined("65", kDigestHex, "4801020304050607087765622d31"));
  EXPECT_EQ(Hex(LeaseEdgeKey(kDigest, "L1")), Joined("65", kDigestHex, "4c00000000000000004c31"));
}

TEST(GoldenBytesTest, RowsOfClaims) {
  EXPECT_EQ(Hex(HoldRow{kDigest, kRepository, kTime, kTime + 1}.Encode()),
            Joined("01", kDigestHex, "0102030405060708", "1112131415161718", "1112131415161719"));
  LeaseRow row;
  row.owner = "ci";
  row.created_nanos = kTime;
  row.deadline_nanos = kTime + 1;
  row.contents = 2;
  row.labels = {{"k", "v"}};
  EXPECT_EQ(Hex(row.Encode()),
            Joined("0100", "000000026369", "1112131415161718", "1112131415161719",
                   "0000000000000002", "00000001", "000000016b", "0000000176"));
}

BlobRow RowOf(BlobRow::Tier tier, uint64_t size_bytes, uint64_t copy, int64_t proven_nanos) {
  BlobRow row;
  row.tier = tier;
  row.size_bytes = size_bytes;
  row.created_nanos = kTime;
  row.copy = copy;
  row.proven_nanos = proven_nanos;
  return row;
}

TEST(GoldenBytesTest, RowsOfBlobs) {
  const BlobRow inlined = RowOf(BlobRow::Tier::kInline, 0x33, 0x2123, 0);
  EXPECT_EQ(Hex(inlined.Encode()),
            "0201000000000000000033000000000000000011121314151617180000000000002123"
            "0000000000000000");
  BlobRow loose = RowOf(BlobRow::Tier::kLoose, 0x445566, kFile, kTime + 1);
  loose.quarantined = true;
  loose.file = kFile;
  EXPECT_EQ(Hex(loose.Encode()),
            "0202010000000000445566000000000000212211121314151617180000000000002122"
            "1112131415161719");
  EXPECT_EQ(Hex(EncodeInlineBytes("varve")), "01c64e3d9268dd4f6f7661727665");
}

BlobRow PackedRow() {
  BlobRow row = RowOf(BlobRow::Tier::kPacked, 0x445566, 0x2124, kTime + 1);
  row.pack = 0x31;
  row.slot = 0x3f;
  row.packs = {0x30, 0x31};
  return row;
}

TEST(GoldenBytesTest, RowOfAPackedBlob) {
  const std::string bytes = PackedRow().Encode();
  EXPECT_EQ(Hex(bytes), Joined("0203000000000000445566000000000000000011121314151617180000000000",
                               "0021241112131415161719", "0000000000000031", "0000003f", "00000002",
                               "0000000000000030", "0000000000000031"));
  const absl::StatusOr<BlobRow> row = BlobRow::Decode(bytes);
  ASSERT_EQ(row.status(), absl::OkStatus());
  EXPECT_EQ(row->pack, 0x31u);
  EXPECT_EQ(row->slot, 0x3fu);
  EXPECT_EQ(row->packs, (std::vector<uint64_t>{0x30, 0x31}));
}

// What version 1 wrote is read for good.
TEST(GoldenBytesTest, RowsOfBlobsOfVersion1) {
  const absl::StatusOr<BlobRow> inlined = BlobRow::Decode(
      absl::HexStringToBytes("010100000000000000003300000000000000001112131415161718"));
  ASSERT_EQ(inlined.status(), absl::OkStatus());
  EXPECT_EQ(inlined->tier, BlobRow::Tier::kInline);
  EXPECT_FALSE(inlined->quarantined);
  EXPECT_EQ(inlined->size_bytes, 0x33u);
  EXPECT_EQ(inlined->created_nanos, kTime);
  const absl::StatusOr<BlobRow> loose = BlobRow::Decode(
      absl::HexStringToBytes("010201000000000044556600000000000021221112131415161718"));
  ASSERT_EQ(loose.status(), absl::OkStatus());
  EXPECT_EQ(loose->tier, BlobRow::Tier::kLoose);
  EXPECT_TRUE(loose->quarantined);
  EXPECT_EQ(loose->size_bytes, 0x445566u);
  EXPECT_EQ(loose->file, kFile);
  for (const absl::StatusOr<BlobRow>& row : {inlined, loose}) {
    EXPECT_EQ(row->copy, 0u);
    EXPECT_EQ(row->proven_nanos, 0);
  }
}

TEST(GoldenBytesTest, BlobRowsThatNoVersionWroteAreDamage) {
  for (const char* hex : {
           "",
           "02",
           // Version 1 had no packed tier, version 3 is not known, nor is tier 4.
           "010300000000000000003300000000000000001112131415161718",
           "0301000000000000000033000000000000000011121314151617180000000000002123"
           "0000000000000000",
           "0204000000000000000033000000000000000011121314151617180000000000002123"
           "0000000000000000",
           // Version 1 ended where version 2 goes on.
           "020100000000000000003300000000000000001112131415161718",
           "010100000000000000003300000000000000001112131415161718000000000000212300000000000000"
           "00",
       }) {
    EXPECT_EQ(BlobRow::Decode(absl::HexStringToBytes(hex)).status().code(),
              absl::StatusCode::kDataLoss)
        << hex;
  }
  BlobRow row = PackedRow();
  row.packs.assign(kMaxPacksOfBlob, 7);
  std::string most = row.Encode();
  EXPECT_TRUE(BlobRow::Decode(most).ok());
  // One more: in the number of them, which stands before them, and at the end.
  ++most[most.size() - 8 * kMaxPacksOfBlob - 1];
  most += most.substr(most.size() - 8);
  EXPECT_FALSE(BlobRow::Decode(most).ok());
}

TEST(GoldenBytesTest, RowsOfRepositories) {
  EXPECT_EQ(Hex(RepositoryRow{kRepository, kTime}.Encode()), "0101020304050607081112131415161718");
  EXPECT_EQ(Hex(TagRow{kDigest, kTime}.Encode()), Joined("01", kDigestHex, "1112131415161718"));
  EXPECT_EQ(Hex(LinkRow{kTime}.Encode()), "011112131415161718");
  EXPECT_EQ(Hex(OrphanRow{0x33, 0x1000, kTime}.Encode()),
            "01000000000000003300000000000010001112131415161718");
  EXPECT_EQ(Hex(EncodeNumber(0x0102)), "0000000000000102");
  EXPECT_EQ(Hex(EncodeCounter(-2)), "fffffffffffffffe");
}

TEST(GoldenBytesTest, RowOfAMember) {
  MemberRow row;
  row.media_type = "m/t";
  row.artifact_type = "a";
  row.config = kDigest;
  row.subject = kOther;
  row.size_bytes = 0x0203;
  row.content_bytes = 0x040506;
  row.pushed_nanos = kTime;
  EXPECT_EQ(Hex(row.Encode()),
            Joined("01", "000000036d2f74", "0000000161", "00000021", kDigestHex, "00000021",
                   kOtherHex, "0000000000000203", "0000000000040506", "1112131415161718"));
  EXPECT_EQ(Hex(MemberRow().Encode()),
            Joined("01", "00000000", "00000000", "00000000", "00000000", "0000000000000000",
                   "0000000000000000", "0000000000000000"));
}

TEST(GoldenBytesTest, RowOfAnUpload) {
  UploadRow row;
  row.repository = "a/b";
  row.started_nanos = kTime;
  row.updated_nanos = kTime + 1;
  row.file = kFile;
  row.hash_state = "H";
  row.buffered = "xy";
  EXPECT_EQ(Hex(row.Encode()),
            Joined("01", "00000003612f62", "1112131415161718", "1112131415161719",
                   "0000000000002122", "0000000148", "000000027879"));
}

TEST(GoldenBytesTest, HashStateOfSha256) {
  Hasher hasher(DigestAlgorithm::kSha256);
  hasher.Update(std::string(64, 'v') + "arve");
  EXPECT_EQ(Hex(hasher.SaveState()),
            Joined("01", "01", "0000000000000044",          // version, algorithm, bytes
                   "000000009999be7f", "0000000032f1b732",  // chaining words
                   "00000000369a14b1", "00000000546fc313",  //
                   "00000000c53dd45e", "00000000b29aac69",  //
                   "0000000056cea1f1", "0000000090a39a1d",  //
                   "0000000461727665",                      // "arve" waits for a block
                   "cf8b8ee7ed65513d"));
}

TEST(GoldenBytesTest, HashStateOfSha512) {
  Hasher hasher(DigestAlgorithm::kSha512);
  hasher.Update("varve");
  EXPECT_EQ(Hex(hasher.SaveState()),
            Joined("01", "02", "0000000000000005",          // version, algorithm, bytes
                   "6a09e667f3bcc908", "bb67ae8584caa73b",  // chaining words: the initial ones
                   "3c6ef372fe94f82b", "a54ff53a5f1d36f1",  //
                   "510e527fade682d1", "9b05688c2b3e6c1f",  //
                   "1f83d9abfb41bd6b", "5be0cd19137e2179",  //
                   "000000057661727665",                    // "varve" waits for a block
                   "1348e491b793420e"));
}

TEST(GoldenBytesTest, TextOfStore) {
  StoreFile store;
  store.uuid = "00112233-4455-4677-8899-aabbccddeeff";
  store.created_nanos = 1'893'456'000'000'000'000;
  EXPECT_EQ(EncodeStoreFile(store),
            "varve-store 2\n"
            "uuid 00112233-4455-4677-8899-aabbccddeeff\n"
            "created 1893456000000000000\n"
            "compat 0\n"
            "ro_compat 0\n"
            "incompat 0\n"
            "checksum 24159549e88848cc\n");
}

}  // namespace
}  // namespace varve
