#include "client/archive/inflated_digest.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cerrno>
#include <utility>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

// The longest mark of a format, or header of a zstd frame.
constexpr size_t kHeadBytes = 18;
// What libzstd gives a stream, and so libarchive.
constexpr uint64_t kMaxZstdWindowBytes = 128 * kMiB;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

// What the bytes are as a number, the lowest byte first.
uint64_t LittleEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) {
    number = number << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return number;
}

// The memory that a zstd frame asks for, by its header (RFC 8878, 3.1.1.1); 0 when the header is
// not whole. A frame without a window is kept whole.
uint64_t ZstdWindowBytes(std::string_view frame) {
  if (frame.size() < kHeadBytes) return 0;
  const auto descriptor = static_cast<unsigned char>(frame[4]);
  if ((descriptor & 0x20) == 0) {
    const auto window = static_cast<unsigned char>(frame[5]);
    const uint64_t base = uint64_t{1} << (10 + (window >> 3));
    return base + base / 8 * (window & 7);
  }
  constexpr std::array<size_t, 4> kDictionaryBytes = {0, 1, 2, 4};
  constexpr std::array<size_t, 4> kSizeBytes = {1, 2, 4, 8};
  const size_t at = 5 + kDictionaryBytes[descriptor & 3];
  return LittleEndian(frame.substr(at, kSizeBytes[descriptor >> 6]));
}

std::string ReasonOf(archive* handle) {
  const char* const reason = archive_error_string(handle);
  return reason == nullptr ? "no reason given" : reason;
}

Compression CompressionOf(int filter) {
  switch (filter) {
    case ARCHIVE_FILTER_ZSTD:
      return Compression::kZstd;
    case ARCHIVE_FILTER_XZ:
      return Compression::kXz;
    case ARCHIVE_FILTER_BZIP2:
      return Compression::kBzip2;
    default:
      return Compression::kNone;
  }
}

// Hashes a stream while libarchive reads it as a tar.
class TarDigest {
 public:
  explicit TarDigest(InflatedStream& stream)
      : stream_(stream), hasher_(DigestAlgorithm::kSha256), archive_(archive_read_new()) {}

  absl::Status ReadTar() {
    archive_read_support_format_tar(archive_.get());
    int result = archive_read_open(archive_.get(), this, nullptr, ReadInflated, nullptr);
    archive_entry* entry = nullptr;
    // Only whether it can be read counts: a name in another character set is a warning.
    while (result == ARCHIVE_OK || result == ARCHIVE_WARN) {
      result = archive_read_next_header(archive_.get(), &entry);
    }
    RETURN_IF_ERROR(read_status_);
    if (hasher_.bytes_hashed() == 0) return absl::InvalidArgumentError("the input is empty");
    if (result == ARCHIVE_EOF) return absl::OkStatus();
    return absl::InvalidArgumentError(
        StrCat("the input is no intact tar archive: ", ReasonOf(archive_.get())));
  }

  absl::StatusOr<std::string_view> Next() {
    ASSIGN_OR_RETURN(const std::string_view bytes, stream_.Next());
    hasher_.Update(bytes);
    return bytes;
  }

  const Hasher& hasher() const { return hasher_; }

 private:
  static la_ssize_t ReadInflated(archive* handle, void* tar, const void** bytes) {
    TarDigest& self = *static_cast<TarDigest*>(tar);
    const absl::StatusOr<std::string_view> next = self.Next();
    self.read_status_ = next.status();
    if (!next.ok()) {
      archive_set_error(handle, EIO, "the stream failed");
      return -1;
    }
    *bytes = next->data();
    return static_cast<la_ssize_t>(next->size());
  }

  InflatedStream& stream_;
  Hasher hasher_;
  const std::unique_ptr<archive, FreeArchive> archive_;
  absl::Status read_status_;
};

