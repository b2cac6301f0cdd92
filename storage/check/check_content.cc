// Blob rows, the bytes behind them, and the rows that say which file is whose.
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/blob/loose_tier.h"
#include "storage/check/check_rules.h"
#include "storage/index/rows.h"

namespace varve {
namespace {

using Kind = CheckFinding::Kind;

// Where a blob row says that its bytes are.
struct Place {
  bool in_index = false;
  FileId file = 0;  // 0: in none
};

absl::StatusOr<Place> PlaceOf(const BlobRow& row) {
  switch (row.tier) {
    case BlobRow::Tier::kInline:
      return Place{true, 0};
    case BlobRow::Tier::kLoose:
      return Place{false, row.file};
    case BlobRow::Tier::kPacked:
      break;
  }
  return absl::UnavailableError("a blob is packed, which this version cannot check");
}

// Why the bytes of an inline blob are no good; "" when they are as the row says.
absl::StatusOr<std::string> InlineFault(Reads& reads, const Digest& digest, const BlobRow& row) {
  const absl::StatusOr<std::optional<std::string>> value = reads.Get(InlineKey(digest));
  if (absl::IsDataLoss(value.status())) return "its bytes in the index are damaged";
  RETURN_IF_ERROR(value.status());
  if (!value->has_value()) return "its bytes are not in the index";
  const absl::StatusOr<std::string> bytes = DecodeInlineBytes(**value);
  if (!bytes.ok()) return "its bytes in the index are damaged";
  if (bytes->size() == row.size_bytes) return "";
  return StrCat("it has ", bytes->size(), " bytes in the index, not ", row.size_bytes);
}

// The same of the file of a loose one.
absl::StatusOr<std::string> FileFault(BlobFiles& files, const BlobRow& row) {
  absl::StatusOr<std::string> fault = FaultOfFile(row, files.Stat(row.file));
  // Without blobs/ nothing is known of any.
  if (fault.ok() || absl::IsInternal(fault.status())) return fault;
  return StrCat("its file ", files.Name(row.file), " cannot be looked at");
}

}  // namespace

absl::Status CheckBlob(Reads& reads, BlobFiles& files, const Digest& digest,
                       CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(BlobKey(digest)));
  if (!value.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*value));
  ASSIGN_OR_RETURN(const Place place, PlaceOf(row));
  if (place.file != 0) {
    std::string owner;
    digest.AppendKey(&owner);
    ASSIGN_OR_RETURN(const std::optional<std::string> named, reads.Get(FileKey(place.file)));
    if (named != owner) {
      findings->push_back({Kind::kMissingRow, digest, "",
                           StrCat("no row says that the file ", files.Name(place.file), " holds ",
                                  digest.ToString(), ": the next start may remove it")});
    }
  }
  std::string fault = "it was found damaged";
  if (!row.quarantined) {
    ASSIGN_OR_RETURN(fault,
                     place.in_index ? InlineFault(reads, digest, row) : FileFault(files, row));
  }
  if (fault.empty()) return absl::OkStatus();
  findings->push_back({Kind::kBadContent, digest, "",
                       StrCat("blob ", digest.ToString(), " answers absent: ", fault,
                              "; a push of it heals that")});
  return absl::OkStatus();
}

absl::Status CheckInlineBytes(Reads& reads, const Digest& digest, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(BlobKey(digest)));
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*value));
    ASSIGN_OR_RETURN(const Place place, PlaceOf(row));
    if (place.in_index) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool there, reads.Has(InlineKey(digest)));
  if (!there) return absl::OkStatus();
  findings->push_back({Kind::kOrphanRow, digest, "",
                       StrCat("the index keeps bytes of ", digest.ToString(),
                              ", which no blob has: nothing frees them")});
  return absl::OkStatus();
}

absl::Status CheckFileRow(Reads& reads, FileId file, CheckFindings* findings) {
  ASSIGN_OR_RETURN(const std::optional<std::string> owner, reads.GetGuarded(FileKey(file)));
  if (!owner.has_value()) return absl::OkStatus();
  std::string_view key = *owner;
  Digest digest;
  if (!Digest::ConsumeKey(&key, &digest) || !key.empty()) {
    return absl::DataLossError(absl::StrFormat("the owner of file %x cannot be read", file));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> value, reads.GetGuarded(BlobKey(digest)));
  bool named = false;
  if (value.has_value()) {
    ASSIGN_OR_RETURN(const BlobRow row, BlobRow::Decode(*value));
    ASSIGN_OR_RETURN(const Place place, PlaceOf(row));
    named = place.file == file;
  }
  // A removal guards the blob's row, not this one.
  ASSIGN_OR_RETURN(const bool there, reads.Has(FileKey(file)));
  if (!there) return absl::OkStatus();
  if (!named) {
    findings->push_back({Kind::kOrphanRow, digest, "",
                         absl::StrFormat("a row says that the file %x holds %s, but that blob has "
                                         "it not: nothing frees the file",
                                         file, digest.ToString())});
  }
  ASSIGN_OR_RETURN(const bool leaves, reads.Has(RemovingKey(file)));
  if (named && leaves) {
    findings->push_back({Kind::kLiveRemoval, digest, "",
                         absl::StrFormat("the file %x of %s is marked as garbage: the next start "
                                         "removes it",
                                         file, digest.ToString())});
  }
  return absl::OkStatus();
}

}  // namespace varve
