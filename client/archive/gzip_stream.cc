#include "client/archive/gzip_stream.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

constexpr size_t kOutputBytes = 256 * kKiB;
constexpr int kGzipWindow = 15 + 16;     // the largest window; gzip's header and trailer
constexpr size_t kMaxInputBytes = kGiB;  // what the library counts in 32 bits

}  // namespace

GzipStream::GzipStream(std::function<absl::StatusOr<std::string_view>()> compressed)
    : compressed_(std::move(compressed)),
      stream_(std::make_unique<z_stream>()),
      output_(kOutputBytes, '\0') {
  inflateInit2(stream_.get(), kGzipWindow);
}

GzipStream::~GzipStream() { inflateEnd(stream_.get()); }

absl::Status GzipStream::Refill() {
  if (stream_->avail_in > 0) return absl::OkStatus();
  if (waiting_.empty() && !input_ended_) {
    ASSIGN_OR_RETURN(waiting_, compressed_());
    input_ended_ = waiting_.empty();
  }
  const size_t size = std::min(waiting_.size(), kMaxInputBytes);
  // The library does not write there.
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(waiting_.data()));
  stream_->avail_in = static_cast<uInt>(size);
  waiting_.remove_prefix(size);
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> GzipStream::Next() {
  for (;;) {
    RETURN_IF_ERROR(Refill());
    if (between_members_) {
      if (stream_->avail_in == 0) return std::string_view();
      inflateReset(stream_.get());
      between_members_ = false;
    }
    stream_->next_out = reinterpret_cast<Bytef*>(output_.data());
    stream_->avail_out = static_cast<uInt>(output_.size());
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    const size_t got = output_.size() - stream_->avail_out;
    if (result == Z_STREAM_END) {
      between_members_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return absl::InvalidArgumentError(
          StrCat("the input cannot be decompressed: gzip: ",
                 stream_->msg == nullptr ? "no reason given" : stream_->msg));
    } else if (got == 0 && input_ended_) {
      return absl::InvalidArgumentError("the input cannot be decompressed: gzip: it is cut off");
    }
    if (got > 0) return std::string_view(output_).substr(0, got);
  }
}

}  // namespace varve
