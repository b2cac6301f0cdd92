#include "benchmarks/fill/fill_store.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/blob_files.h"
#include "storage/blob/id_allocator.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/index.h"
#include "storage/index/keys.h"
#include "storage/index/rocksdb_index.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

// About 30 rows each, of the 1,000 that a transaction may have.
constexpr uint64_t kImagesPerTransaction = 30;
constexpr uint64_t kBasesPerTransaction = 300;
constexpr uint64_t kLinksPerTransaction = 450;
constexpr int64_t kExpiredNanos = 3600 * kNanosPerSecond;  // ago, the first of them
constexpr size_t kPageRows = 1000;
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";

class Filler {
 public:
  Filler(Index& index, const std::string& directory, const StorePlan& plan)
      : index_(index),
        ids_(index),
        files_(PosixFileSystem(), StrCat(directory, "/blobs")),
        plan_(plan),
        now_nanos_(SystemClock().WallNanos()) {}

  absl::StatusOr<FilledStore> Run() {
    RETURN_IF_ERROR(AddBaseLayers());
    for (uint64_t image = 0; image < plan_.images(); image += kImagesPerTransaction) {
      const uint64_t end = std::min(image + kImagesPerTransaction, plan_.images());
      RETURN_IF_ERROR(Commit([&](Transaction& txn) -> absl::Status {
        for (uint64_t i = image; i < end; ++i) RETURN_IF_ERROR(AddImage(txn, i));
        return absl::OkStatus();
      }));
    }
    // No file is without its row: opening need not look at any.
    ASSIGN_OR_RETURN(const FileId low_water, ids_.UpperBound());
    RETURN_IF_ERROR(Commit(
        [&](Transaction& txn) { return txn.Put(MetaKey("low_water"), EncodeNumber(low_water)); }));
    return filled_;
  }

 private:
  // One transaction of `add` with the counters of the blobs that it adds.
  template <typename Add>
  absl::Status Commit(const Add& add) {
    const FilledStore before = filled_;
    const std::unique_ptr<Transaction> txn = index_.Begin();
    RETURN_IF_ERROR(add(*txn));
    RETURN_IF_ERROR(
        txn->Add(CounterKey("blobs"), static_cast<int64_t>(filled_.blobs - before.blobs)));
    RETURN_IF_ERROR(txn->Add(CounterKey("blob_bytes"),
                             static_cast<int64_t>(filled_.blob_bytes - before.blob_bytes)));
    ASSIGN_OR_RETURN(const CommitOutcome outcome, txn->Commit(Durability::kBuffered));
    // There is no other writer.
    return outcome == CommitOutcome::kDone ? absl::OkStatus()
                                           : absl::InternalError("a commit met a conflict");
  }

  absl::Status AddBaseLayers() {
    for (uint64_t base = 0; base < plan_.base_layers(); base += kBasesPerTransaction) {
      const uint64_t end = std::min(base + kBasesPerTransaction, plan_.base_layers());
      RETURN_IF_ERROR(Commit([&](Transaction& txn) -> absl::Status {
        for (uint64_t i = base; i < end; ++i) {
          const StorePlan::Layer layer = plan_.BaseLayer(i);
          RETURN_IF_ERROR(AddLoose(txn, layer));
          bases_.push_back(layer.digest);
        }
        return absl::OkStatus();
      }));
    }
    return absl::OkStatus();
  }

  absl::Status AddImage(Transaction& txn, uint64_t number) {
    const StorePlan::Image image = plan_.Describe(number);
    if (number % kImagesPerRepository == 0) {
      RETURN_IF_ERROR(AddRepository(txn, StorePlan::RepositoryName(image.repository)));
    }
    RETURN_IF_ERROR(AddInline(txn, image.config_digest, image.config));
    RETURN_IF_ERROR(AddInline(txn, image.manifest_digest, image.manifest));
    RETURN_IF_ERROR(AddReference(txn, image.config_digest, image));
    for (const uint64_t base : image.bases) {
      RETURN_IF_ERROR(AddReference(txn, bases_[base], image));
    }
    for (const StorePlan::Layer& layer : image.own_layers) {
      RETURN_IF_ERROR(layer.is_inline ? AddInline(txn, layer.digest, layer.bytes)
                                      : AddLoose(txn, layer));
      RETURN_IF_ERROR(AddReference(txn, layer.digest, image));
    }
    MemberRow member;
    member.media_type = kManifestType;
    member.config = image.config_digest;
    member.size_bytes = image.manifest.size();
    member.content_bytes = image.content_bytes;
    member.pushed_nanos = now_nanos_;
    const Digest& manifest = image.manifest_digest;
    RETURN_IF_ERROR(txn.Put(MemberKey(repository_, manifest), member.Encode()));
    RETURN_IF_ERROR(txn.Put(MemberEdgeKey(manifest, repository_), ""));
    RETURN_IF_ERROR(txn.Put(TagKey(repository_, image.tag), TagRow{manifest, now_nanos_}.Encode()));
    RETURN_IF_ERROR(txn.Put(TagEdgeKey(manifest, repository_, image.tag), ""));
    ++filled_.images;
    return absl::OkStatus();
  }

