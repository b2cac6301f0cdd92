// Every limit of the engine with its arithmetic. A limit that a user may set lives in
// EngineOptions.
#ifndef VARVE_STORAGE_LIMITS_H_
#define VARVE_STORAGE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace varve {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// Index seam (storage/index/index.h). PostgreSQL's btree row limit (about 2.7 kB) and
// FoundationDB's value limit (100 kB) and advised transaction size (1 MB) set these.
inline constexpr size_t kMaxIndexKeyBytes = kKiB;
inline constexpr size_t kMaxIndexValueBytes = 64 * kKiB;
inline constexpr size_t kMaxTransactionOperations = 1000;
// Of a transaction that Index::Run makes: one write may be its commit token.
inline constexpr size_t kMaxRunOperations = kMaxTransactionOperations - 1;
inline constexpr size_t kMaxTransactionBytes = kMiB;
// Keys or ranges of one batch read: as many as a transaction may write. Blob rows, which are what
// is read so, take 1,000 x ~100 B = 100 kB; were all of them inline bytes, 64 MB.
inline constexpr size_t kMaxBatchReads = kMaxTransactionOperations;

// Rows that the index has in memory and in its log only. A table of them is written out from 7/8 of
// the buffer on; meanwhile another one fills to half of it, and each of the two families rounds up
// to a block of 1 MiB: 28 + 16 + 2 MiB.
inline constexpr uint64_t kIndexWriteBufferBytes = 32 * kMiB;
inline constexpr uint64_t kMaxIndexMemtableBytes = 46 * kMiB;
static_assert(kMaxIndexMemtableBytes ==
              kIndexWriteBufferBytes / 8 * 7 + kIndexWriteBufferBytes / 2 + 2 * kMiB);
// What the index needs on a disk that was full to be opened again: those rows twice, as tables and
// as blob files, and 4 MiB for its manifest, options and a new log.
inline constexpr uint64_t kIndexReopenBytes = 4 * kMiB;
// [store] reserve: with it given up, a deletion has that room whatever the rows in memory take.
inline constexpr uint64_t kMinReserveBytes = 96 * kMiB;
static_assert(kMinReserveBytes >= 2 * kMaxIndexMemtableBytes + kIndexReopenBytes);

// An inline blob is one index value: 64 KiB less its header (storage/FORMAT.md).
inline constexpr size_t kMaxInlineBlobBytes = 64 * kKiB - 64;

// Packs that one packed blob uses, listed in its row: 256 x 8 B = 2 KiB.
inline constexpr size_t kMaxPacksOfBlob = 256;

// OCI asks registries to take manifests of at least 4 MiB; more is refused.
inline constexpr size_t kMaxManifestBytes = 4 * kMiB;
// Nesting of JSON values inside a manifest; real ones have 4.
inline constexpr size_t kMaxJsonDepth = 32;
// Distinct digests that one manifest may name. Artifacts with 1,391 layers exist, and indexes with
// 901 children; 4 MiB of manifest have room for some 20,000.
inline constexpr size_t kMaxManifestReferences = 10'000;
// As many become visible in one transaction; a manifest with more is put in pages of as many. Each
// is one edge row (~110 bytes), and 100 operations are left for the rest: 900 x 110 B = 99 kB of
// the 1 MiB.
inline constexpr size_t kReferencesAtOnce = 900;
// Tags set by one manifest PUT (?tag=…, repeated).
inline constexpr size_t kMaxTagsPerPut = 10;

// An image config that is looked into; real ones have some kilobytes, a few, with metadata of their
// builder in labels, several hundred. Parsed, it may take 32 MiB: text takes little more than
// itself, but 4 MiB of "[0,0," are 2 M values x 24 B = 48 MiB. Nothing is shown of a larger one.
inline constexpr size_t kMaxConfigBytes = 4 * kMiB;
inline constexpr size_t kMaxConfigMemoryBytes = 32 * kMiB;
// Labels, history entries, layers of one config; Docker stops at 127 layers.
inline constexpr size_t kMaxConfigEntries = 10'000;

// Filters of one listing or prune: 64 x 4 KiB = 256 kB.
inline constexpr size_t kMaxFilters = 64;
inline constexpr size_t kMaxFilterBytes = 4 * kKiB;
// keep-last=N: so many digests of one repository are remembered, 10,000 x ~100 B = 1 MB.
inline constexpr size_t kMaxKeepLast = 10'000;
// What one page of images may cost: an index read, or 64 KiB of a manifest or config, is one. An
// image costs about 6, so a page of kMaxPageRows images needs 6,000.
inline constexpr size_t kMaxListingReads = 10'000;
// The same for one image: an index with 10,000 children costs about 22,000.
inline constexpr size_t kMaxImageReads = 24'000;
// Indexes within indexes that are followed; real ones have one level.
inline constexpr size_t kMaxIndexDepth = 4;
// Names of one image that an answer lists.
inline constexpr size_t kMaxImageNames = 1000;

