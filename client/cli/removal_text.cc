#include "client/cli/removal_text.h"

#include <algorithm>

#include "client/cli/text.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

std::string StepText(const PruneStep& step, bool dry_run, int64_t now_nanos) {
  const std::string name =
      StrCat(ShownName(step.image.repository), "@", step.image.manifest.digest.ToString());
  if (step.kind != PruneStep::Kind::kRemoved) {
    if (!dry_run) return {};  // the report counts them
    const std::string until =
        step.until_nanos == 0 ? "" : StrCat(", can go ", HumanWait(step.until_nanos, now_nanos));
    return StrCat("would keep: ", name, " (", step.reason, until, ")\n");
  }
  std::string text;
  for (const std::string& tag : step.untagged) {
    text += StrCat(dry_run ? "would untag: " : "untagged: ", ShownName(tag), "\n");
  }
  return text + StrCat(dry_run ? "would delete: " : "deleted: ", name, "\n");
}

// What an answer of the daemon counts and does not name.
std::string MoreText(std::string_view what, uint64_t count) {
  return count == 0 ? "" : StrCat("and ", count, " more ", what, "\n");
}

// More than what the blocks of files make of it.
bool DifferMuch(uint64_t a, uint64_t b) {
  const uint64_t larger = std::max(a, b);
  return larger - std::min(a, b) > larger / 10;
}

// Of small images the index keeps the room, and what is promised follows later.
std::string ReclaimedText(const PruneReport& report) {
  const std::string freed = HumanSize(report.freed_bytes);
  if (!DifferMuch(report.freed_bytes, report.content_bytes)) return freed;
  return StrCat(freed, " of disk, ", HumanSize(report.content_bytes), " of content");
}

std::string Indented(const std::string& line) { return line.empty() ? "" : "  " + line; }

}  // namespace

std::string Plural(uint64_t count, std::string_view noun) {
  return StrCat(count, " ", noun, count == 1 ? "" : "s");
}

std::string PruneText::Step(const PruneStep& step) {
  if (step.kind == PruneStep::Kind::kStarted || step.kind == PruneStep::Kind::kQueued) return {};
  std::string text = StepText(step, dry_run_, clock_.WallNanos());
  if (text.empty()) return text;
  if (first_ && !dry_run_) text = "Deleted Images:\n" + text;
  first_ = false;
  return text;
}

std::string PruneText::Report(const PruneReport& report) const {
  std::string text = first_ ? "" : "\n";
  text += dry_run_ ? StrCat("Would remove ", Plural(report.images, "image"), " and the ",
                            HumanSize(report.content_bytes), " that only they keep\n")
                   : StrCat("Total reclaimed space: ", ReclaimedText(report), "\n");
  if (report.skipped > 0) {
    text += StrCat(Plural(report.skipped, "image"),
                   " stayed: tagged, listed or held since the prune looked at them\n");
  }
  if (report.deferred > 0) {
    text += StrCat(report.deferred, report.deferred == 1 ? " image or blob" : " images or blobs",
                   report.deferred_bytes == 0 ? ""
                                              : StrCat(", ", HumanSize(report.deferred_bytes),
                                                       " of them of removed images,"),
                   " may still be needed by a client that pushed, pulled, asked for or leased "
                   "them; the last can go ",
                   HumanWait(report.deferred_until_nanos, clock_.WallNanos()), "\n");
  }
  return text;
}

std::string RemovedText(const RemovedImage& removed, int64_t now_nanos) {
  std::string text;
  for (const std::string& name : removed.untagged)
    text += StrCat("Untagged: ", ShownName(name), "\n");
  text += MoreText("untagged", removed.more_untagged);
  for (const std::string& name : removed.deleted)
    text += StrCat("Deleted: ", ShownName(name), "\n");
  text += MoreText("deleted", removed.more_deleted);
  if (removed.promised_until_nanos == 0) return text;
  const std::string images =
      removed.promised_images == 0
          ? ""
          : StrCat(Plural(removed.promised_images, "image"), " that belonged to it and ");
  return StrCat(
      text, images, HumanSize(removed.promised_bytes),
      " may still be needed by a client that pushed, pulled or asked for them; the last can "
      "go ",
      HumanWait(removed.promised_until_nanos, now_nanos), "\n");
}

std::string EarlyEndText(const RecentActivity& activity, int64_t now_nanos) {
  std::string text =
      "WARNING! --now ends what clients were promised. Whoever pushes or pulls at this moment may "
      "have to begin again.\n";
  for (const RecentActivity::Upload& upload : activity.uploads) {
    text += StrCat("  open upload: ",
                   upload.repository.empty() ? "(no repository)" : ShownName(upload.repository),
                   ", ", HumanSize(upload.received_bytes), ", last bytes ",
                   MidSentence(HumanAge(upload.updated_nanos, now_nanos)), "\n");
  }
  text += Indented(MoreText("open uploads", activity.more_uploads));
  for (const std::string& repository : activity.repositories) {
    text += StrCat("  in use in the last minute: ", ShownName(repository), "\n");
  }
  text += Indented(MoreText("repositories in use", activity.more_repositories));
  if (activity.uploads.empty() && activity.repositories.empty()) {
    text += "  There is no open upload, and no repository was in use in the last minute.\n";
  }
  return text;
}

}  // namespace varve
