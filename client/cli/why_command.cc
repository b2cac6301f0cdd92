// `image why`: what keeps an image or a blob alive.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"

namespace varve {
namespace {

struct WhyArguments {
  std::string name;
  bool no_trunc = false;
  bool json = false;
};

std::string_view KindName(Keeper::Kind kind) {
  switch (kind) {
    case Keeper::Kind::kTag:
      return "tag";
    case Keeper::Kind::kHold:
      return "hold";
    case Keeper::Kind::kLease:
      return "lease";
    case Keeper::Kind::kManifest:
      return "manifest";
    case Keeper::Kind::kSubject:
      return "subject";
    case Keeper::Kind::kMember:
      return "member";
    case Keeper::Kind::kPromise:
      return "promise";
  }
  return "unknown";
}

std::string Sentence(const Keeper& keeper) {
  const std::string repository = ShownName(keeper.repository);
  const std::string manifest = StrCat(repository, "@", keeper.manifest.ToString());
  switch (keeper.kind) {
    case Keeper::Kind::kTag: {
      const std::string tag = StrCat("tag ", repository, ":", keeper.name);
      const std::optional<Digest> subject = SubjectOfTag(keeper.name);
      return subject ? StrCat(tag, ", which attaches it to ", subject->ToString()) : tag;
    }
    case Keeper::Kind::kHold:
    case Keeper::Kind::kLease:
      return StrCat(KindName(keeper.kind), " ", keeper.name);
    case Keeper::Kind::kManifest:
      return StrCat("manifest ", manifest, " names it");
    case Keeper::Kind::kSubject:
      return StrCat("it belongs to ", manifest, ", as a signature does: it goes when that goes");
    case Keeper::Kind::kMember:
      return StrCat("an image of ", repository, ", until a prune");
    case Keeper::Kind::kPromise:
      return "a client was told that it is here";
  }
  return "something that this version does not know";
}

// What a prune and one of all images would do.
std::string PruneSentence(const KeeperReport& report, const TimeWords& times) {
  constexpr std::string_view kPrune = "`varve image prune`";
  int64_t until_nanos = 0;
  bool only_claims = true;  // of clients, which end by themselves
  for (const Keeper& keeper : report.keepers) {
    const bool claim = keeper.kind == Keeper::Kind::kPromise || keeper.kind == Keeper::Kind::kLease;
    only_claims = only_claims && claim;
    if (claim) until_nanos = std::max(until_nanos, keeper.until_nanos);
  }
  if (only_claims) return "No image needs it: it goes by itself when these end.\n";
  const std::string later =
      until_nanos == 0
          ? ""
          : StrCat("; promises and leases put that off, and end ", times.Future(until_nanos));
  if (report.prune_takes) return StrCat(kPrune, " takes it", later, ".\n");
  if (report.prune_all_takes) {
    return StrCat(kPrune, " leaves it; with -a it takes it, and its tags, for no hold is on it",
                  later, ".\n");
  }
  return StrCat(kPrune, " leaves it, also with -a.\n");
}

std::string Line(const Keeper& keeper, const TimeWords& times) {
  std::string line = StrCat(std::string(2 * (keeper.depth + 1), ' '), Sentence(keeper));
  if (keeper.since_nanos != 0)
    line += StrCat(", since ", MidSentence(times.Past(keeper.since_nanos)));
  if (keeper.until_nanos != 0) line += StrCat(", ends ", times.Future(keeper.until_nanos));
  return line + "\n";
}

std::string JsonLine(const Keeper& keeper) {
  JsonObject object;
  object.Add("kind", KindName(keeper.kind)).Add("depth", uint64_t{keeper.depth});
  if (!keeper.repository.empty()) object.Add("repository", ShownName(keeper.repository));
  if (!keeper.name.empty()) object.Add("name", keeper.name);
  if (keeper.kind == Keeper::Kind::kManifest || keeper.kind == Keeper::Kind::kSubject) {
    object.Add("digest", keeper.manifest.ToString());
  }
  if (keeper.since_nanos != 0) object.Add("since", TimeText(keeper.since_nanos));
  if (keeper.until_nanos != 0) object.Add("until", TimeText(keeper.until_nanos));
  return object.Line();
}

absl::Status Why(Session& session, const WhyArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const KeeperReport report, client->ExplainKept(arguments.name));
  const TimeWords times(arguments.no_trunc, SystemClock().WallNanos());
  std::string text;
  if (arguments.json) {
    for (const Keeper& keeper : report.keepers) text += JsonLine(keeper);
    if (report.dangling) text += JsonObject().Add("dangling", true).Line();
    text += JsonObject()
                .Add("prune_takes", report.prune_takes)
                .Add("prune_all_takes", report.prune_all_takes)
                .Line();
  } else if (report.keepers.empty()) {
    text = StrCat("nothing keeps ", report.digest.ToString(), "; it goes in a moment\n");
  } else {
    text = StrCat(report.digest.ToString(), " is kept by\n");
    for (const Keeper& keeper : report.keepers) text += Line(keeper, times);
    if (!report.complete) text += "  and more\n";
    if (report.dangling) {
      text += "No tag, hold, lease or promise reaches any of these: the next prune takes them.\n";
    } else {
      text += PruneSentence(report, times);
    }
  }
  Print(text);
  return absl::OkStatus();
}

void SetUpWhy(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<WhyArguments>();
  command
      .add_option("NAME", arguments->name,
                  "REPOSITORY[:TAG], REPOSITORY@DIGEST, image id, or the digest of any blob")
      ->required();
  command.add_flag("--no-trunc", arguments->no_trunc, "Show times in full");
  command.add_flag("--json", arguments->json, "One JSON object a line for each thing");
  SetAction(command, session, arguments, Why);
}

}  // namespace

CommandGroup WhyCommand() {
  return {.name = "image",
          .commands = {{.name = "why",
                        .help = "Tell what keeps an image or a blob",
                        .examples = {{"varve image why app:v1",
                                      "The tags, holds, leases and promises on it"}},
                        .set_up = SetUpWhy}}};
}

}  // namespace varve
