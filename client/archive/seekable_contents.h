// ArchiveContents of what can be read at any place: an uncompressed archive in a file, and a layout
// directory. Private to archive_contents.cc.
#ifndef VARVE_CLIENT_ARCHIVE_SEEKABLE_CONTENTS_H_
#define VARVE_CLIENT_ARCHIVE_SEEKABLE_CONTENTS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "client/archive/archive_contents.h"

namespace varve {

class SeekableContents : public ArchiveContents {
 protected:
  struct OpenFile {
    ByteReader read;
    std::string upload_id;  // the same as long as the file is not changed
  };

  using ArchiveContents::ArchiveContents;

  virtual absl::StatusOr<OpenFile> OpenEntry(const Entry& entry) = 0;
  absl::Status Look(Entry& entry) override;
  absl::StatusOr<Digest> Hash(const Entry& entry, DigestAlgorithm algorithm) final;

 private:
  absl::StatusOr<std::string> ReadAll(const Entry& entry) final;
  absl::StatusOr<Digest> Upload(const Entry& entry, const std::optional<Digest>& expected) final;
  absl::StatusOr<std::string> ReadFirst(const Entry& entry, size_t limit);
};

// An uncompressed archive in a regular file.
class FileContents final : public SeekableContents {
 public:
  static absl::StatusOr<std::unique_ptr<ArchiveContents>> Open(int fd, ArchiveReader& reader,
                                                               const ContentLimits& limits,
                                                               BlobUploader& uploader);

 private:
  FileContents(int fd, const ContentLimits& limits, BlobUploader& uploader)
      : SeekableContents(limits, uploader), fd_(fd) {}
  absl::StatusOr<OpenFile> OpenEntry(const Entry& entry) override;
  absl::StatusOr<bool> StoreUnnamed(const Digest& digest) override;
  // InvalidArgument unless the file at `again` has the same bytes.
  absl::Status CheckSame(const Entry& entry, uint64_t again);

  const int fd_;
  // Made when something is missing: it takes a read of all that is not called by its digest.
  std::optional<absl::flat_hash_map<Digest, std::string>> unnamed_;
};

// A directory. No symbolic link is ever followed by the system: each is read, and what it names is
// looked up among the names of the directory.
class DirectoryContents final : public SeekableContents {
 public:
  static absl::StatusOr<std::unique_ptr<ArchiveContents>> Open(int fd, const ContentLimits& limits,
                                                               BlobUploader& uploader);

 private:
  DirectoryContents(int fd, const ContentLimits& limits, BlobUploader& uploader)
      : SeekableContents(limits, uploader), fd_(fd) {}
  absl::StatusOr<OpenFile> OpenEntry(const Entry& entry) override;
  // It is no archive that could come through a pipe.
  absl::StatusOr<bool> StoreUnnamed(const Digest&) override { return false; }
  // What nothing names is not read, so any file may be a blob.
  absl::Status Look(Entry& entry) override;

  // Takes in what the directory `name` holds, and its directories.
  absl::Status List(const std::string& name, int depth);
  absl::Status AddFound(int directory_fd, const char* leaf, const std::string& name, int depth);

  const int fd_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_SEEKABLE_CONTENTS_H_
