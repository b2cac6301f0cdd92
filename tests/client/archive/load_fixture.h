// Loads archives that tests build into a real daemon, from a file, a pipe or a directory.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_LOAD_FIXTURE_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_LOAD_FIXTURE_H_

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/archive/load.h"
#include "tests/client/archive/archive_builder.h"
#include "tests/client/connected_fixture.h"
#include "tests/support/pipe_writer.h"

namespace varve {

class LoadRecorder : public LoadObserver {
 public:
  void BlobStarted(const std::string& name, uint64_t) override { started.push_back(name); }
  void BlobProgress(uint64_t bytes) override { progress.push_back(bytes); }
  void BlobAlreadyThere(const std::string& name, uint64_t) override { present.push_back(name); }
  void ImageLoaded(const LoadedImage& image) override {
    if (image.replaced) {
      moved.push_back(image.repository + ":" + image.tag + " from " + image.replaced->ToString());
    }
    images.push_back(image);
    loaded.push_back(image.repository + (image.tag.empty() ? "" : ":" + image.tag));
  }
  void OnNote(const std::string& sentence) override { notes.push_back(sentence); }
  void ImageFailed(const std::string& name, const absl::Status&) override {
    failed.push_back(name);
  }

  std::vector<std::string> started, present, moved, loaded, failed, notes;
  std::vector<uint64_t> progress;
  std::vector<LoadedImage> images;
};

class LoadTest : public ConnectedTest {
 protected:
  enum class From { kFile, kPipe };

  absl::Status Load(const std::string& archive, From from = From::kFile) {
    observer_ = LoadRecorder();
    return from == From::kPipe ? LoadPiped(archive) : LoadPath(WriteFile("archive", archive));
  }

  absl::Status LoadPath(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0) << path;
    const absl::Status status = LoadImages(*client_, fd, load_options_, observer_);
    close(fd);
    return status;
  }

  absl::Status LoadPiped(const std::string& archive) {
    return LoadImages(*client_, PipeWriter(archive).fd(), load_options_, observer_);
  }

  // The entries as files, links and directories below a new directory.
  std::string WriteDirectory(const std::string& name, const std::vector<TestEntry>& entries) {
    const std::filesystem::path top = Path(name);
    std::filesystem::create_directories(top);
    for (const TestEntry& entry : entries) {
      const std::filesystem::path path = top / entry.name;
      std::filesystem::create_directories(path.parent_path());
      if (entry.type == '2') {
        std::filesystem::create_symlink(entry.target, path);
      } else {
        std::ofstream(path, std::ios::binary) << entry.bytes;
      }
    }
    return top;
  }

  bool InStore(const std::string& bytes) { return client_->StatBlob("", Sha256Of(bytes)).ok(); }

  // The digest that the tag names; all zero when there is no such tag.
  Digest Tagged(const std::string& repository, const std::string& tag) {
    const absl::StatusOr<ManifestInfo> info = client_->StatManifest(repository, tag);
    return info.ok() ? info->digest : Digest();
  }

  LoadOptions load_options_;
  LoadRecorder observer_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_LOAD_FIXTURE_H_
