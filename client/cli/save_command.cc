#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/archive/image_json.h"
#include "client/archive/save.h"
#include "client/cli/action.h"
#include "client/cli/commands.h"
#include "client/cli/output_file.h"
#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

struct SaveArguments {
  std::vector<std::string> names;
  std::string file = "-";  // "-" is standard output
  std::string platform;
  bool no_referrers = false;
  bool quiet = false;
  bool json = false;
};

class SaveProgress : public SaveObserver {
 public:
  explicit SaveProgress(bool quiet) : progress_(ProgressOnStandardError(quiet)) {}

  void OnLayer(const Digest& layer, uint64_t done_bytes, uint64_t size_bytes) override {
    if (done_bytes == 0) {
      row_ = progress_.Add(StrCat("layer ", ShortId(layer)), size_bytes, "saving");
    }
    progress_.SetBytes(row_, done_bytes);
    if (done_bytes == size_bytes) progress_.Complete(row_);
  }

  void OnNote(const std::string& sentence) override { progress_.Say("note: " + sentence); }

 private:
  Progress progress_;
  Progress::Row row_ = 0;
};

std::string CheckName(const std::string& text) {
  return std::string(ValidateSaveName(text).message());
}

std::string CheckPlatform(const std::string& text) {
  return std::string(ParsePlatform(text).status().message());
}

// Where the bytes go decides what else may go there.
void CheckOutput(const SaveArguments& arguments) {
  if (arguments.file != "-") return;
  if (arguments.json) throw CLI::ValidationError("--json", "needs --output FILE");
  if (isatty(STDOUT_FILENO) != 0) {
    throw CLI::ValidationError(
        "save",
        "cowardly refusing to save to a terminal; use --output FILE or redirect the output");
  }
}

absl::Status Save(Session& session, const SaveArguments& arguments) {
  SaveProgress progress(arguments.quiet);
  SaveOptions options;
  options.observer = &progress;
  options.referrers = !arguments.no_referrers;
  if (!arguments.platform.empty()) {
    ASSIGN_OR_RETURN(options.platform, ParsePlatform(arguments.platform));
  }
  ASSIGN_OR_RETURN(Client* const client, session.Connect());
  if (arguments.file == "-") {
    return SaveImages(*client, arguments.names, options, [](std::string_view bytes) {
      return WriteAll(STDOUT_FILENO, bytes, "standard output");
    });
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, OutputFile::Create(arguments.file));
  uint64_t size_bytes = 0;
  RETURN_IF_ERROR(SaveImages(*client, arguments.names, options, [&](std::string_view bytes) {
    size_bytes += bytes.size();
    return file->Write(bytes);
  }));
  RETURN_IF_ERROR(file->Complete());
  if (arguments.json) {
    Print(JsonObject().Add("file", arguments.file).Add("size_bytes", size_bytes).Line());
  }
  return absl::OkStatus();
}

void SetUpSave(CLI::App& command, Session& session) {
  auto arguments = std::make_shared<SaveArguments>();
  command
      .add_option("IMAGE", arguments->names,
                  "REPOSITORY (all its tags), REPOSITORY:TAG, REPOSITORY@DIGEST or an image id")
      ->required()
      ->check(CheckName);
  command.add_option("-o,--output", arguments->file,
                     "The file to write, complete or not at all (default: standard output)");
  command
      .add_option("--platform", arguments->platform,
                  "Of images for several platforms, save only the one for OS/ARCH[/VARIANT]")
      ->check(CheckPlatform);
  command.add_flag("--no-referrers", arguments->no_referrers,
                   "Leave out signatures, attestations and what else refers to the images");
  AddLeaseOption(command, session);
  command.add_flag("-q,--quiet", arguments->quiet, "Show no progress");
  command.add_flag("--json", arguments->json, "Print what was written as a JSON object");
  SetAction(command, session, arguments, Save, CheckOutput);
}

}  // namespace

CommandGroup SaveCommand() {
  return {.name = "image",
          .commands = {
              {.name = "save",
               .help = "Write images to one archive that varve, docker, podman and skopeo load",
               .examples = {{"varve save app:v1 | docker load", "Straight into Docker"},
                            {"varve save -o both.tar app:v1 app:v2", "Two images into a file"}},
               .set_up = SetUpSave,
               .short_forms = {"save"}}}};
}

}  // namespace varve
