#include "tests/support/unplayed_store.h"

#include "storage/api/pruning.h"

namespace varve {

absl::StatusOr<PruneReport> UnplayedImages::Prune(const PruneRequest&, const PruneObserver&) {
  return NotPlayed("Prune");
}
absl::StatusOr<PruneReport> UnplayedImages::AttachPrune(std::string_view, const PruneObserver&) {
  return NotPlayed("AttachPrune");
}
absl::Status UnplayedImages::CancelPrune(std::string_view) { return NotPlayed("CancelPrune"); }
absl::StatusOr<std::vector<PruneJob>> UnplayedImages::ListPrunes() {
  return NotPlayed("ListPrunes");
}

}  // namespace varve
