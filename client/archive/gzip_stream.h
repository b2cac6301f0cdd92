// A gzip stream without its compression, with what libarchive 3.6 leaves out: the checksum and
// length of every member are verified, and what follows the last member is an error. Several
// members in a row are one stream. Memory: 32 KiB of window and 256 KiB of output. One thread.
#ifndef VARVE_CLIENT_ARCHIVE_GZIP_STREAM_H_
#define VARVE_CLIENT_ARCHIVE_GZIP_STREAM_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct z_stream_s;

namespace varve {

class GzipStream {
 public:
  // `compressed` gives the next bytes, which stay until its next call, and none at the end.
  explicit GzipStream(std::function<absl::StatusOr<std::string_view>()> compressed);
  ~GzipStream();
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  // The next bytes; none at the end. They stay until the next call. InvalidArgument when the stream
  // is damaged or cut off; and the errors of `compressed`.
  absl::StatusOr<std::string_view> Next();

 private:
  absl::Status Refill();

  const std::function<absl::StatusOr<std::string_view>()> compressed_;
  const std::unique_ptr<z_stream_s> stream_;
  std::string output_;
  std::string_view waiting_;  // input that the stream was not given yet
  bool input_ended_ = false;
  bool between_members_ = false;
};

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_GZIP_STREAM_H_
