#include "client/cli/removal_text.h"

#include "client/cli/text.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

std::string StepText(const PruneStep& step, bool dry_run) {
  const std::string name =
      StrCat(step.image.repository, "@", step.image.manifest.digest.ToString());
  if (step.kind != PruneStep::Kind::kRemoved) {
    if (!dry_run) return {};  // the report counts them
    const std::string until =
        step.until_nanos == 0 ? "" : StrCat(", until ", TimeText(step.until_nanos));
    return StrCat("would keep: ", name, " (", step.reason, until, ")\n");
  }
  std::string text;
  for (const std::string& tag : step.untagged) {
    text += StrCat(dry_run ? "would untag: " : "untagged: ", tag, "\n");
  }
  return text + StrCat(dry_run ? "would delete: " : "deleted: ", name, "\n");
}

// What an answer of the daemon counts and does not name.
std::string MoreText(std::string_view what, uint64_t count) {
  return count == 0 ? "" : StrCat("and ", count, " more ", what, "\n");
}

}  // namespace

std::string Plural(uint64_t count, std::string_view noun) {
  return StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string PruneText::Step(const PruneStep& step) {
  if (step.kind == PruneStep::Kind::kStarted || step.kind == PruneStep::Kind::kQueued) return {};
  std::string text = StepText(step, dry_run_);
  if (text.empty()) return text;
  if (first_ && !dry_run_) text = "Deleted Images:\n" + text;
  first_ = false;
  return text;
}

std::string PruneText::Report(const PruneReport& report) const {
  std::string text = first_ ? "" : "\n";
  text += dry_run_ ? StrCat("Would remove ", Plural(report.images, "image"), " and the ",
                            HumanSize(report.content_bytes), " that only they keep\n")
                   : StrCat("Total reclaimed space: ", HumanSize(report.freed_bytes), "\n");
  if (report.skipped > 0) {
    text += StrCat(Plural(report.skipped, "image"),
                   " stayed: tagged, listed or held since the prune looked at them\n");
  }
  if (report.deferred > 0) {
    text += StrCat(Plural(report.deferred, "image or blob"),
                   " may still be needed by a client that pushed, pulled, asked for or leased "
                   "them, the last until ",
                   TimeText(report.deferred_until_nanos), "\n");
  }
  return text;
}

std::string RemovedText(const RemovedImage& removed) {
  std::string text;
  for (const std::string& name : removed.untagged) text += StrCat("Untagged: ", name, "\n");
  text += MoreText("untagged", removed.more_untagged);
  for (const std::string& name : removed.deleted) text += StrCat("Deleted: ", name, "\n");
  return text + MoreText("deleted", removed.more_deleted);
}

}  // namespace varve
