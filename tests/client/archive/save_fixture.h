// Images of all kinds in a real store, and the files of an archive that `save` made of them.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_SAVE_FIXTURE_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_SAVE_FIXTURE_H_

#include <map>
#include <string>
#include <vector>

#include "client/archive/image_json.h"
#include "client/archive/save.h"
#include "tests/client/archive/tar_entries.h"
#include "tests/client/varve_command.h"

namespace varve {

inline std::string ConfigFor(const std::string& architecture) {
  return "{\"architecture\":\"" + architecture + "\",\"os\":\"linux\"}";
}

// Where a blob lies in an archive.
inline std::string PathOf(const Digest& digest) {
  return "blobs/sha256/" + digest.ToString().substr(7);
}
inline std::string PathOf(const std::string& bytes) { return PathOf(Sha256Of(bytes)); }

class SaveRecorder : public SaveObserver {
 public:
  void OnStart(uint64_t blob_count, uint64_t byte_count) override {
    blobs = blob_count;
    bytes = byte_count;
  }
  void OnLayer(const Digest&, uint64_t done_bytes, uint64_t size_bytes) override {
    if (done_bytes == 0) ++layers_started;
    if (done_bytes == size_bytes) ++layers_finished;
  }
  void OnNote(const std::string& sentence) override { notes.push_back(sentence); }

  uint64_t blobs = 0;
  uint64_t bytes = 0;
  size_t layers_started = 0;
  size_t layers_finished = 0;
  std::vector<std::string> notes;
};

class SaveTest : public CommandTest {
 protected:
  using Files = std::map<std::string, std::string>;

  // Puts an image with its blobs; gives its manifest.
  std::string PutImage(const std::string& repository, const std::vector<std::string>& tags,
                       const std::string& config, const std::vector<std::string>& layers,
                       const std::string& layer_type = kLayerType) {
    PutBlob(repository, config);
    std::vector<std::string> descriptors;
    for (const std::string& layer : layers) {
      PutBlob(repository, layer);
      descriptors.push_back(Described(layer_type, layer));
    }
    const std::string manifest = ManifestOf(Described(kConfigType, config), descriptors);
    PutManifest(repository, tags, manifest);
    return manifest;
  }

  // Puts an index of an image for s390x, one for this machine and an attestation.
  void PutIndex(const std::string& repository, const std::string& tag) {
    const std::string machine = MachinePlatform().architecture;
    here_ = PutImage(repository, {}, ConfigFor(machine), {TestBytes(2000, 1), TestBytes(3000, 2)});
    other_ = PutImage(repository, {}, ConfigFor("s390x"), {TestBytes(2000, 1)});
    attestation_ = PutImage(repository, {}, "{}", {"in-toto"}, "application/vnd.in-toto+json");
    const auto child = [](const std::string& manifest, const std::string& os,
                          const std::string& architecture) {
      return Described(
          kManifestType, manifest,
          ",\"platform\":{\"os\":\"" + os + "\",\"architecture\":\"" + architecture + "\"}");
    };
    index_ = IndexOf({child(other_, "linux", "s390x"), child(here_, "linux", machine),
                      child(attestation_, "unknown", "unknown")});
    PutManifest(repository, {tag}, index_);
  }

  absl::StatusOr<std::string> Save(const std::vector<std::string>& names,
                                   const std::string& platform = "") {
    std::string archive;
    SaveOptions options;
    options.observer = &observer_;
    if (!platform.empty()) options.platform = *ParsePlatform(platform);
    const absl::Status status =
        SaveImages(*client_, names, options, [&archive](std::string_view bytes) {
          archive.append(bytes);
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    return archive;
  }

  // The files of the archive, of which each blob is what its name says.
  Files SavedFiles(const std::vector<std::string>& names, const std::string& platform = "") {
    const absl::StatusOr<std::string> archive = Save(names, platform);
    EXPECT_TRUE(archive.ok()) << archive.status();
    Files files;
    if (!archive.ok()) return files;
    for (const TarEntry& entry : ParseTar(*archive)) {
      if (entry.type == '5') continue;
      EXPECT_TRUE(files.emplace(entry.path, entry.bytes).second) << entry.path << " is there twice";
      if (entry.path.rfind("blobs/", 0) == 0) {
        EXPECT_EQ(entry.path, PathOf(entry.bytes));
      }
    }
    return files;
  }

  SaveRecorder observer_;
  std::string here_;  // manifests of PutIndex
  std::string other_;
  std::string attestation_;
  std::string index_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_SAVE_FIXTURE_H_
