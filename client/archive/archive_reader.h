// Reads a tar archive, compressed with gzip, zstd, xz, bzip2 or not at all, one entry after the
// other; the only user of libarchive for reading. The bytes are hostile: nothing is written to
// disk, and memory is bounded whatever the archive holds. Not thread-safe.
//
// Errors: InvalidArgument when it is no such archive or uses what image archives never use;
// DataLoss when it is damaged or cut off; ResourceExhausted when it unpacks to too much.
#ifndef VARVE_CLIENT_ARCHIVE_ARCHIVE_READER_H_
#define VARVE_CLIENT_ARCHIVE_ARCHIVE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/limits.h"

struct archive;
struct archive_entry;

namespace varve {

struct ArchiveReaderOptions {
  // A compressed archive may unpack to `free_bytes`, and beyond that to `max_expansion` times the
  // compressed bytes read by then. Real layers shrink to a third; gzip itself ends at 1,032.
  uint64_t free_bytes = kGiB;
  uint64_t max_expansion = 200;
};

struct ArchiveEntry {
  enum class Kind { kFile, kDirectory, kSymbolicLink, kHardLink, kOther };
  Kind kind = Kind::kOther;
  std::string name;          // as written; any bytes
  std::string link_target;   // of links, as written
  uint64_t size_bytes = 0;   // of files
  uint64_t data_offset = 0;  // of files: where its bytes lie in the uncompressed archive
};

class ArchiveReader {
 public:
  // Reads from `fd`, which stays the caller's: a regular file from its beginning, anything else
  // from where it stands.
  static absl::StatusOr<std::unique_ptr<ArchiveReader>> Open(
      int fd, const ArchiveReaderOptions& options = {});
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  // The next entry, whatever was read of the one before; nullopt after the last one.
  absl::StatusOr<std::optional<ArchiveEntry>> Next();

  // The next bytes of the file that Next gave, at most `limit`; 0 at its end.
  absl::StatusOr<size_t> Read(char* out, size_t limit);

  // When it is not, data_offset is a place in the input.
  bool compressed() const { return compressed_; }

 private:
  struct Input;
  ArchiveReader(int fd, const ArchiveReaderOptions& options);

  absl::Status Start();
  absl::Status FinishEntry();
  absl::StatusOr<ArchiveEntry> ReadEntry(struct archive_entry* entry);
  // Makes the next piece of the file's bytes `piece_`; empty at the end of the file.
  absl::Status NextPiece();
  absl::Status CheckExpansion() const;
  absl::Status Failure() const;
  // Takes what follows the last entry, so that a pipe's writer does not meet a closed pipe.
  void Drain();

  const ArchiveReaderOptions options_;
  const std::unique_ptr<Input> input_;
  struct archive* const archive_;
  bool compressed_ = false;
  bool started_ = false;
  std::string name_;           // of the entry that Next gave
  bool reading_file_ = false;  // Next gave a file
  uint64_t file_bytes_ = 0;    // of that file
  uint64_t file_offset_ = 0;   // of it, the bytes that were in pieces so far
  std::string_view piece_;     // valid until libarchive is called again
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_ARCHIVE_READER_H_