  absl::Status AddRepository(Transaction& txn, const std::string& name) {
    ASSIGN_OR_RETURN(repository_, ids_.Next());
    RETURN_IF_ERROR(txn.Put(RepositoryKey(name), RepositoryRow{repository_, now_nanos_}.Encode()));
    RETURN_IF_ERROR(txn.Put(RepositoryNameKey(repository_), name));
    ++filled_.repositories;
    return absl::OkStatus();
  }

  absl::Status AddReference(Transaction& txn, const Digest& target, const StorePlan::Image& image) {
    return txn.Put(
        ReferenceEdgeKey(target, EdgeKind::kReference, repository_, image.manifest_digest), "");
  }

  absl::Status AddInline(Transaction& txn, const Digest& digest, std::string_view bytes) {
    BlobRow row;
    row.size_bytes = bytes.size();
    ASSIGN_OR_RETURN(row.copy, ids_.Next());
    RETURN_IF_ERROR(AddBlob(txn, digest, std::move(row)));
    return txn.Put(InlineKey(digest), EncodeInlineBytes(bytes));
  }

  absl::Status AddLoose(Transaction& txn, const StorePlan::Layer& layer) {
    ASSIGN_OR_RETURN(const FileId id, ids_.Next());
    ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, files_.Create(id));
    RETURN_IF_ERROR(file->Truncate(layer.size_bytes));
    std::string owner;
    layer.digest.AppendKey(&owner);
    RETURN_IF_ERROR(txn.Put(FileKey(id), owner));
    ++filled_.loose_blobs;
    BlobRow row;
    row.tier = BlobRow::Tier::kLoose;
    row.size_bytes = layer.size_bytes;
    row.file = row.copy = id;
    return AddBlob(txn, layer.digest, std::move(row));
  }

  absl::Status AddBlob(Transaction& txn, const Digest& digest, BlobRow row) {
    row.created_nanos = now_nanos_;
    ++filled_.blobs;
    filled_.blob_bytes += row.size_bytes;
    return txn.Put(BlobKey(digest), row.Encode());
  }

  Index& index_;
  IdAllocator ids_;
  BlobFiles files_;
  const StorePlan& plan_;
  const int64_t now_nanos_;
  std::vector<Digest> bases_;
  RepositoryId repository_ = 0;  // of the image in hand
  FilledStore filled_;
};

}  // namespace

absl::StatusOr<FilledStore> FillStore(const std::string& directory, const StorePlan& plan) {
  {
    // An empty store first: whose index this is, and all that belongs to a store.
    ASSIGN_OR_RETURN(const std::unique_ptr<Engine> store, OpenEngine(directory, EngineOptions()));
    ASSIGN_OR_RETURN(const StoreInfo info, store->system.Info());
    ASSIGN_OR_RETURN(const Page<BlobDetails> blobs, store->blobs.ListBlobs(PageRequest{}));
    if (info.blob_bytes != 0 || !blobs.rows.empty()) {
      return absl::FailedPreconditionError(StrCat(directory, " holds a store that is not empty"));
    }
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Index> index,
                   OpenRocksdbIndex(StrCat(directory, "/index"), RocksdbIndexOptions()));
  return Filler(*index, directory, plan).Run();
}

absl::Status AddExpiredLinks(const std::string& directory, uint64_t links) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Index> index,
                   OpenRocksdbIndex(StrCat(directory, "/index"), RocksdbIndexOptions()));
  const int64_t now = SystemClock().WallNanos();
  const RepositoryId repository = ~uint64_t{0};  // nobody has it
  for (uint64_t begin = 0; begin < links; begin += kLinksPerTransaction) {
    RETURN_IF_ERROR(index->Run(
        [&](Transaction& txn) -> absl::Status {
          for (uint64_t i = begin; i < std::min(links, begin + kLinksPerTransaction); ++i) {
            const Digest blob = HashBytes(DigestAlgorithm::kSha256, StrCat("blob of link ", i));
            const LinkRow row{now - kExpiredNanos + static_cast<int64_t>(i)};
            RETURN_IF_ERROR(txn.Put(LinkKey(repository, blob), row.Encode()));
            RETURN_IF_ERROR(txn.Put(LinkExpiryKey(row.expires_nanos, repository, blob), ""));
          }
          return absl::OkStatus();
        },
        Durability::kBuffered));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> CountExpiringLinks(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Index> index,
                   OpenRocksdbIndex(StrCat(directory, "/index"), RocksdbIndexOptions()));
  uint64_t links = 0;
  RETURN_IF_ERROR(
      WalkRows(*index, LinkExpiryPrefix(), kPageRows, [&](const KeyValue&) -> absl::StatusOr<bool> {
        ++links;
        return true;
      }));
  return links;
}

}  // namespace varve
