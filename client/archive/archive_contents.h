// What an image archive or layout directory holds, by name: the one view that planning a load has
// of a file, a directory and a stream. Not thread-safe.
//
// A regular uncompressed file and a directory are read where it is needed, so that only what an
// image needs is uploaded. Of a stream everything that can be a blob is uploaded as it comes, and
// small JSON documents are kept in memory, at most ContentLimits::max_kept_bytes of them.
#ifndef VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_
#define VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_reader.h"
#include "client/archive/blob_uploader.h"
#include "storage/digest/digest.h"
#include "storage/limits.h"

namespace varve {

struct ContentLimits {
  // Entries of an archive. One costs up to ~700 bytes, with the longest names: 45 MiB in all.
  size_t max_entries = 65'536;
  size_t max_kept_bytes = 64 * kMiB;
  ArchiveReaderOptions reader;
};

enum class LayerCompression { kNone, kGzip, kZstd, kOther };

// By the first bytes of a file; the first kCompressionMagicBytes are enough.
inline constexpr size_t kCompressionMagicBytes = 6;
LayerCompression CompressionOf(std::string_view first_bytes);

class ArchiveContents {
 public:
  // Reads all names of the archive, file or directory behind `fd`, which stays the caller's and
  // must stay open. A stream is read to its end. `uploader` must outlive it.
  //
  // Errors: those of ArchiveReader, InvalidArgument for names that lead out of the archive or come
  // twice, ResourceExhausted over max_entries, and those of the daemon.
  static absl::StatusOr<std::unique_ptr<ArchiveContents>> Open(int fd, const ContentLimits& limits,
                                                               BlobUploader& uploader);
  virtual ~ArchiveContents() = default;

  // Names are as the archive's documents write them; symbolic and hard links are followed. Errors
  // of all calls: NotFound when there is no such file; InvalidArgument when the name or a link
  // leads out of the archive or in circles, or to something that is no file.

  // Whether there is an entry of that name.
  bool Holds(std::string_view name) const;
  absl::StatusOr<uint64_t> SizeOf(std::string_view name);
  absl::StatusOr<LayerCompression> CompressionOfFile(std::string_view name);
  // All bytes. InvalidArgument when there are more than kMaxDocumentBytes.
  absl::StatusOr<std::string> ReadDocument(std::string_view name);
  // Makes the file a blob of the store and gives its digest. When `expected` is named and the store
  // has that blob in this size, the file is not read. DataLoss when it has another digest.
  absl::StatusOr<Digest> Store(std::string_view name, const std::optional<Digest>& expected);

 protected:
  struct Entry {
    enum class Kind { kFile, kLink, kOther };
    Kind kind = Kind::kOther;
    std::string name;
    std::string link_target;              // of a link: a normal name, or empty when it leads out
    uint64_t size_bytes = 0;              // of a file
    uint64_t data_offset = 0;             // of a file in an uncompressed archive
    std::optional<Digest> digest;         // of a file that is in the store
    std::optional<std::string> document;  // of a file that is kept in memory
    absl::Status problem;                 // why the file cannot be used
    LayerCompression compression = LayerCompression::kNone;  // of a file of a stream
  };

  ArchiveContents(const ContentLimits& limits, BlobUploader& uploader)
      : limits_(limits), uploader_(uploader) {}

  // Takes in an entry. Null when it is a blob that the archive holds already.
  absl::StatusOr<Entry*> Add(Entry entry);
  // Takes in an entry of an archive, whose names are not normal yet; null when it is nothing that
  // could be named (a directory).
  absl::StatusOr<Entry*> Add(const ArchiveEntry& entry);

  // Each for an entry of the kind kFile.
  virtual absl::StatusOr<LayerCompression> ReadCompression(const Entry& entry) = 0;
  virtual absl::StatusOr<std::string> ReadAll(const Entry& entry) = 0;
  virtual absl::StatusOr<Digest> Upload(const Entry& entry,
                                        const std::optional<Digest>& expected) = 0;

  const ContentLimits limits_;
  BlobUploader& uploader_;

 private:
  absl::StatusOr<Entry*> Find(std::string_view name);

  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_