absl::StatusOr<InflatedDigest> ReadAll(StreamReader compressed, const InflateLimits& limits,
                                       bool tar) {
  InflatedStream stream(std::move(compressed), limits);
  TarDigest digest(stream);
  if (tar) RETURN_IF_ERROR(digest.ReadTar());
  // An archive may be followed by zeros; they are part of the digest.
  for (;;) {
    ASSIGN_OR_RETURN(const std::string_view bytes, digest.Next());
    if (bytes.empty()) break;
  }
  return InflatedDigest{.diff_id = digest.hasher().Current(),
                        .size_bytes = digest.hasher().bytes_hashed(),
                        .compression = stream.compression()};
}

}  // namespace

bool BeginsWithSkippableFrame(std::string_view first_bytes) {
  return first_bytes.size() >= 4 && (static_cast<unsigned char>(first_bytes[0]) & 0xf0) == 0x50 &&
         first_bytes.substr(1, 3) == "\x2a\x4d\x18";
}

Compression DetectCompression(std::string_view first_bytes) {
  const auto begins = [first_bytes](std::string_view magic) {
    return first_bytes.substr(0, magic.size()) == magic;
  };
  if (begins("\x1f\x8b\x08")) return Compression::kGzip;
  if (begins("\x28\xb5\x2f\xfd") || BeginsWithSkippableFrame(first_bytes))
    return Compression::kZstd;
  if (begins(std::string_view("\xfd\x37zXZ\0", 6))) return Compression::kXz;
  if (begins("BZh") && first_bytes.size() > 5 && first_bytes.substr(4, 2) == "1A") {
    return Compression::kBzip2;
  }
  return Compression::kNone;
}

absl::Status CheckZstdWindow(std::string_view first_bytes) {
  if (!first_bytes.starts_with("\x28\xb5\x2f\xfd")) return absl::OkStatus();
  const uint64_t window_bytes = ZstdWindowBytes(first_bytes);
  if (window_bytes <= kMaxZstdWindowBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      StrCat("it is compressed with zstd and a window of ", window_bytes, " bytes, more than the ",
             kMaxZstdWindowBytes,
             " bytes of memory that are given to one; compress it with a smaller window"));
}

InflatedStream::InflatedStream(StreamReader compressed, const InflateLimits& limits)
    : compressed_(std::move(compressed)), limits_(limits), archive_(archive_read_new()) {
  archive_read_support_filter_zstd(archive_);
  archive_read_support_filter_xz(archive_);
  archive_read_support_filter_bzip2(archive_);
  archive_read_support_format_raw(archive_);
}

InflatedStream::~InflatedStream() { archive_read_free(archive_); }

absl::StatusOr<std::string_view> InflatedStream::Next() {
  if (ended_) return std::string_view();
  if (!open_) RETURN_IF_ERROR(Open());
  ASSIGN_OR_RETURN(const std::string_view bytes, gzip_ ? gzip_->Next() : NextOfArchive());
  ended_ = bytes.empty();
  inflated_bytes_ += bytes.size();
  if (inflated_bytes_ > limits_.max_bytes ||
      (inflated_bytes_ > limits_.free_bytes &&
       inflated_bytes_ / limits_.ratio > compressed_bytes_)) {
    return absl::ResourceExhaustedError(StrCat("the input grows to more than ", inflated_bytes_,
                                               " bytes out of ", compressed_bytes_,
                                               "; if that is meant, decompress it before"));
  }
  return bytes;
}

absl::StatusOr<size_t> InflatedStream::Read(char* out, size_t limit) {
  if (unread_.empty()) {
    ASSIGN_OR_RETURN(unread_, Next());
  }
  const size_t size = unread_.copy(out, limit);
  unread_.remove_prefix(size);
  return size;
}

