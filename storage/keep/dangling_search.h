// Which images go together: those that nothing keeps but what goes as well. A search goes upward
// from an image along what keeps it, until something that stays is found or nothing is left. Reads
// only, so the answer is of the moment. Memory is bounded whatever the store holds: the way upward,
// and a table of what earlier searches found, where what is new takes the place of what is old.
// Owned by one call; one thread.
#ifndef VARVE_STORAGE_KEEP_DANGLING_SEARCH_H_
#define VARVE_STORAGE_KEEP_DANGLING_SEARCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/image/digest.h"
#include "storage/index/index.h"
#include "storage/keep/what_keeps.h"

namespace varve {

class DanglingSearch {
 public:
  // Whether an image that nothing keeps may go; `follows`: what kept it goes. Null: all may.
  using MayGo = std::function<absl::StatusOr<bool>(const Member& image, bool follows)>;

  DanglingSearch(Index& index, DanglingScope scope, MayGo may_go)
      : index_(index), scope_(scope), may_go_(std::move(may_go)) {}

  // Whether the image goes: nothing that stays keeps it, and it may go. It is looked at anew, and
  // `may_go` is asked about it last, if at all; what keeps it may be remembered. Images that keep
  // each other in a circle go when one that another refers to may go as if it were alone. False
  // for no member, and past kMaxKeeperPath.
  absl::StatusOr<bool> Goes(const Member& image);

  // Who needs a blob: nobody, images that go only, or others. With `counted_by`, also others when
  // that is not the first image that names the blob: so that each blob is counted once.
  enum class Owners { kNone, kGoing, kOthers };
  absl::StatusOr<Owners> OwnersOf(const Digest& blob, const Member* counted_by = nullptr);

 private:
  // A search through a circle has to end before all in it are known.
  struct Step {
    Member image;
    bool by_subject = false;  // the way upward from here
  };
  struct Open {
    Member image;
    size_t lowest = 0;  // the step that it depends on
  };
  struct Found {
    bool goes = false;
    size_t lowest = 0;  // the first step that this rests on
  };

  absl::StatusOr<Found> Look(const Member& image);
  absl::StatusOr<Found> LookAnew(const Member& image);
  // A way upward that has come back to a step.
  absl::StatusOr<Found> CloseCircle(size_t step);
  absl::StatusOr<bool> StaysByKeepers(const Member& image, bool* follows, size_t* lowest);

  std::optional<bool> Known(const Member& image) const;
  void Remember(const Member& image, bool goes);

  Index& index_;
  const DanglingScope scope_;
  const MayGo may_go_;
  std::vector<Step> path_;
  std::vector<Open> open_;  // looked at, in circles that are not closed yet
  bool gave_up_ = false;    // past kMaxKeeperPath: what this search found is not remembered
  std::unique_ptr<uint64_t[]> known_;  // kMaxKnownImages; made when there is something to remember
};

// Whether images need the blob, and all of them go.
absl::StatusOr<bool> IsKeptByGoing(Index& index, DanglingScope scope, const Digest& blob);

}  // namespace varve

#endif  // VARVE_STORAGE_KEEP_DANGLING_SEARCH_H_
