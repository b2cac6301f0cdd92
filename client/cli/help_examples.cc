#include "client/cli/help_examples.h"

#include <map>

namespace varve {
namespace {

using ExampleMap = std::map<std::string, std::vector<HelpEntry>>;

const ExampleMap& ImageExamples() {
  static const auto& examples = *new ExampleMap{
      {"",
       {{"docker save app:v1 | varve load", "Take over an image from Docker"},
        {"varve images", "List what is there"}}},
      {"image ls",
       {{"varve images team/app", "All tags of one repository"},
        {"varve images 'reg:5000/*/*'", "What came from another registry"},
        {"varve images --format '{{.Repository}}:{{.Tag}} {{.Size}}'", "For a script"}}},
      {"image inspect",
       {{"varve image inspect app:v1", "All that is known about an image, as JSON"},
        {"varve image inspect --platform linux/arm64 app:v1", "One platform of several"},
        {"varve image inspect --raw app:v1 | sha256sum", "The manifest itself"},
        {"varve inspect $(varve images -q)", "All images"}}},
      {"image history",
       {{"varve image history app:v1", "The steps that made an image"},
        {"varve history --format '{{.Size}} {{.CreatedBy}}' app:v1", "For a script"}}},
      {"image tag",
       {{"varve tag app:v1 app:stable", "One more tag"},
        {"varve tag app:v1 team/app:v1", "A tag in another repository"}}},
      {"image untag", {{"varve untag app:v1", "Remove a tag and keep the image"}}},
      {"image rm",
       {{"varve rmi app:v1", "Remove a tag, and with the last one the image"},
        {"varve rmi --force 8a3f12c0ffee", "Remove an image with all its tags"},
        {"varve rmi $(varve images -qf dangling=true)", "Remove those that nothing names"}}},
      {"image prune",
       {{"varve image prune -a --dry-run", "What would go of all that is not in use"},
        {"varve image prune --filter until=24h", "Only what is older than a day"},
        {"varve image prune --attach 01234567…", "Follow one that runs; Ctrl-C leaves it"},
        {"varve image prune --now", "The disk is full and nobody pushes or pulls"}}},
      {"image tree", {{"varve image tree app:v1", "Its platforms, signatures and SBOMs"}}},
      {"image why", {{"varve image why app:v1", "The tags, holds, leases and promises on it"}}},
      {"image load",
       {{"docker save app:v1 | varve load", "Straight from Docker"},
        {"varve load -i app.tar.gz", "From a file"}}},
      {"image save",
       {{"varve save app:v1 | docker load", "Straight into Docker"},
        {"varve save -o both.tar app:v1 app:v2", "Two images into a file"}}},
      {"image import",
       {{"varve import rootfs.tar.gz base:v1", "An image of one layer"},
        {"varve import -c 'CMD [\"/bin/sh\"]' rootfs.tar base:v1", "With what it runs"}}},
  };
  return examples;
}

const ExampleMap& StoreExamples() {
  static const auto& examples = *new ExampleMap{
      {"hold create", {{"varve hold create app:v1 --name web-1", "While a container uses it"}}},
      {"hold rm", {{"varve hold rm web-1", "When the container is gone"}}},
      {"hold ls", {{"varve hold ls", "All holds"}}},
      {"lease create",
       {{"lease=$(varve lease create --owner build-17 --ttl 2h)", "For the commands of a build"}}},
      {"lease attach",
       {{"varve lease attach $lease base:v1", "So that the base image stays while it is used"}}},
      {"lease renew", {{"varve lease renew $lease --ttl 2h", "While the work goes on"}}},
      {"lease rm", {{"varve lease rm $lease", "When the result has its tag"}}},
      {"lease ls", {{"varve lease ls", "Who works, and until when"}}},
      {"upload ls", {{"varve upload ls", "What was begun, by whom, and how far it came"}}},
      {"upload rm", {{"varve upload rm 5f1c…", "Give back the room of one"}}},
      {"blob put",
       {{"varve blob put layer.tar.gz", "Upload a file; after a break, again to resume"},
        {"tar c dir | varve blob put -", "Upload from a pipe"},
        {"varve blob put --lease $lease layer.tar.gz", "Keep it until a manifest names it"}}},
      {"blob get",
       {{"varve blob get sha256:8a3f… -o layer.tar.gz", "Into a file, all of it or nothing"},
        {"varve blob get sha256:8a3f… | tar xz", "Into a pipe"}}},
      {"blob stat", {{"varve blob stat sha256:8a3f…", "Is it there, and how long"}}},
      {"blob ls", {{"varve blob ls --json", "All blobs, for a script"}}},
      {"repo ls", {{"varve repo ls", "All repositories"}}},
      {"repo merge",
       {{"varve repo merge library/debian debian", "One name for what has two"},
        {"varve repo merge -f old/app team/app", "The tag that was set last wins"}}},
      {"system info",
       {{"varve system info", "The daemon and its store"},
        {"varve info -f '{{.ServerVersion}}'", "One figure, for a script"}}},
      {"system df",
       {{"varve system df", "What the disk is used for"},
        {"varve system df -v", "By part, as pushed and on disk"},
        {"varve df --format '{{.Type}}: {{.Reclaimable}}'", "For a script"}}},
      {"system fsck",
       {{"varve fsck", "Is anything wrong with the store"},
        {"varve fsck --content", "And are all bytes still what they were"},
        {"varve fsck --json", "For a script: findings, then what was looked at"},
        {"varve fsck --adopt", "After damage of the index: give back what is needed"},
        {"varve fsck --drop-orphans", "And remove what nothing needs"}}},
      {"system events",
       {{"varve system events", "Pushes, pulls, tags and deletions as they happen"},
        {"varve events --since 1h --until 0s", "Those of the last hour"}}},
      {"version", {{"varve version", "Of this command line and of the daemon"}}},
      {"help", {{"varve help image ls", "The same as varve image ls --help"}}},
      {"completion", {{"source <(varve completion bash)", "For this shell"}}},
  };
  return examples;
}

}  // namespace

std::vector<HelpEntry> ExamplesOf(const std::string& command) {
  std::string path = command;
  if (command == "images") path = "image ls";
  if (command == "rmi") path = "image rm";
  if (command == "system prune") path = "image prune";
  // The other short forms have the names of the long ones.
  for (const char* group : {"", "image ", "system "}) {
    for (const ExampleMap* examples : {&ImageExamples(), &StoreExamples()}) {
      const auto found = examples->find(group + path);
      if (found != examples->end()) return found->second;
    }
  }
  return {};
}

}  // namespace varve
