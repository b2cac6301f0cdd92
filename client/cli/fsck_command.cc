// `system fsck` and its short form `fsck`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_replace.h"
#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/progress.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

struct FsckArguments {
  bool content = false;
  bool quiet = false;
  bool json = false;
  bool drop_orphans = false;
  bool adopt = false;
};

std::string_view KindName(CheckFinding::Kind kind) {
  switch (kind) {
    case CheckFinding::Kind::kDamagedRow:
      return "damaged-row";
    case CheckFinding::Kind::kMissingEdge:
      return "missing-edge";
    case CheckFinding::Kind::kEdgeWithoutSource:
      return "edge-without-source";
    case CheckFinding::Kind::kMissingContent:
      return "missing-content";
    case CheckFinding::Kind::kBadContent:
      return "bad-content";
    case CheckFinding::Kind::kTagWithoutImage:
      return "tag-without-image";
    case CheckFinding::Kind::kMissingRow:
      return "missing-row";
    case CheckFinding::Kind::kOrphanRow:
      return "orphan-row";
    case CheckFinding::Kind::kNeverEnds:
      return "never-ends";
    case CheckFinding::Kind::kLiveRemoval:
      return "live-removal";
    case CheckFinding::Kind::kNeverReclaimed:
      return "never-reclaimed";
    case CheckFinding::Kind::kStrayFile:
      return "stray-file";
    case CheckFinding::Kind::kWrongStatistics:
      return "wrong-statistics";
    case CheckFinding::Kind::kTwoNames:
      return "two-names";
  }
  return "unknown";
}

// The sentence, with its repository named as people see it.
std::string SentenceOf(const CheckFinding& finding) {
  if (finding.repository.empty()) return finding.text;
  return absl::StrReplaceAll(finding.text, {{finding.repository, ShownName(finding.repository)}});
}

std::string FindingText(const CheckFinding& finding, bool json) {
  if (!json) return StrCat(KindName(finding.kind), ": ", Printable(SentenceOf(finding)), "\n");
  JsonObject object;
  object.Add("finding", KindName(finding.kind));
  if (finding.digest.has_value()) object.Add("digest", finding.digest->ToString());
  if (!finding.repository.empty()) object.Add("repository", ShownName(finding.repository));
  return object.Add("text", SentenceOf(finding)).Line();
}

std::string Looked(const CheckReport& report) {
  return StrCat(report.rows, " rows, ", report.manifests, " manifests, ", report.files, " files");
}

std::string ReportText(const CheckReport& report, bool json) {
  if (!json) {
    return StrCat("Checked ", Looked(report), ": ",
                  report.findings == 0 ? "nothing is wrong" : StrCat(report.findings, " findings"),
                  "\n");
  }
  return JsonObject()
      .Add("rows", report.rows)
      .Add("manifests", report.manifests)
      .Add("files", report.files)
      .Add("findings", report.findings)
      .Line();
}

std::string FilesText(uint64_t count, uint64_t bytes) {
  return StrCat(count, count == 1 ? " file (" : " files (", HumanSize(bytes), ")");
}

std::string OrphansText(const OrphanReport& report, const FsckArguments& arguments) {
  if (arguments.json) {
    return JsonObject()
        .Add("adopted", report.adopted)
        .Add("adopted_bytes", report.adopted_bytes)
        .Add("kept", report.kept)
        .Add("kept_bytes", report.kept_bytes)
        .Add("removed", report.removed)
        .Add("removed_bytes", report.removed_bytes)
        .Add("failed", report.failed)
        .Add("failed_bytes", report.failed_bytes)
        .Line();
  }
  const std::string adopted = FilesText(report.adopted, report.adopted_bytes);
  if (arguments.drop_orphans) {
    return StrCat("Adopted ", adopted, "; removed ",
                  FilesText(report.removed, report.removed_bytes), " that nothing needs\n");
  }
  return StrCat("Adopted ", adopted, "; nothing needs ", FilesText(report.kept, report.kept_bytes),
                ", kept until a week old\n");
}

// Files that lost their rows to damage of the index.
absl::Status SettleOrphans(Session& session, const FsckArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const OrphanReport report,
                   arguments.adopt ? client->AdoptOrphans() : client->DropOrphans());
  Print(OrphansText(report, arguments));
  if (report.failed == 0) return absl::OkStatus();
  return absl::UnavailableError(
      StrCat(FilesText(report.failed, report.failed_bytes), " could not be read or adopted, and ",
             report.failed == 1 ? "stays" : "stay", " until a week old; blobs/", report.problem));
}

std::string Hashed(const CheckReport& report) {
  return StrCat(report.hashed_blobs, " blobs, ", HumanSize(report.hashed_bytes));
}