inline constexpr size_t kMaxRepositoryNameBytes = 255;
// Repositories that may have become empty, remembered until that is known: 16,384 x ~28 B = 450 kB.
inline constexpr size_t kMaxEmptyRepositories = 16'384;
inline constexpr size_t kMaxTagBytes = 128;

// One page of any listing; 1,000 rows x ~400 B = 400 kB.
inline constexpr size_t kMaxPageRows = 1000;

// Digests of one FindMissing: 10,000 x ~75 B = 750 kB, under gRPC's 4 MiB message limit.
inline constexpr size_t kMaxFindMissingDigests = 10'000;

// Open uploads. One that nobody works on costs ~1 KiB: 64 Ki x 1 KiB = 64 MiB. The bytes of small
// ones, up to 64 KiB each, would be 4 GiB: they are counted apart, and past their limit go to
// files.
inline constexpr size_t kMaxOpenUploads = 64 * kKiB;
inline constexpr size_t kMaxBufferedUploadBytes = 32 * kMiB;
// On a full disk, uploads give way to others when nobody worked on them for so long.
inline constexpr int64_t kIdleUploadNanos = 60ll * 1'000'000'000;
// A file that is garbage from a crash on must be found at the next start: so an upload saves where
// it stands at least this often, and what a start looks at stays recent.
inline constexpr int64_t kUploadCheckpointNanos = 180ll * 1'000'000'000;
// What one pass of the reclaimer tells the log: 16 x ~200 B.
inline constexpr size_t kMaxReclaimProblems = 16;
inline constexpr size_t kMaxUploadIdBytes = 128;
// The synced offset of a large upload trails the received one by at most this.
inline constexpr uint64_t kUploadCheckpointBytes = 256 * kMiB;

// From this size on an upload is hashed and written by a pipeline; four of five layers are smaller.
// A pipeline has 3 pieces: one is filled, one hashed, one written. 16 pipelines x 3 x 1 MiB =
// 48 MiB; further large uploads go without.
inline constexpr uint64_t kLargeBlobBytes = 8 * kMiB;
inline constexpr size_t kWritePieceBytes = kMiB;
inline constexpr size_t kWritePipelinePieces = 3;
inline constexpr size_t kMaxWritePipelines = 16;
// What pipelines may leave in the page cache: the layers of an image, 256 MiB in ten seconds. What
// goes past it costs a third less processor time, or half of it where memory is lent by a host.
inline constexpr uint64_t kMaxPageCacheBytes = 256 * kMiB;
inline constexpr int64_t kPageCacheRefillNanos = 10ll * 1'000'000'000;

// No blob may be larger: 8 TiB, above what ext4 and S3 packs can take, far below integer trouble.
inline constexpr uint64_t kMaxBlobBytes = 8 * 1024 * kGiB;

// A push over a copy that was read back and hashed this lately keeps it; else the new bytes win.
inline constexpr int64_t kTrustProvenNanos = 7ll * 24 * 3600 * 1'000'000'000;
// Bytes of a blob that are read back and hashed at once.
inline constexpr size_t kProofPieceBytes = kMiB;

// File ids are reserved from the index this many at a time; a crash skips at most that many.
inline constexpr uint64_t kIdBlock = 1024;
// File ids that are tried when files of that number are there already, which only an index that was
// replaced under a running daemon leaves: two whole directories.
inline constexpr uint64_t kMaxTakenIds = 2 * kIdBlock;
// A file that lost its rows to damage of the index is kept for a week.
inline constexpr int64_t kOrphanNanos = 7ll * 24 * 3600 * 1'000'000'000;
// Files of one directory under blobs/: ids that share all but the low 10 bits.
inline constexpr uint64_t kFilesPerDirectory = 1024;

// What a client was told that it exists may not go: the end of that by the digest's hash, never
// full; two digests that share a place wait for the later end. 2^20 x 8 B = 8 MiB.
inline constexpr size_t kPromiseEnds = 1ull << 20;
// Who was told, in 64 hash tables. A table holds up to 25/32 of its 4,095 slots before it might
// double: 64 x 3,199; a slot has a digest, one promise of 32 bytes and a byte of the table's own:
// 64 x 4,095 x 113 B = 30 MB. When a table is full, of its promises those with the nearest ends are
// forgotten: the bytes stay, but whoever was told has to push them again.
inline constexpr size_t kPromiseShards = 64;
inline constexpr size_t kMaxPromises = kPromiseShards * 3'199;
static_assert(kPromiseEnds % kPromiseShards == 0);
// However long an upload goes on, what was promised before it lasts no longer than this.
inline constexpr int64_t kLongestPromiseNanos = 24ll * 3600 * 1'000'000'000;
// How long what was pushed or mounted is visible before a manifest names it. It outlives what
// renews the promises of its blob.
inline constexpr int64_t kLinkNanos = 25ll * 3600 * 1'000'000'000;
static_assert(kLinkNanos > kLongestPromiseNanos);
// Repositories whose last activity is remembered, by the low bits of their ids: 16,384 x 40 B = 655
// kB. Uploads of one place that are told apart: with 8 each, at most 16,384 x ~180 B = 3 MB.
inline constexpr size_t kActivityPlaces = 16'384;
inline constexpr size_t kUploadsPerPlace = 8;

