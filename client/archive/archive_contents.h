// What an image archive or layout directory holds, by name: the one view that planning a load has
// of a file, a directory and a stream. Not thread-safe.
//
// A regular uncompressed file and a directory are read where it is needed, so that only what an
// image needs is uploaded. Of a stream everything that can be a blob is uploaded as it comes, and
// small JSON documents are kept in memory, at most ContentLimits::max_kept_bytes of them. Of an
// archive, both take the same files for blobs and documents, and say the same of the others.
#ifndef VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_
#define VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "client/archive/archive_reader.h"
#include "client/archive/blob_uploader.h"
#include "client/archive/inflated_digest.h"
#include "storage/image/digest.h"
#include "storage/limits.h"

namespace varve {

// Entries of an archive. One costs up to ~700 bytes, with the longest names: 45 MiB in all.
inline constexpr size_t kMaxArchiveEntries = 65'536;

struct ContentLimits {
  size_t max_entries = kMaxArchiveEntries;
  size_t max_kept_bytes = 64 * kMiB;
  ArchiveReaderOptions reader;
};

// What the JSON that a file begins with begins with: '{' or '['; '\0' when it is no JSON document.
char JsonBegin(std::string_view first_bytes);

class ArchiveContents {
 public:
  // Reads all names of the archive, file or directory behind `fd`, which stays the caller's and
  // must stay open. A stream is read to its end. `uploader` must outlive it.
  //
  // Errors: those of ArchiveReader, InvalidArgument for names that lead out of the archive or mean
  // two different files, ResourceExhausted over max_entries, and those of the daemon.
  static absl::StatusOr<std::unique_ptr<ArchiveContents>> Open(int fd, const ContentLimits& limits,
                                                               BlobUploader& uploader);
  virtual ~ArchiveContents() = default;

  // Names are as the archive's documents write them; symbolic and hard links are followed. Errors
  // of all calls: NotFound when there is no such file; InvalidArgument when the name or a link
  // leads out of the archive or in circles, or to something that is no file, or to one that is
  // neither a document nor a blob.

  // Whether there is an entry of that name, which must be normal.
  bool Holds(std::string_view name) const;
  // Whether it has what Docker saved before it had manifest.json: "repositories", "<hex>/json".
  bool HoldsImagesOfVersionOne() const;
  // Gives the files of a flat layout, blobs called "<hex>" and manifests called
  // "<hex>.manifest.json", the names that they have in a layout, too; so is `name` the blob
  // `digest`.
  void NameAsLayout(const std::string& name, const Digest& digest);
  absl::StatusOr<uint64_t> SizeOf(std::string_view name);
  absl::StatusOr<Compression> CompressionOf(std::string_view name);
  // All bytes. InvalidArgument when there are more than kMaxDocumentBytes.
  absl::StatusOr<std::string> ReadDocument(std::string_view name);
  // Makes the file a blob of the store and gives its digest. What the store has in this size is not
  // uploaded; when it is also what the file is called, it is not read. DataLoss when it has another
  // digest than it is called or expected to have.
  absl::StatusOr<Digest> Store(std::string_view name, const std::optional<Digest>& expected);

  // The size of a blob that the store has; what the archive holds under another name is stored for
  // that. Nothing when both lack it.
  absl::StatusOr<std::optional<uint64_t>> FindBlob(const Digest& digest);

  // The same of blobs of a layout. What the archive leaves out may be in the store already.
  absl::StatusOr<uint64_t> SizeOfBlob(const Digest& digest);
  absl::StatusOr<std::string> ReadBlobDocument(const Digest& digest);
  absl::Status StoreBlob(const Digest& digest);

 protected:
  struct Entry {
    enum class Kind { kFile, kLink, kOther };
    Kind kind = Kind::kOther;
    std::string name;
    std::string link_target;              // of a link: a normal name, or empty when it leads out
    uint64_t size_bytes = 0;              // of a file
    uint64_t data_offset = 0;             // of a file in an uncompressed archive
    std::optional<Digest> digest;         // of a file that is in the store
    std::optional<Digest> passed_digest;  // of a file of a stream that was passed over
    std::optional<std::string> document;  // of a file that is kept in memory
    absl::Status problem;                 // why the file cannot be used
    bool judged = false;                  // whether it is known what the file can be:
    bool is_document = false;             // JSON, and not too large to be read
    Compression compression = Compression::kNone;
  };
  struct Added {
    Entry* entry = nullptr;  // null when nothing is to be done with it
    bool again = false;      // the archive had this file before; its bytes must be the same
  };

  ArchiveContents(const ContentLimits& limits, BlobUploader& uploader)
      : limits_(limits), uploader_(uploader) {}

  // Takes in an entry.
  absl::StatusOr<Added> Add(Entry entry);
  // Takes in an entry of an archive, whose names are not normal yet.
  absl::StatusOr<Added> Add(const ArchiveEntry& entry);
  // Finds out from the first kJudgedBytes of a file what it can be.
  static constexpr size_t kJudgedBytes = 512;
  static void Judge(Entry& entry, std::string_view first_bytes);
  static absl::Status TwiceError(std::string_view name);
  // Whether the store has the blob that an uncompressed "<digest>.tar" says it is; then it is
  // taken for that one. Whoever uses it compares the digest with what the config says.
  absl::StatusOr<bool> TakeByName(Entry& entry);

  // All files that can be blobs and are not called so.
  absl::StatusOr<std::vector<const Entry*>> UnnamedBlobs();
  // Stores the file of the archive that is this blob without being called so; whether there is one.
  virtual absl::StatusOr<bool> StoreUnnamed(const Digest& digest) = 0;

  // Each for an entry of the kind kFile.
  virtual absl::Status Look(Entry& entry) = 0;  // judges it, unless that is done
  virtual absl::StatusOr<std::string> ReadAll(const Entry& entry) = 0;
  virtual absl::StatusOr<Digest> Hash(const Entry& entry, DigestAlgorithm algorithm) = 0;
  virtual absl::StatusOr<Digest> Upload(const Entry& entry,
                                        const std::optional<Digest>& expected) = 0;

  const ContentLimits limits_;
  BlobUploader& uploader_;

 private:
  absl::StatusOr<Entry*> Find(std::string_view name);
  // The entry of a normal name; of a name below a link to a directory, that link.
  Entry* Lookup(std::string_view name, std::string_view* below);

  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_ARCHIVE_CONTENTS_H_
