#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/byte_source.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt_note.h"
#include "client/cli/listing.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/file_error.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/limits.h"

namespace varve {
namespace {

struct BlobArguments {
  std::string file;    // "-" is standard input or output
  std::string digest;  // of get and stat
  std::string repository;
  bool json = false;
  bool quiet = false;
};

// The last part of a path; "standard input" for "-".
std::string NameOfFile(const std::string& path) {
  return path == "-" ? "standard input" : path.substr(path.find_last_of('/') + 1);
}

std::string JsonLine(const BlobInfo& info) {
  return JsonObject()
      .Add("digest", info.digest.ToString())
      .Add("size_bytes", info.size_bytes)
      .Add("created", TimeText(info.created_nanos))
      .Line();
}

absl::Status Put(Session& session, const BlobArguments& arguments) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const bool from_stdin = arguments.file == "-";
  const int fd = from_stdin ? STDIN_FILENO : open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "open " + arguments.file);
  ByteSource source(fd);
  PutBlobOptions options;
  options.repository = arguments.repository;
  options.upload_id = UploadIdOfFile(fd, arguments.repository);
  const InterruptNote note(
      options.upload_id.empty()
          ? "an upload from a pipe begins anew; from a file it goes on where it stopped"
          : "what arrived is kept, for a day by default: the same command goes on from there");
  Progress progress(ProgressOnStandardError(arguments.quiet));
  const Progress::Row row =
      progress.Add(NameOfFile(arguments.file), source.size_bytes(), "uploading");
  options.progress = [&](uint64_t bytes) { progress.SetBytes(row, bytes); };
  const absl::StatusOr<BlobInfo> blob = client->PutBlob(source, options);
  if (!from_stdin) close(fd);
  RETURN_IF_ERROR(blob.status());
  progress.Complete(row);
  progress.Finish();
  Print(arguments.json ? JsonLine(*blob) : blob->digest.ToString() + "\n");
  return absl::OkStatus();
}

absl::Status Get(Session& session, const BlobArguments& arguments) {
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(arguments.digest));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const BlobInfo expected, client->StatBlob(arguments.repository, digest));
  Progress progress(ProgressOnStandardError(arguments.quiet));
  const Progress::Row row =
      progress.Add("blob " + ShortId(digest), expected.size_bytes, "downloading");
  GetBlobOptions options;
  options.repository = arguments.repository;
  options.progress = [&](uint64_t bytes) { progress.SetBytes(row, bytes); };
  if (arguments.file == "-") {
    const ByteSink sink = [](std::string_view bytes) {
      return WriteAll(STDOUT_FILENO, bytes, "standard output");
    };
    RETURN_IF_ERROR(client->GetBlob(digest, sink, options).status());
    progress.Complete(row);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(arguments.file));
  const ByteSink sink = [&file](std::string_view bytes) { return file->Write(bytes); };
  ASSIGN_OR_RETURN(const BlobInfo info, client->GetBlob(digest, sink, options));
  RETURN_IF_ERROR(file->Complete());
  progress.Complete(row);
  progress.Finish();
  if (arguments.json) {
    Print(JsonObject()
              .Add("digest", digest.ToString())
              .Add("size_bytes", info.size_bytes)
              .Add("file", arguments.file)
              .Line());
  }
  return absl::OkStatus();
}

absl::Status Stat(Session& session, const BlobArguments& arguments) {
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(arguments.digest));
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  ASSIGN_OR_RETURN(const BlobInfo info, client->StatBlob(arguments.repository, digest));
  Print(arguments.json
            ? JsonLine(info)
            : StrCat("Digest:  ", info.digest.ToString(), "\nSize:    ", HumanSize(info.size_bytes),
                     " (", info.size_bytes, " bytes)\nCreated: ",
                     AgeAndTime(info.created_nanos, SystemClock().WallNanos()), "\n"));
  return absl::OkStatus();
}

using BlobAction = absl::Status (*)(Session&, const BlobArguments&);
using BlobCheck = void (*)(const BlobArguments&);

void SetBlobAction(CLI::App& command, Session& session,
                   const std::shared_ptr<BlobArguments>& arguments, BlobAction action,
                   BlobCheck check = nullptr) {
  command
      .add_option("--repository", arguments->repository,
                  "Where the blob is visible (else: in the whole store)")
      ->check(CheckRepository);
  command.callback([&session, arguments, action, check] {
    if (check != nullptr) check(*arguments);
    std::string& repository = arguments->repository;
    if (!repository.empty()) repository = *StoredName(repository);  // checked already
    session.action = [&session, arguments, action] { return action(session, *arguments); };
  });
}

