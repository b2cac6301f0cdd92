#include "storage/reclaim/disk_usage.h"

#include <functional>
#include <optional>
#include <vector>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rows.h"
#include "storage/reclaim/dangling_search.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

absl::Status VisitAllRows(Index& index, std::string_view prefix,
                          const std::function<absl::Status(const KeyValue& row)>& visit) {
  return VisitRows(index, prefix, kPageRows, [&](const KeyValue& row) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(visit(row));
    return true;
  });
}

absl::StatusOr<bool> HasRow(Index& index, const std::string& prefix) {
  ASSIGN_OR_RETURN(const std::vector<KeyValue> rows, index.Scan(PrefixRange(prefix), 1));
  return !rows.empty();
}

void AddTo(DiskUsage::Part& part, uint64_t logical_bytes, uint64_t disk_bytes) {
  ++part.count;
  part.logical_bytes += logical_bytes;
  part.disk_bytes += disk_bytes;
}

class UsageWalk {
 public:
  explicit UsageWalk(const DiskUsageParts& parts)
      : parts_(parts),
        index_(parts.images.index),
        search_(index_, DanglingScope::kDangling, /*may_go=*/nullptr) {}

  absl::StatusOr<DiskUsage> Run() {
    RETURN_IF_ERROR(CountNames());
    RETURN_IF_ERROR(VisitMembers(index_, [&](const Member& member) -> absl::Status {
      ASSIGN_OR_RETURN(const bool dangling, search_.Goes(member));
      if (dangling) ++usage_.dangling.count;
      return absl::OkStatus();
    }));
    RETURN_IF_ERROR(
        VisitAllRows(index_, BlobPrefix(), [&](const KeyValue& row) { return CountBlob(row); }));
    usage_.uploads = parts_.ingests.Usage();
    usage_.orphans = parts_.orphans.Usage();
    RETURN_IF_ERROR(CountIndex());
    const absl::StatusOr<FileStat> reserve = parts_.file_system.Stat(parts_.reserve_file);
    if (reserve.ok()) usage_.reserve_disk_bytes = reserve->allocated_bytes;  // else given up
    return usage_;
  }

 private:
  absl::Status CountNames() {
    RETURN_IF_ERROR(
        VisitAllRows(index_, RepositoryPrefix(), [&](const KeyValue& row) -> absl::Status {
          ASSIGN_OR_RETURN(const RepositoryRow repository, RepositoryRow::Decode(row.value));
          // One to which nothing but blobs was pushed has no image, and is not listed.
          ASSIGN_OR_RETURN(const bool has_members, HasRow(index_, MemberPrefix(repository.id)));
          if (has_members) ++usage_.repositories;
          return absl::OkStatus();
        }));
    return VisitAllRows(index_, TagPrefix(), [&](const KeyValue&) {
      ++usage_.tags;
      return absl::OkStatus();
    });
  }

  absl::Status CountBlob(const KeyValue& row) {
    Digest digest;
    if (!ParseBlobKey(row.key, &digest)) {
      return absl::DataLossError("a blob row of the index is damaged");
    }
    ASSIGN_OR_RETURN(const BlobRow blob, BlobRow::Decode(row.value));
    uint64_t disk_bytes = 0;
    if (blob.tier == BlobRow::Tier::kLoose) {
      const absl::StatusOr<FileStat> stat = parts_.images.files.Stat(blob.file);
      // Lost, or removed since the row was read.
      if (stat.ok()) disk_bytes = stat->allocated_bytes;
    }
    AddTo(blob.tier == BlobRow::Tier::kLoose ? usage_.loose : usage_.inlined, blob.size_bytes,
          disk_bytes);
    ASSIGN_OR_RETURN(const DanglingSearch::Owners owners, search_.OwnersOf(digest));
    switch (owners) {
      case DanglingSearch::Owners::kNone:
        AddTo(usage_.unreferenced, blob.size_bytes, disk_bytes);
        return absl::OkStatus();
      case DanglingSearch::Owners::kGoing:
        usage_.dangling.logical_bytes += blob.size_bytes;
        usage_.dangling.disk_bytes += disk_bytes;
        return absl::OkStatus();
      case DanglingSearch::Owners::kOthers:
        break;
    }
    ASSIGN_OR_RETURN(const bool tagged, HasRow(index_, EdgePrefix(digest, EdgeKind::kTag)));
    if (tagged) ++usage_.tagged.count;
    usage_.tagged.logical_bytes += blob.size_bytes;
    usage_.tagged.disk_bytes += disk_bytes;
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
  DanglingSearch search_;
  DiskUsage usage_;
};

}  // namespace

absl::StatusOr<DiskUsage> MeasureDiskUsage(const DiskUsageParts& parts) {
  return UsageWalk(parts).Run();
}

}  // namespace varve
