// Writes a tar archive, entry by entry, into a sink. The same calls give the same bytes, wherever
// and whenever: nothing of the machine, the clock or the user gets in. One thread.
//
// Owner 0:0, time 0, mode 0644 or 0755; ustar headers, and before an entry that ustar cannot
// describe (a file of 8 GiB or more) a pax header.
#ifndef VARVE_CLIENT_ARCHIVE_ARCHIVE_WRITER_H_
#define VARVE_CLIENT_ARCHIVE_ARCHIVE_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/client.h"

struct archive;

namespace varve {

class ArchiveWriter {
 public:
  explicit ArchiveWriter(ByteSink sink);
  // Writes nothing more: an archive that was not completed stays torn, and shows it.
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  // `path` without a slash at its end.
  absl::Status AddDirectory(const std::string& path);
  absl::Status AddFile(const std::string& path, std::string_view bytes);

  // A file in pieces: exactly `size_bytes` must be appended before the next entry or Complete,
  // which is FailedPrecondition otherwise.
  absl::Status BeginFile(const std::string& path, uint64_t size_bytes);
  absl::Status Append(std::string_view bytes);

  // Ends the archive.
  absl::Status Complete();

 private:
  static ssize_t WriteToSink(struct archive*, void* writer, const void* bytes, size_t size);
  absl::Status BeginEntry(const std::string& path, bool directory, uint64_t size_bytes);
  absl::Status Check(int result);

  const ByteSink sink_;
  absl::Status sink_status_;
  struct archive* const archive_;
  uint64_t missing_bytes_ = 0;  // of the file that is open
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_ARCHIVE_WRITER_H_
