#include "storage/keep/dangling_search.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/hash/hash.h"
#include "storage/base/check.h"
#include "storage/base/status.h"
#include "storage/index/table_visits.h"
#include "storage/limits.h"

namespace varve {
namespace {

// The place of an image in the table, and what stands there but for the last bit, which is the
// finding. Two images in 2^43 are taken for each other; a removal looks for itself.
struct Fingerprint {
  size_t place;
  uint64_t text;
};

Fingerprint FingerprintOf(const Member& image) {
  const uint64_t hash = absl::Hash<Member>()(image);
  return {static_cast<size_t>(hash % kMaxKnownImages), hash & ~uint64_t{1}};
}

}  // namespace

absl::StatusOr<bool> DanglingSearch::Goes(const Member& image) {
  gave_up_ = false;
  ASSIGN_OR_RETURN(const Found found, LookAnew(image));
  CheckInvariant(path_.empty(), "a search ends where it began");
  // What waits for the end of a circle waits for an image that stays.
  for (const Open& open : open_) Remember(open.image, false);
  open_.clear();
  return found.goes;
}

absl::StatusOr<DanglingSearch::Found> DanglingSearch::Look(const Member& image) {
  const size_t alone = path_.size();  // rests on no step before
  for (size_t step = 0; step < path_.size(); ++step) {
    if (path_[step].image == image) return CloseCircle(step);
  }
  const auto open =
      std::find_if(open_.begin(), open_.end(), [&](const Open& one) { return one.image == image; });
  if (open != open_.end()) return Found{true, open->lowest};
  if (const std::optional<bool> known = Known(image)) return Found{*known, alone};
  if (path_.size() == kMaxKeeperPath || open_.size() == kMaxCircle) {
    gave_up_ = true;
    return Found{false, alone};
  }
  return LookAnew(image);
}

absl::StatusOr<DanglingSearch::Found> DanglingSearch::LookAnew(const Member& image) {
  const size_t step = path_.size();
  const size_t opened = open_.size();
  path_.push_back({image});
  bool follows = false;
  Found found{false, step};
  const absl::StatusOr<bool> stays = StaysByKeepers(image, &follows, &found.lowest);
  path_.pop_back();
  RETURN_IF_ERROR(stays.status());
  found.goes = !*stays;
  if (found.goes && may_go_ != nullptr) {
    ASSIGN_OR_RETURN(found.goes, may_go_(image, follows));
  }
  if (!found.goes) {
    Remember(image, false);
    return found;
  }
  if (found.lowest < step) {
    open_.push_back({image, found.lowest});
    return found;
  }
  // Nothing before it matters to it, nor to what rests on it.
  for (size_t i = opened; i < open_.size(); ++i) Remember(open_[i].image, true);
  open_.resize(opened);
  Remember(image, true);
  return found;
}

absl::StatusOr<bool> DanglingSearch::StaysByKeepers(const Member& image, bool* follows,
                                                    size_t* lowest) {
  bool stays = false;
  const size_t step = path_.size() - 1;
  const absl::Status visited =
      VisitKeepers(index_, image, [&](const ImageKeeper& keeper) -> absl::StatusOr<bool> {
        const KeeperWeight weight = Weigh(scope_, image, keeper);
        if (weight == KeeperWeight::kNone) return true;
        stays = weight == KeeperWeight::kStays;
        if (stays) return false;
        *follows = true;
        path_[step].by_subject = keeper.kind == ImageKeeper::Kind::kSubject;
        ASSIGN_OR_RETURN(const Found found, Look(keeper.image));
        *lowest = std::min(*lowest, found.lowest);
        stays = !found.goes;
        return !stays;
      });
  // Not listed any more: what it keeps yet goes with its deletion.
  if (absl::IsNotFound(visited)) return true;
  RETURN_IF_ERROR(visited);
  return stays;
}

absl::StatusOr<DanglingSearch::Found> DanglingSearch::CloseCircle(size_t step) {
  if (may_go_ == nullptr) return Found{true, step};
  for (size_t i = step; i < path_.size(); ++i) {
    if (!path_[i].by_subject) continue;
    const Member& subject = i + 1 < path_.size() ? path_[i + 1].image : path_[step].image;
    ASSIGN_OR_RETURN(const bool may_go, may_go_(subject, /*follows=*/false));
    if (may_go) return Found{true, step};
  }
  return Found{false, step};
}

absl::StatusOr<DanglingSearch::Owners> DanglingSearch::OwnersOf(const Digest& blob,
                                                                const Member* counted_by) {
  Owners owners = Owners::kNone;
  bool has_images = false;
  RETURN_IF_ERROR(
      VisitEdges(index_, EdgePrefix(blob), [&](EdgeSource edge) -> absl::StatusOr<bool> {
        const ImageKeeper keeper = KeeperOf(blob, std::move(edge));
        // A claim; or a tag, whose repository lists the image.
        if (keeper.kind != ImageKeeper::Kind::kMember &&
            keeper.kind != ImageKeeper::Kind::kLister) {
          if (!has_images) owners = Owners::kOthers;
          return true;
        }
        const bool first = !std::exchange(has_images, true);
        bool goes = !first || counted_by == nullptr || keeper.image == *counted_by;
        if (goes) {
          const std::optional<bool> known = Known(keeper.image);
          ASSIGN_OR_RETURN(goes, known.has_value() ? *known : Goes(keeper.image));
        }
        owners = goes ? Owners::kGoing : Owners::kOthers;
        return goes;
      }));
  return owners;
}

absl::StatusOr<bool> IsKeptByGoing(Index& index, DanglingScope scope, const Digest& blob) {
  DanglingSearch search(index, scope, /*may_go=*/nullptr);
  ASSIGN_OR_RETURN(const DanglingSearch::Owners owners, search.OwnersOf(blob));
  return owners == DanglingSearch::Owners::kGoing;
}

std::optional<bool> DanglingSearch::Known(const Member& image) const {
  if (known_ == nullptr) return std::nullopt;
  const Fingerprint print = FingerprintOf(image);
  const uint64_t there = known_[print.place];
  if (there == 0 || (there & ~uint64_t{1}) != print.text) return std::nullopt;
  return (there & 1) != 0;
}

void DanglingSearch::Remember(const Member& image, bool goes) {
  if (gave_up_) return;
  if (known_ == nullptr) known_ = std::make_unique<uint64_t[]>(kMaxKnownImages);
  const Fingerprint print = FingerprintOf(image);
  known_[print.place] = print.text | (goes ? 1 : 0);
}

}  // namespace varve
