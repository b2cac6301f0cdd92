#include "storage/reclaim/disk_usage.h"

#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/table_visits.h"
#include "storage/keep/dangling_search.h"

namespace varve {
namespace {

using VisitRow = absl::FunctionRef<absl::Status(const KeyValue& row)>;

absl::Status WalkTable(Index& index, std::string_view prefix, VisitRow visit) {
  return WalkRows(index, prefix, kVisitPageRows, [&](const KeyValue& row) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(visit(row));
    return true;
  });
}

void AddBytes(DiskUsage::Part& part, uint64_t logical_bytes, uint64_t disk_bytes) {
  part.logical_bytes += logical_bytes;
  part.disk_bytes += disk_bytes;
}

void AddTo(DiskUsage::Part& part, uint64_t logical_bytes, uint64_t disk_bytes) {
  ++part.count;
  AddBytes(part, logical_bytes, disk_bytes);
}

class UsageWalk {
 public:
  explicit UsageWalk(const DiskUsageParts& parts)
      : parts_(parts),
        index_(parts.images.index),
        dangling_(index_, DanglingScope::kDangling, /*may_go=*/nullptr),
        unused_(index_, DanglingScope::kUnused, /*may_go=*/nullptr) {}

  absl::StatusOr<DiskUsage> Run() {
    RETURN_IF_ERROR(CountNames());
    // Without them nothing is in use, and need not be looked for.
    ASSIGN_OR_RETURN(has_holds_, index_.HasAny(HoldPrefix()));
    RETURN_IF_ERROR(
        WalkMembers(index_, [&](const Member& member, const std::string&) -> absl::StatusOr<bool> {
          ASSIGN_OR_RETURN(const bool dangling, dangling_.Goes(member));
          if (dangling) ++usage_.dangling.count;
          if (dangling) ++usage_.images;
          ASSIGN_OR_RETURN(const bool unused,
                           dangling || !has_holds_ ? true : unused_.Goes(member));
          if (unused) ++usage_.unused.count;
          return true;
        }));
    RETURN_IF_ERROR(
        WalkTable(index_, BlobPrefix(), [&](const KeyValue& row) { return CountBlob(row); }));
    usage_.uploads = parts_.uploads.Usage();
    usage_.orphans = parts_.orphans.Usage();
    RETURN_IF_ERROR(CountIndex());
    const absl::StatusOr<FileStat> reserve = parts_.file_system.Stat(parts_.reserve_file);
    if (reserve.ok()) usage_.reserve_disk_bytes = reserve->allocated_bytes;  // else given up
    return usage_;
  }

 private:
  absl::Status CountNames() {
    RETURN_IF_ERROR(WalkTable(index_, RepositoryPrefix(), [&](const KeyValue& row) -> absl::Status {
      ASSIGN_OR_RETURN(const RepositoryRow repository, RepositoryRow::Decode(row.value));
      // One to which nothing but blobs was pushed has no image, and is not listed.
      ASSIGN_OR_RETURN(const bool has_members, index_.HasAny(MemberPrefix(repository.id)));
      if (has_members) ++usage_.repositories;
      return absl::OkStatus();
    }));
    ASSIGN_OR_RETURN(usage_.tags, CountRows(index_, TagPrefix()));
    return absl::OkStatus();
  }

  absl::Status CountBlob(const KeyValue& row) {
    Digest digest;
    if (!ParseBlobKey(row.key, &digest)) {
      return absl::DataLossError("a blob row of the index is damaged");
    }
    ASSIGN_OR_RETURN(const BlobRow blob, BlobRow::Decode(row.value));
    ASSIGN_OR_RETURN(BlobTier* const tier, parts_.images.blobs.TierOf(digest, blob));
    const uint64_t disk_bytes = tier->Measure(blob).disk_bytes;
    AddTo(tier->PartOf(usage_), blob.size_bytes, disk_bytes);
    ASSIGN_OR_RETURN(const DanglingSearch::Owners owners, dangling_.OwnersOf(digest));
    switch (owners) {
      case DanglingSearch::Owners::kNone:
        AddTo(usage_.unreferenced, blob.size_bytes, disk_bytes);
        return absl::OkStatus();
      case DanglingSearch::Owners::kGoing:
        AddBytes(usage_.dangling, blob.size_bytes, disk_bytes);
        AddBytes(usage_.unused, blob.size_bytes, disk_bytes);
        return absl::OkStatus();
      case DanglingSearch::Owners::kOthers:
        break;
    }
    AddBytes(usage_.tagged, blob.size_bytes, disk_bytes);
    ASSIGN_OR_RETURN(const bool unused, IsUnused(digest));
    AddBytes(unused ? usage_.unused : usage_.in_use, blob.size_bytes, disk_bytes);
    return CountImage(digest, unused);
  }

  // Whether images need the blob, and none of them is in use.
  absl::StatusOr<bool> IsUnused(const Digest& digest) {
    if (has_holds_) {
      ASSIGN_OR_RETURN(const DanglingSearch::Owners owners, unused_.OwnersOf(digest));
      return owners == DanglingSearch::Owners::kGoing;
    }
    ASSIGN_OR_RETURN(const std::vector<KeyValue> needed, index_.Scan(EdgesOfImages(digest), 1));
    return !needed.empty();
  }

  // The blob is an image with a name or a hold of its own, or none.
  absl::Status CountImage(const Digest& digest, bool unused) {
    ASSIGN_OR_RETURN(const bool tagged, index_.HasAny(EdgePrefix(digest, EdgeKind::kTag)));
    if (tagged) ++usage_.tagged.count;
    ASSIGN_OR_RETURN(const bool named,
                     tagged ? true : index_.HasAny(EdgePrefix(digest, EdgeKind::kHold)));
    if (!named) return absl::OkStatus();
    ++usage_.images;
    if (!unused) ++usage_.in_use.count;
    return absl::OkStatus();
  }

  absl::Status CountIndex() {
    const absl::StatusOr<std::vector<std::string>> files =
        parts_.file_system.List(parts_.index_directory);
    if (absl::IsNotFound(files.status())) return absl::OkStatus();  // an index kept elsewhere
    RETURN_IF_ERROR(files.status());
    for (const std::string& file : *files) {
      const absl::StatusOr<FileStat> stat =
          parts_.file_system.Stat(StrCat(parts_.index_directory, "/", file));
      if (stat.ok()) usage_.index_disk_bytes += stat->allocated_bytes;  // else compacted away
    }
    return absl::OkStatus();
  }

  const DiskUsageParts& parts_;
  Index& index_;
  DanglingSearch dangling_;
  DanglingSearch unused_;
  bool has_holds_ = false;
  DiskUsage usage_;
};

}  // namespace

absl::StatusOr<DiskUsage> MeasureDiskUsage(const DiskUsageParts& parts) {
  return UsageWalk(parts).Run();
}

}  // namespace varve