absl::Status InflatedStream::Open() {
  open_ = true;
  while (head_.size() < kHeadBytes) {
    ASSIGN_OR_RETURN(const std::string_view more, compressed_());
    if (more.empty()) break;
    head_.append(more);
  }
  compression_ = DetectCompression(head_);
  if (compression_ == Compression::kGzip) {
    gzip_ = std::make_unique<GzipStream>([this] { return NextCompressed(); });
    return absl::OkStatus();
  }
  ended_ = head_.empty();
  return ended_ ? absl::OkStatus() : OpenArchive();
}

absl::Status InflatedStream::OpenArchive() {
  RETURN_IF_ERROR(CheckZstdWindow(head_));
  archive_entry* entry = nullptr;
  if (BeginsWithSkippableFrame(head_)) archive_read_append_filter(archive_, ARCHIVE_FILTER_ZSTD);
  int result = archive_read_open(archive_, this, nullptr, ReadCompressed, nullptr);
  if (result == ARCHIVE_OK) result = archive_read_next_header(archive_, &entry);
  if (result != ARCHIVE_OK) return Failure();
  // The last filter is "none".
  if (archive_filter_count(archive_) > 2) {
    return absl::InvalidArgumentError("the input is compressed twice; decompress it once before");
  }
  compression_ = CompressionOf(archive_filter_code(archive_, 0));
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> InflatedStream::NextOfArchive() {
  const void* bytes = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  int result = ended_ ? ARCHIVE_EOF : ARCHIVE_OK;
  while (result == ARCHIVE_OK && size == 0) {
    result = archive_read_data_block(archive_, &bytes, &size, &offset);
  }
  if (result == ARCHIVE_OK) return std::string_view(static_cast<const char*>(bytes), size);
  if (result != ARCHIVE_EOF) return Failure();
  RETURN_IF_ERROR(CheckEnd());
  return std::string_view();
}

// The bytes of the head first.
absl::StatusOr<std::string_view> InflatedStream::NextCompressed() {
  std::string_view bytes = head_;
  if (head_given_ || head_.empty()) {
    ASSIGN_OR_RETURN(bytes, compressed_());
  }
  head_given_ = true;
  compressed_bytes_ += bytes.size();
  return bytes;
}

ssize_t InflatedStream::ReadCompressed(struct archive* archive, void* stream, const void** bytes) {
  InflatedStream& self = *static_cast<InflatedStream*>(stream);
  const absl::StatusOr<std::string_view> next = self.NextCompressed();
  self.read_status_ = next.status();
  if (!next.ok()) {
    archive_set_error(archive, EIO, "the stream failed");
    return -1;
  }
  *bytes = next->data();
  return static_cast<ssize_t>(next->size());
}

// What follows the compressed data is ignored here, but an error to those who unpack the layer.
absl::Status InflatedStream::CheckEnd() {
  RETURN_IF_ERROR(read_status_);
  if (compression_ == Compression::kNone) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string_view more, NextCompressed());
  const la_int64_t consumed = archive_filter_bytes(archive_, -1);
  if (more.empty() && consumed >= 0 && static_cast<uint64_t>(consumed) == compressed_bytes_) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("the compressed input is followed by something else");
}

absl::Status InflatedStream::Failure() const {
  RETURN_IF_ERROR(read_status_);
  // Of a later frame only libzstd knows.
  if (compression_ == Compression::kZstd &&
      ReasonOf(archive_).find("too much memory") != std::string::npos) {
    return absl::ResourceExhaustedError(
        StrCat("it is compressed with zstd and a window of more than ", kMaxZstdWindowBytes,
               " bytes, the memory that is given to one; compress it with a smaller window"));
  }
  return absl::InvalidArgumentError(
      StrCat("the input cannot be decompressed: ", ReasonOf(archive_)));
}

absl::StatusOr<InflatedDigest> DigestInflated(StreamReader compressed,
                                              const InflateLimits& limits) {
  return ReadAll(std::move(compressed), limits, false);
}

absl::StatusOr<InflatedDigest> DigestInflatedTar(StreamReader compressed,
                                                 const InflateLimits& limits) {
  return ReadAll(std::move(compressed), limits, true);
}

}  // namespace varve