// Uploads, and repositories, that the warning before promises end early names.
inline constexpr size_t kMaxNamedActivity = 100;
// Colliding tags that a merge of repositories names: 1,000 x (128 B + two digests) = 300 kB.
inline constexpr size_t kMaxMergeCollisions = 1000;

// A check of the store: blobs that nothing keeps, noted until the condemned queue is walked, 65,536
// x ~150 B = 10 MB; and what manifests name, remembered so that few are parsed twice, 1,048,576 x
// 8 B = 8 MiB, where the manifest itself counts as kCheckedManifestNames of them.
inline constexpr size_t kMaxCheckedUnreferenced = 65'536;
inline constexpr size_t kMaxCheckedNames = 1'048'576;
inline constexpr size_t kCheckedManifestNames = 20;

// Prunes that run or wait, and so many that are done and still listed.
inline constexpr size_t kMaxPruneJobs = 16;
// Blobs of removed images that a prune has still to reclaim and measure: 16,384 x ~110 B = 2 MB;
// then it does so before it goes on.
inline constexpr size_t kMaxPruneBlobs = 16'384;
// Images that are to be looked at because what they belonged to went: 65,536 x ~80 B = 5 MB. Those
// that find no room are met when the members are walked once more.
inline constexpr size_t kMaxPruneFollowers = 65'536;
// Images that keep each other in a circle and go together: guarded at once, and looked at, by one
// transaction, 1,000 x ~30 us = 30 ms. Larger circles stay.
inline constexpr size_t kMaxCircle = 1000;
static_assert(kMaxCircle <= kMaxBatchReads);
// A search upward for what keeps an image: its way at most, 256 x ~60 kB (a page of edges) = 15 MB,
// past which the image counts as kept; and what earlier searches found, remembered in so many
// places of 8 bytes, 8 MiB, where what is new takes the place of what is old.
inline constexpr size_t kMaxKeeperPath = 256;
inline constexpr size_t kMaxKnownImages = 1'048'576;
// Indexes that list a manifest, directly or through others: guarded, and looked at, by the
// transaction that deletes it, 1,024 x ~30 us = 30 ms. What more list cannot be deleted by digest.
inline constexpr size_t kMaxListingIndexes = 1024;

// What a prune told, kept for those who attach later: 16,384 x ~600 B = 10 MB a job that runs; one
// that waits has told nothing.
inline constexpr size_t kMaxPruneSteps = 16'384;

// What an answer to "why is it kept" lists: 1,000 x ~500 B = 500 kB.
inline constexpr size_t kMaxKeepers = 1000;

// A hold or a lease is two or three rows of ~300 B: 100,000 x 1 kB = 100 MB of the index. A host
// runs some hundred containers.
inline constexpr size_t kMaxHolds = 100'000;
inline constexpr size_t kMaxLeases = 100'000;
// Names of holds and leases: with their tables and a digest of 65 bytes, well under
// kMaxIndexKeyBytes.
inline constexpr size_t kMaxClaimNameBytes = 128;
inline constexpr size_t kMaxLeaseOwnerBytes = 255;
// Labels of one lease: 64 x 512 B = 32 kB, within kMaxIndexValueBytes.
inline constexpr size_t kMaxLeaseLabels = 64;
inline constexpr size_t kMaxLeaseLabelBytes = 512;
// Content of one lease: two rows of ~150 B each; an image has some dozen blobs, an index of
// 10,000 images about as many as this.
inline constexpr size_t kMaxLeaseContents = 100'000;
// Digests attached by one call, as those of FindMissing.
inline constexpr size_t kMaxAttachedDigests = 10'000;
// A client that works for longer renews its lease.
inline constexpr int64_t kMaxLeaseNanos = 24ll * 3600 * 1'000'000'000;
// Holds without end are the rule; one with an end has it within ten years, far from integer
// trouble.
inline constexpr int64_t kMaxHoldNanos = 3653ll * 24 * 3600 * 1'000'000'000;

// Events kept for those who watch: 65,536 x ~200 B = 13 MB; with names of 255 + 128 bytes in each,
// which lie outside the row, 65,536 x ~600 B = 39 MB.
inline constexpr size_t kMaxEvents = 65'536;

// Files of an archive under this travel with its headers: a chunk of its own costs ~48 B of its
// pack and a name to look up, and compresses worse.
inline constexpr uint64_t kMinTarContentBytes = 512;
// Names and pax records of one member, 64 KiB of attributes and names of 4 KiB in all that is real;
// what says more is kept as content.
inline constexpr uint64_t kMaxTarMetadataBytes = kMiB;

}  // namespace varve

#endif  // VARVE_STORAGE_LIMITS_H_
