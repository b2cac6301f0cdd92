#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/archive/image_changes.h"
#include "client/archive/image_json.h"
#include "client/archive/import.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt_note.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/file_error.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"
#include "storage/image/names.h"

namespace varve {
namespace {

constexpr char kEpochVariable[] = "SOURCE_DATE_EPOCH";

struct ImportArguments {
  std::string file;  // "-" is standard input
  std::string name;  // REPOSITORY[:TAG], or empty
  std::string message;
  std::vector<std::string> changes;
  std::string platform;
  std::string created;
  bool quiet = false;
  bool json = false;
};

class ImportProgress : public ImportObserver {
 public:
  explicit ImportProgress(bool quiet) : progress_(ProgressOnStandardError(quiet)) {}

  void OnStart(std::optional<uint64_t> size_bytes) override {
    row_ = progress_.Add("layer", size_bytes, "importing");
  }
  void OnProgress(uint64_t done_bytes) override { progress_.SetBytes(row_, done_bytes); }
  void OnNote(const std::string& sentence) override { progress_.Say("note: " + sentence); }

  void Complete() {
    progress_.Complete(row_);
    progress_.Finish();
  }

 private:
  Progress progress_;
  Progress::Row row_ = 0;
};

// Nanoseconds since 1970 of "2026-11-23T18:00:00Z" or of seconds since 1970.
absl::StatusOr<int64_t> ParseTime(const std::string& text) {
  int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, seconds);
  absl::Time time = absl::FromUnixSeconds(seconds);
  std::string reason;
  if ((error != std::errc() || parsed != end) &&
      !absl::ParseTime(absl::RFC3339_full, text, &time, &reason)) {
    time = absl::InfinitePast();
  }
  // What nanoseconds in 64 bits can tell.
  if (time < absl::UnixEpoch() || time > absl::FromUnixSeconds(INT64_MAX / kNanosPerSecond)) {
    return absl::InvalidArgumentError(
        StrCat("\"", text, "\" is no time: write 2026-11-23T18:00:00Z or seconds since 1970"));
  }
  return absl::ToUnixNanos(time);
}

absl::StatusOr<int64_t> CreationNanos(const ImportArguments& arguments) {
  if (!arguments.created.empty()) return ParseTime(arguments.created);
  // What reproducible builds set.
  const char* const epoch = std::getenv(kEpochVariable);
  if (epoch == nullptr || *epoch == '\0') return SystemClock().WallNanos();
  const absl::StatusOr<int64_t> nanos = ParseTime(epoch);
  if (!nanos.ok()) return Annotate(nanos.status(), kEpochVariable);
  return nanos;
}

absl::StatusOr<ImportOptions> OptionsOf(const ImportArguments& arguments) {
  ImportOptions options;
  if (!arguments.name.empty()) {
    ASSIGN_OR_RETURN(const ImageReference reference, ParseImageReference(arguments.name));
    if (reference.digest) {
      return absl::InvalidArgumentError("the name of the new image cannot be a digest");
    }
    options.repository = reference.repository;
    options.tag = reference.tag;
  }
  if (!arguments.platform.empty()) {
    ASSIGN_OR_RETURN(options.platform, ParsePlatform(arguments.platform));
  }
  for (const std::string& change : arguments.changes) {
    RETURN_IF_ERROR(ApplyChange(change, &options.runtime));
  }
  ASSIGN_OR_RETURN(const int64_t created_nanos, CreationNanos(arguments));
  options.created = TimeText(created_nanos);
  // Docker's words, which do not tell a file's name either: the same input gives the same image.
  options.comment = arguments.message.empty() ? "Imported from -" : arguments.message;
  return options;
}

void PrintImage(const ImportArguments& arguments, const ImportOptions& options,
                const ImportedImage& image) {
  const std::string id = image.manifest.digest.ToString();
  if (arguments.json) {
    Print(JsonObject()
              .Add("image_id", id)
              .Add("repository", ShownName(options.repository))
              .Add("tag", options.tag)
              .Add("digest", id)
              .Add("layer", image.layer.digest.ToString())
              .Add("layer_bytes", image.layer.size_bytes)
              .Add("diff_id", image.diff_id.ToString())
              .Line());
    return;
  }
  Print(id + "\n");
  if (options.tag.empty() && !arguments.quiet) {
    std::fprintf(stderr, "stored as %s@%s\n", ShownName(options.repository).c_str(),
                 image.manifest.digest.ToString().c_str());
  }
}

absl::Status Import(Session& session, const ImportArguments& arguments, ImportOptions options) {
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const bool from_stdin = arguments.file == "-";
  const int fd = from_stdin ? STDIN_FILENO : open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "open " + arguments.file);
  const InterruptNote note("no image was made; the same command begins again");
  ImportProgress progress(arguments.quiet);
  options.observer = &progress;
  const absl::StatusOr<ImportedImage> image = ImportImage(*client, fd, options);
  if (!from_stdin) close(fd);
  RETURN_IF_ERROR(image.status());
  progress.Complete();
  PrintImage(arguments, options, *image);
  return absl::OkStatus();
}

void SetUpImport(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<ImportArguments>();
  command
      .add_option("FILE", arguments->file,
                  "The archive, plain or with gzip, zstd, xz or bzip2; - is standard input")
      ->required();
  command.add_option("NAME", arguments->name, "REPOSITORY[:TAG] of the new image (default: none)");
  command.add_option("-m,--message", arguments->message, "A comment for the image's history");
  command
      .add_option("-c,--change", arguments->changes,
                  "An instruction as in a Dockerfile, such as 'CMD [\"/bin/sh\"]'; repeatable")
      ->allow_extra_args(false);
  command.add_option("--platform", arguments->platform,
                     "OS/ARCH[/VARIANT] of the programs in it (default: of this machine)");
  command.add_option("--created", arguments->created,
                     "Time of creation, 2026-11-23T18:00:00Z or seconds since 1970 (default: "
                     "SOURCE_DATE_EPOCH, else now)");
  AddLeaseOption(command, session);
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  command.add_flag("--json", arguments->json, "Print the new image as a JSON object");
  command.callback([&session, arguments] {
    const absl::StatusOr<ImportOptions> options = OptionsOf(*arguments);
    if (!options.ok()) {
      throw CLI::ValidationError("import", std::string(options.status().message()));
    }
    session.action = [&session, arguments, options = *options] {
      return Import(session, *arguments, options);
    };
  });
}

}  // namespace

CommandGroup ImportCommand() {
  return {.name = "image",
          .commands = {
              {.name = "import",
               .help = "Make an image from the tar archive of a root file system and print its id",
               .examples = {{"varve import rootfs.tar.gz base:v1", "An image of one layer"},
                            {"varve import -c 'CMD [\"/bin/sh\"]' rootfs.tar base:v1",
                             "With what it runs"}},
               .set_up = SetUpImport,
               .short_forms = {"import"}}}};
}

}  // namespace varve