void SetUpPut(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<BlobArguments>();
  command.add_option("FILE", arguments->file, "The file to upload; - is standard input")
      ->required();
  command.add_flag("--json", arguments->json, "Print the new blob as a JSON object");
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  AddLeaseOption(command, session);
  SetBlobAction(command, session, arguments, Put);
}

// Where the bytes go decides what else may go there.
void CheckOutput(const BlobArguments& arguments) {
  if (arguments.file != "-") return;
  if (arguments.json) throw CLI::ValidationError("--json", "needs --output FILE");
  if (isatty(STDOUT_FILENO) != 0) {
    throw CLI::ValidationError(
        "blob get", "a blob is not for a terminal; use --output FILE or redirect the output");
  }
}

void SetUpGet(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<BlobArguments>();
  arguments->file = "-";
  command.add_option("DIGEST", arguments->digest, "The blob")->required()->check(CheckDigest);
  command.add_option("-o,--output", arguments->file,
                     "The file to write, complete or not at all (default: standard output)");
  command.add_flag("--json", arguments->json, "Print what was written as a JSON object");
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  AddLeaseOption(command, session);
  SetBlobAction(command, session, arguments, Get, CheckOutput);
}

void SetUpStat(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<BlobArguments>();
  command.add_option("DIGEST", arguments->digest, "The blob")->required()->check(CheckDigest);
  command.add_flag("--json", arguments->json, "Print the blob as a JSON object");
  SetBlobAction(command, session, arguments, Stat);
}

std::string JsonRow(const BlobDetails& details) {
  return JsonObject()
      .Add("digest", details.blob.digest.ToString())
      .Add("size_bytes", details.blob.size_bytes)
      .Add("created", TimeText(details.blob.created_nanos))
      .Add("inlined", details.inlined)
      .Add("referenced", details.referenced)
      .Add("quarantined", details.quarantined)
      .Line();
}

std::vector<std::string> TableRow(const BlobDetails& details, const TimeWords& times) {
  std::string state = details.referenced ? "referenced" : "unreferenced";
  if (details.quarantined) state += ", damaged";
  return {details.blob.digest.ToString(), HumanSize(details.blob.size_bytes),
          times.Past(details.blob.created_nanos), details.inlined ? "index" : "file",
          std::move(state)};
}

RowForms<BlobDetails> Forms() {
  return {{{"Digest", "DIGEST"},
           {"Size", "SIZE"},
           {"CreatedSince", "CREATED"},
           {"KeptIn", "KEPT IN"},
           {"State", "STATE"}},
          TableRow,
          [](const BlobDetails& details) { return details.blob.digest.ToString(); },
          JsonRow};
}

}  // namespace

CommandGroup BlobCommands() {
  return {
      .name = "blob",
      .help = "Upload, download and look up blobs",
      .commands = {{.name = "put",
                    .help = "Upload a blob and print its digest; a try that broke off is resumed",
                    .examples = {{"varve blob put layer.tar.gz",
                                  "Upload a file; after a break, again to resume"},
                                 {"tar c dir | varve blob put -", "Upload from a pipe"},
                                 {"varve blob put --lease $lease layer.tar.gz",
                                  "Keep it until a manifest names it"}},
                    .set_up = SetUpPut},
                   {.name = "get",
                    .help = "Download a blob and verify its digest",
                    .examples = {{"varve blob get sha256:8a3f… -o layer.tar.gz",
                                  "Into a file, all of it or nothing"},
                                 {"varve blob get sha256:8a3f… | tar xz", "Into a pipe"}},
                    .set_up = SetUpGet},
                   {.name = "stat",
                    .help = "Show whether a blob is there",
                    .examples = {{"varve blob stat sha256:8a3f…", "Is it there, and how long"}},
                    .set_up = SetUpStat},
                   ListingCommand({"List all blobs of the store", "Show digests only",
                                   "One JSON object a blob, one a line"},
                                  {{"varve blob ls --json", "All blobs, for a script"}}, Forms(),
                                  &Client::ListBlobs, &BlobPage::blobs)}};
}

}  // namespace varve
