#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/archive/image_json.h"
#include "client/archive/load.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt_note.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/canonical_name.h"

namespace varve {
namespace {

struct LoadArguments {
  std::string file = "-";  // "-" is standard input
  std::string repository;
  std::string platform;
  bool quiet = false;
  bool json = false;
};

std::string CheckPlatform(const std::string& text) {
  return std::string(ParsePlatform(text).status().message());
}

// Shows the blobs while they are uploaded, and keeps what is to be said about images until the rows
// of the blobs stand still.
class LoadDisplay final : public LoadObserver {
 public:
  explicit LoadDisplay(const LoadArguments& arguments)
      : json_(arguments.json), progress_(ProgressOnStandardError(arguments.quiet)) {}

  void BlobStarted(const std::string& name, uint64_t size_bytes) override {
    row_ = progress_.Add(RowName(name), size_bytes, "loading");
  }
  void BlobProgress(uint64_t bytes) override { progress_.SetBytes(row_, bytes); }
  void BlobDone() override { progress_.Complete(row_); }
  void BlobFailed() override { progress_.Complete(row_, "failed"); }
  void BlobAlreadyThere(const std::string& name, uint64_t size_bytes) override {
    progress_.Complete(progress_.Add(RowName(name), size_bytes, "looking"), "already there");
  }

  void ImageLoaded(const LoadedImage& image) override {
    const std::string id = image.manifest.ToString();
    if (json_) {
      JsonObject object;
      object.Add("repository", ShownName(image.repository))
          .Add("tag", image.tag)
          .Add("image_id", id)
          .Add("digest", id);
      if (image.replaced) object.Add("replaced_image_id", image.replaced->ToString());
      if (image.subject) object.Add("subject", image.subject->ToString());
      said_.append(object.Line());
    } else if (image.tag.empty() && image.subject) {
      said_.append(StrCat("Loaded referrer: ", ShownName(image.repository), "@", id, "\n"));
    } else if (image.tag.empty()) {
      said_.append(StrCat("Loaded image ID: ", id, "\n"));
    } else {
      const std::string name = StrCat(ShownName(image.repository), ":", image.tag);
      if (image.replaced) {
        said_.append(StrCat("The image ", name, " already exists, renaming the old one with ID ",
                            image.replaced->ToString(), " to empty string\n"));
      }
      said_.append(StrCat("Loaded image: ", name, "\n"));
    }
  }

  void OnNote(const std::string& sentence) override { notes_.push_back(sentence); }

  void ImageFailed(const std::string& /*name*/, const absl::Status& status) override {
    failures_.emplace_back(status.message());
  }

  // Prints what is to be said; `status` is what the command ends with and says itself.
  absl::Status Finish(const absl::Status& status) {
    progress_.Finish();
    Print(said_);
    const absl::Status printed = FlushOutput();
    for (const std::string& note : notes_) PrintError(note);
    for (const std::string& failure : failures_) {
      if (failure != ToStd(status.message())) PrintError(failure);
    }
    return status.ok() ? printed : status;
  }

 private:
  static std::string RowName(const std::string& name) {
    const absl::StatusOr<Digest> digest = Digest::Parse(name);
    return digest.ok() ? ShortId(*digest) : name;
  }

  const bool json_;
  Progress progress_;
  Progress::Row row_ = 0;
  std::string said_;
  std::vector<std::string> notes_;
  std::vector<std::string> failures_;
};

absl::Status Load(Session& session, const LoadArguments& arguments) {
  LoadOptions options;
  if (!arguments.repository.empty()) {
    ASSIGN_OR_RETURN(options.repository, StoredName(arguments.repository));
  }
  if (!arguments.platform.empty()) {
    ASSIGN_OR_RETURN(options.platform, ParsePlatform(arguments.platform));
  }
  const bool from_stdin = arguments.file == "-";
  const int fd = from_stdin ? STDIN_FILENO : open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "open " + arguments.file);
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  const InterruptNote note(
      from_stdin
          ? "the same command begins anew; from a file (--input) what has arrived is not sent "
            "again, if it follows soon"
          : "the same command goes on, and what has arrived is not sent again, if it follows "
            "soon");
  LoadDisplay display(arguments);
  const absl::Status status = LoadImages(*client, fd, options, display);
  if (!from_stdin) close(fd);
  return display.Finish(status);
}

void SetUpLoad(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<LoadArguments>();
  command.add_option("-i,--input", arguments->file,
                     "The archive, plain or with gzip, zstd, xz or bzip2, or the directory of an "
                     "image layout or of skopeo's dir: (default: standard input)");
  command
      .add_option("--repository", arguments->repository,
                  StrCat("For images to which the archive gives no name, or only a tag (default: ",
                         kUntaggedRepository, ")"))
      ->check(CheckRepository);
  command
      .add_option("--platform", arguments->platform,
                  "Of images for several platforms, load only the one for OS/ARCH[/VARIANT]")
      ->check(CheckPlatform);
  AddLeaseOption(command, session);
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  command.add_flag("--json", arguments->json, "One JSON object a tag, one a line");
  command.callback([&session, arguments] {
    if (arguments->file == "-" && isatty(STDIN_FILENO) != 0) {
      throw CLI::ValidationError(
          "load", "there is no archive at a terminal; use --input FILE or redirect the input");
    }
    session.action = [&session, arguments] { return Load(session, *arguments); };
  });
}

}  // namespace

CommandGroup LoadCommand() {
  return {
      .name = "image",
      .commands = {
          {.name = "load",
           .help =
               "Load images from an archive that docker, podman, skopeo, buildah or varve wrote",
           .examples = {{"docker save app:v1 | varve load", "Straight from Docker"},
                        {"varve load -i app.tar.gz", "From a file"}},
           .set_up = SetUpLoad,
           .short_forms = {"load"}}}};
}

}  // namespace varve
