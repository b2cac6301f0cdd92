// `lease create`, `lease attach`, `lease renew`, `lease rm`, `lease ls`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "client/cli/action.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/time_text.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct CreateArguments {
  std::string id;
  std::string owner;
  std::string ttl = "1h";
  bool json = false;
};

struct AttachArguments {
  std::string id;
  std::vector<std::string> contents;  // digests, or names of images
  bool json = false;
};

struct RenewArguments {
  std::string id;
  std::string ttl = "1h";
  bool json = false;
};

struct DeleteArguments {
  std::vector<std::string> ids;
  bool json = false;
};

std::string CheckTtl(const std::string& text) {
  const absl::StatusOr<int64_t> nanos = ParseDuration(text);
  if (!nanos.ok()) return std::string(nanos.status().message());
  return *nanos > 0 && *nanos <= kMaxLeaseNanos ? "" : "a lease lasts up to 24h; renew it";
}

std::string JsonRow(const LeaseInfo& lease) {
  return JsonObject()
      .Add("id", lease.id)
      .Add("owner", lease.owner)
      .Add("created", TimeText(lease.created_nanos))
      .Add("deadline", TimeText(lease.deadline_nanos))
      .Add("contents", lease.contents)
      .Line();
}

absl::Status Create(Session& session, const CreateArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  LeaseRequest request;
  request.id = arguments.id;
  request.owner = arguments.owner;
  ASSIGN_OR_RETURN(request.ttl_nanos, ParseDuration(arguments.ttl));
  ASSIGN_OR_RETURN(const LeaseInfo lease, client->CreateLease(request));
  Print(arguments.json ? JsonRow(lease) : lease.id + "\n");
  return absl::OkStatus();
}

// The digest that a word is, or else of the image that it names.
absl::StatusOr<Digest> ContentOf(Client& client, const std::string& word) {
  const absl::StatusOr<Digest> digest = Digest::Parse(word);
  if (digest.ok()) return digest;
  ASSIGN_OR_RETURN(const ImageMatch image, client.FindImage(word));
  return image.manifest;
}

absl::Status Attach(Session& session, const AttachArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  std::vector<Digest> contents;
  for (const std::string& word : arguments.contents) {
    ASSIGN_OR_RETURN(const Digest digest, ContentOf(*client, word));
    contents.push_back(digest);
  }
  for (size_t i = 0; i < contents.size(); i += kMaxAttachedDigests) {
    const auto page = absl::MakeConstSpan(contents).subspan(i, kMaxAttachedDigests);
    ASSIGN_OR_RETURN(const std::vector<Digest> absent, client->AttachToLease(arguments.id, page));
    for (const Digest& digest : page) {
      const bool here = std::find(absent.begin(), absent.end(), digest) == absent.end();
      const std::string text = digest.ToString();
      Print(arguments.json ? JsonObject().Add("attached", text).Add("present", here).Line()
                           : StrCat(text, here ? "\n" : " (not here yet)\n"));
    }
  }
  return absl::OkStatus();
}

absl::Status Renew(Session& session, const RenewArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const int64_t ttl_nanos, ParseDuration(arguments.ttl));
  ASSIGN_OR_RETURN(const LeaseInfo lease, client->RenewLease(arguments.id, ttl_nanos));
  Print(arguments.json ? JsonRow(lease) : lease.id + "\n");
  return absl::OkStatus();
}

absl::Status Delete(Session& session, const DeleteArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  return PrintEachName(session, arguments.ids, arguments.json ? "removed" : "",
                       [&](const std::string& name) { return client->DeleteLease(name); });
}

std::vector<std::string> TableRow(const LeaseInfo& lease, const TimeWords& times) {
  return {lease.id, lease.owner, StrCat(lease.contents), times.Past(lease.created_nanos),
          times.Future(lease.deadline_nanos)};
}

RowForms<LeaseInfo> Forms() {
  return {{{"ID", "LEASE"},
           {"Owner", "OWNER"},
           {"Contents", "CONTENTS"},
           {"CreatedSince", "CREATED"},
           {"Deadline", "EXPIRES"}},
          TableRow,
          [](const LeaseInfo& lease) { return lease.id; },
          JsonRow};
}

void SetUpCreate(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<CreateArguments>();
  command.add_option("--id", arguments->id, "What the lease is called (default: a random id)");
  command.add_option("--owner", arguments->owner, "Who works, for people");
  command
      .add_option("--ttl", arguments->ttl,
                  "How long it lasts unless it is renewed, at most 24h (default: 1h)")
      ->check(CheckTtl);
  command.add_flag("--json", arguments->json, "Print the lease as a JSON object");
  SetAction(command, session, arguments, Create);
}

void SetUpAttach(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<AttachArguments>();
  command.add_option("LEASE", arguments->id, "Its id")->required();
  command.add_option("CONTENT", arguments->contents, "Digests, or names of images")->required();
  command.add_flag("--json", arguments->json, "One JSON object a digest, one a line");
  SetAction(command, session, arguments, Attach);
}

void SetUpRenew(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<RenewArguments>();
  command.add_option("LEASE", arguments->id, "Its id")->required();
  command
      .add_option("--ttl", arguments->ttl,
                  "How long it lasts from now on, at most 24h (default: 1h)")
      ->check(CheckTtl);
  command.add_flag("--json", arguments->json, "Print the lease as a JSON object");
  SetAction(command, session, arguments, Renew);
}

void SetUpDelete(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<DeleteArguments>();
  command.add_option("LEASE", arguments->ids, "Ids of leases")->required();
  command.add_flag("--json", arguments->json, "One JSON object a lease, one a line");
  SetAction(command, session, arguments, Delete);
}

}  // namespace

CommandGroup LeaseCommands() {
  return {
      .name = "lease",
      .help = "Keep content while a build, push or pull goes on",
      .commands = {{.name = "create",
                    .help = "Begin to keep what other commands name with --lease",
                    .examples = {{"lease=$(varve lease create --owner build-17 --ttl 2h)",
                                  "For the commands of a build"}},
                    .set_up = SetUpCreate},
                   {.name = "attach",
                    .help = "Keep content by a lease, here already or not",
                    .examples = {{"varve lease attach $lease base:v1",
                                  "So that the base image stays while it is used"}},
                    .set_up = SetUpAttach},
                   {.name = "renew",
                    .help = "Let a lease last longer",
                    .examples = {{"varve lease renew $lease --ttl 2h", "While the work goes on"}},
                    .set_up = SetUpRenew},
                   {.name = "rm",
                    .help = "End leases; what nothing else keeps goes from now on",
                    .examples = {{"varve lease rm $lease", "When the result has its tag"}},
                    .set_up = SetUpDelete},
                   ListingCommand(
                       {"List the leases", "Show ids only", "One JSON object a lease, one a line"},
                       {{"varve lease ls", "Who works, and until when"}}, Forms(),
                       &Client::ListLeases, &LeasePage::leases)}};
}

void AddLeaseOption(CLI::App& command, Session& session) {
  command
      .add_option("--lease", session.lease,
                  "Attach all of it to this lease, which keeps it (see lease create)")
      ->check(CheckLease);
}

}  // namespace varve
