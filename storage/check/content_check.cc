#include "storage/check/content_check.h"

#include <optional>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/rows.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kPageRows = 256;

std::string BeganKey() { return MetaKey("content_check"); }

}  // namespace

absl::StatusOr<CheckReport> ContentCheck::Run() {
  ASSIGN_OR_RETURN(const int64_t begun_nanos, Begin());
  RETURN_IF_ERROR(WalkRows(parts_.index, BlobPrefix(), kPageRows,
                           [&](const KeyValue& row) -> absl::StatusOr<bool> {
                             RETURN_IF_ERROR(Visit(row, begun_nanos));
                             return true;
                           }));
  RETURN_IF_ERROR(parts_.index.Run([](Transaction& txn) { return txn.Delete(BeganKey()); },
                                   Durability::kBuffered));
  RETURN_IF_ERROR(Say());
  return report_;
}

absl::StatusOr<int64_t> ContentCheck::Begin() {
  const int64_t now = parts_.clock.WallNanos();
  ASSIGN_OR_RETURN(const std::optional<std::string> saved, parts_.index.Get(BeganKey()));
  if (saved.has_value()) {
    ASSIGN_OR_RETURN(const uint64_t began, DecodeNumber(*saved));
    // After a backward jump of the clock, what is proven from now on would look too old; and what a
    // check has proven long ago may have rotted since.
    const bool usable = began <= static_cast<uint64_t>(now) &&
                        now - static_cast<int64_t>(began) < kTrustProvenNanos;
    if (usable) return static_cast<int64_t>(began);
  }
  RETURN_IF_ERROR(parts_.index.Run(
      [&](Transaction& txn) {
        return txn.Put(BeganKey(), EncodeNumber(static_cast<uint64_t>(now)));
      },
      Durability::kBuffered));
  return now;
}

absl::Status ContentCheck::Visit(const KeyValue& row, int64_t begun_nanos) {
  Digest digest;
  const absl::StatusOr<BlobRow> blob = BlobRow::Decode(row.value);
  // What cannot be read, or is known to be bad, is told by the check of the rows.
  if (!ParseBlobKey(row.key, &digest) || !blob.ok() || blob->quarantined) return absl::OkStatus();
  const bool proven =
      blob->proven_nanos >= begun_nanos && blob->proven_nanos <= parts_.clock.WallNanos();
  if (proven) return absl::OkStatus();
  const absl::StatusOr<BlobStore::Proof> proof = parts_.blobs.Prove(digest, *blob, [this] {
    pace_.Rest();
    return Say();
  });
  if (absl::IsUnavailable(proof.status())) {
    return TellBad(digest, StrCat("could not be read: ", proof.status().message(),
                                  "; should that stay so, remove the images that need it (varve "
                                  "image why) with varve rmi --now and push them again"));
  }
  RETURN_IF_ERROR(proof.status());
  if (*proof == BlobStore::Proof::kChanged) return absl::OkStatus();
  ++report_.hashed_blobs;
  report_.hashed_bytes += blob->size_bytes;
  if (*proof == BlobStore::Proof::kGood) return Say();
  return TellBad(digest,
                 "answers absent: its bytes are not those that its digest names; a push of it "
                 "heals that");
}

absl::Status ContentCheck::TellBad(const Digest& digest, std::string_view fault) {
  ++report_.findings;
  return Say(CheckFinding{CheckFinding::Kind::kBadContent, digest, "",
                          StrCat("blob ", digest.ToString(), " ", fault)});
}

absl::Status ContentCheck::Say(std::optional<CheckFinding> finding) {
  CheckStep step;
  step.finding = std::move(finding);
  step.so_far = report_;
  return observer_ == nullptr || observer_(step) ? absl::OkStatus()
                                                 : absl::CancelledError("the check was stopped");
}

}  // namespace varve
