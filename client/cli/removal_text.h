// What `image prune` and `rmi` print for people: Docker's lines. Pure, but for
// the clock that tells how long something stays; one thread.
#ifndef VARVE_CLIENT_CLI_REMOVAL_TEXT_H_
#define VARVE_CLIENT_CLI_REMOVAL_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/api/images.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"

namespace varve {

// "1 image", "2 images".
std::string Plural(uint64_t count, std::string_view noun);

// The lines of one prune, or of a dry run: those of each step, then those of the report.
class PruneText {
 public:
  explicit PruneText(bool dry_run, Clock& clock = SystemClock())
      : dry_run_(dry_run), clock_(clock) {}

  // Empty when the step is only counted by the report.
  std::string Step(const PruneStep& step);
  std::string Report(const PruneReport& report) const;

 private:
  const bool dry_run_;
  Clock& clock_;
  bool first_ = true;  // nothing was printed yet
};

std::string RemovedText(const RemovedImage& removed, int64_t now_nanos);

// The warning of --now: whom it hits.
std::string EarlyEndText(const RecentActivity& activity, int64_t now_nanos);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_REMOVAL_TEXT_H_