// `told`: so many findings, which are not among its own, the check before it had told.
std::string ContentReportText(const CheckReport& report, uint64_t told, bool json) {
  if (!json) {
    const std::string found = report.findings > 0 ? StrCat(report.findings, " findings")
                              : told > 0          ? "nothing but what is told above"
                                                  : "all are what they were";
    return StrCat("Hashed ", Hashed(report), ": ", found, "\n");
  }
  return JsonObject()
      .Add("hashed_blobs", report.hashed_blobs)
      .Add("hashed_bytes", report.hashed_bytes)
      .Add("findings", report.findings)
      .Line();
}

// One of the two checks, told as it goes on: of its findings those that `is_new` wants.
absl::StatusOr<CheckReport> RunCheck(
    const std::function<absl::StatusOr<CheckReport>(const CheckObserver&)>& check,
    const FsckArguments& arguments, std::string_view begins,
    std::string (*looked)(const CheckReport&),
    const std::function<bool(const CheckFinding&)>& is_new) {
  Progress progress(ProgressOnStandardError(arguments.quiet));
  const Progress::Row row = progress.Add("store", std::nullopt, std::string(begins));
  bool found = false;
  absl::StatusOr<CheckReport> report = check([&](const CheckStep& step) {
    if (!step.finding.has_value()) {
      progress.SetState(row, looked(step.so_far));
      return true;
    }
    if (!is_new(*step.finding)) return true;
    // From here on the findings show that it goes on.
    if (!found) progress.Finish();
    found = true;
    return Print(FindingText(*step.finding, arguments.json)) && FlushOutput().ok();
  });
  progress.Complete(row, report.ok() ? "checked" : "failed");
  progress.Finish();
  return report;
}

absl::Status Fsck(Session& session, const FsckArguments& arguments) {
  if (arguments.drop_orphans || arguments.adopt) return SettleOrphans(session, arguments);
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  absl::flat_hash_set<Digest> bad;  // content that the first check tells
  const auto note = [&](const CheckFinding& finding) {
    const bool is_bad = finding.kind == CheckFinding::Kind::kBadContent;
    if (arguments.content && is_bad && finding.digest.has_value()) bad.insert(*finding.digest);
    return true;
  };
  ASSIGN_OR_RETURN(const CheckReport report,
                   RunCheck([&](const CheckObserver& observer) { return client->Check(observer); },
                            arguments, "checking", Looked, note));
  Print(ReportText(report, arguments.json));
  uint64_t findings = report.findings;
  if (arguments.content) {
    uint64_t told_before = 0;
    const auto is_new = [&](const CheckFinding& finding) {
      const bool told = finding.digest.has_value() && bad.contains(*finding.digest);
      told_before += told ? 1 : 0;
      return !told;
    };
    ASSIGN_OR_RETURN(
        CheckReport content,
        RunCheck([&](const CheckObserver& observer) { return client->CheckContent(observer); },
                 arguments, "hashing", Hashed, is_new));
    content.findings -= std::min(content.findings, told_before);
    Print(ContentReportText(content, told_before, arguments.json));
    findings += content.findings;
  }
  if (findings == 0) return absl::OkStatus();
  // The code for damage.
  return absl::DataLossError(StrCat(
      "the store has ", findings, findings == 1 ? " finding" : " findings",
      arguments.content ? "; blobs whose bytes are bad answer absent" : "; nothing was changed"));
}

void SetUpFsck(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<FsckArguments>();
  command.add_flag("--content", arguments->content,
                   "Then read every blob back from the disk and hash it. One that is not what its "
                   "digest says answers absent until it is pushed again. Interrupted, the next "
                   "--content goes on where this one was");
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  command.add_flag("--json", arguments->json, "One JSON object a finding, the report last");
  CLI::Option* const adopt = command.add_flag(
      "--adopt", arguments->adopt,
      "Read the files that damage of the index left without a name, and make those blobs again "
      "that an image, a hold or a lease needs");
  command
      .add_flag("--drop-orphans", arguments->drop_orphans,
                "As --adopt, and remove those of the files that nothing needs")
      ->excludes(adopt);
  SetAction(command, session, arguments, Fsck);
}

constexpr char kHelp[] =
    "Look for what is wrong in the store, while the daemon serves: whether all that tags, images, "
    "holds and leases need is there and kept, and nothing else is kept for ever. Repairs nothing, "
    "and does not read the bytes of layers, unless --content says so. Exit code 3 when there are "
    "findings; two repositories that would have one name today are told, and are none. After "
    "damage of the index, --adopt and --drop-orphans settle the files that it left without a "
    "name, and check nothing";

}  // namespace

CommandGroup FsckCommand() {
  return {
      .name = "system",
      .commands = {
          {.name = "fsck",
           .help = kHelp,
           .examples = {{"varve fsck", "Is anything wrong with the store"},
                        {"varve fsck --content", "And are all bytes still what they were"},
                        {"varve fsck --json", "For a script: findings, then what was looked at"},
                        {"varve fsck --adopt",
                         "After damage of the index: give back what is needed"},
                        {"varve fsck --drop-orphans", "And remove what nothing needs"}},
           .set_up = SetUpFsck,
           .short_forms = {"fsck"}}}};
}

}  // namespace varve
