// ArchiveContents of what can be read once, in its order: a pipe or a compressed archive. Private
// to archive_contents.cc.
#ifndef VARVE_CLIENT_ARCHIVE_STREAM_CONTENTS_H_
#define VARVE_CLIENT_ARCHIVE_STREAM_CONTENTS_H_

#include <memory>
#include <optional>
#include <string>

#include "client/archive/archive_contents.h"

namespace varve {

class StreamContents final : public ArchiveContents {
 public:
  // Reads `reader` to its end; it is not needed afterwards.
  static absl::StatusOr<std::unique_ptr<ArchiveContents>> Open(ArchiveReader& reader,
                                                               const ContentLimits& limits,
                                                               BlobUploader& uploader);

 private:
  StreamContents(const ContentLimits& limits, BlobUploader& uploader)
      : ArchiveContents(limits, uploader) {}

  // Every file is judged as it comes.
  absl::Status Look(Entry&) override { return absl::OkStatus(); }
  // All were stored as they came.
  absl::StatusOr<bool> StoreUnnamed(const Digest&) override { return false; }
  absl::StatusOr<std::string> ReadAll(const Entry& entry) override;
  absl::StatusOr<Digest> Hash(const Entry& entry, DigestAlgorithm algorithm) override;
  absl::StatusOr<Digest> Upload(const Entry& entry, const std::optional<Digest>& expected) override;

  // Keeps, uploads or passes over the file at which `reader` stands.
  absl::Status Take(Entry& entry, ArchiveReader& reader);
  absl::Status TakeBlob(Entry& entry, const std::string& first_bytes, ArchiveReader& reader);
  // InvalidArgument unless the file at which `reader` stands has the bytes of `entry`.
  static absl::Status CheckSame(const Entry& entry, ArchiveReader& reader);

  size_t kept_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_STREAM_CONTENTS_H_
