#include "client/archive/import.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "client/archive/image_layout.h"
#include "client/archive/layer_check.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kPieceBytes = kMiB;

// The bytes of a descriptor, of which the first ones can be looked at before.
class Input {
 public:
  static absl::StatusOr<Input> Open(int fd) {
    Input input(fd);
    struct stat info {};
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
      input.size_bytes_ = static_cast<uint64_t>(info.st_size);
    }
    input.first_bytes_.resize(8);
    size_t filled = 0;
    while (filled < input.first_bytes_.size()) {
      ASSIGN_OR_RETURN(const size_t got, input.ReadDescriptor(filled, &input.first_bytes_[filled],
                                                              input.first_bytes_.size() - filled));
      if (got == 0) break;
      filled += got;
    }
    input.first_bytes_.resize(filled);
    return input;
  }

  const std::string& first_bytes() const { return first_bytes_; }
  // Of a regular file.
  std::optional<uint64_t> size_bytes() const { return size_bytes_; }

  // As a ByteReader; the offset of anything but a regular file only goes on.
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t limit) const {
    if (offset < first_bytes_.size()) return first_bytes_.copy(out, limit, offset);
    return ReadDescriptor(offset, out, limit);
  }

 private:
  explicit Input(int fd) : fd_(fd) {}

  absl::StatusOr<size_t> ReadDescriptor(uint64_t offset, char* out, size_t limit) const {
    for (;;) {
      const ssize_t got =
          size_bytes_ ? pread(fd_, out, limit, static_cast<off_t>(offset)) : read(fd_, out, limit);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return FileError(errno, "read the input");
    }
  }

  int fd_;
  std::optional<uint64_t> size_bytes_;
  std::string first_bytes_;
};

// The input as it is stored; checked on the way, so that its end is reached only by a good one.
class LayerReader {
 public:
  virtual ~LayerReader() = default;

  explicit LayerReader(const InflateLimits& limits) : check_(limits) {}

  // As a ByteReader.
  absl::StatusOr<size_t> ReadAt(uint64_t offset, char* out, size_t limit) {
    ASSIGN_OR_RETURN(const size_t got, Read(offset, out, limit));
    const uint64_t end = offset + got;
    if (end > checked_bytes_) {
      const size_t known = static_cast<size_t>(checked_bytes_ - offset);
      RETURN_IF_ERROR(Refuse(check_.Push({out + known, got - known})));
      checked_bytes_ = end;
    }
    if (got == 0) RETURN_IF_ERROR(Refuse(check_.Finish().status()));
    return got;
  }

  absl::StatusOr<InflatedDigest> Checked() { return check_.Finish(); }
  // The input was read, and is no layer.
  bool refused() const { return refused_; }

 private:
  absl::Status Refuse(absl::Status checked) {
    refused_ = refused_ || !checked.ok();
    return checked;
  }
  virtual absl::StatusOr<size_t> Read(uint64_t offset, char* out, size_t limit) = 0;

  LayerCheck check_;
  uint64_t checked_bytes_ = 0;
  bool refused_ = false;
};

class PlainReader : public LayerReader {
 public:
  PlainReader(const Input& input, const InflateLimits& limits)
      : LayerReader(limits), input_(input) {}

 private:
  absl::StatusOr<size_t> Read(uint64_t offset, char* out, size_t limit) override {
    return input_.ReadAt(offset, out, limit);
  }

  const Input& input_;
};

class InflatingReader : public LayerReader {
 public:
  InflatingReader(const Input& input, const InflateLimits& limits)
      : LayerReader(limits), input_(input), stream_([this] { return NextPiece(); }, limits) {}

 private:
  absl::StatusOr<std::string_view> NextPiece() {
    piece_.resize(kPieceBytes);
    ASSIGN_OR_RETURN(const size_t got, input_.ReadAt(read_bytes_, piece_.data(), piece_.size()));
    read_bytes_ += got;
    return std::string_view(piece_).substr(0, got);
  }

  absl::StatusOr<size_t> Read(uint64_t /*offset*/, char* out, size_t limit) override {
    return stream_.Read(out, limit);
  }

  const Input& input_;
  std::string piece_;
  uint64_t read_bytes_ = 0;
  InflatedStream stream_;
};

absl::StatusOr<BlobInfo> PutText(Client& client, const std::string& text) {
  ByteSource source(
      [&text](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
        return text.copy(out, limit, static_cast<size_t>(offset));
      },
      text.size());
  PutBlobOptions options;
  options.expected = HashBytes(DigestAlgorithm::kSha256, text);
  return client.PutBlob(source, options);
}

Descriptor Describe(const std::string& media_type, const BlobInfo& blob) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = blob.digest;
  descriptor.size_bytes = blob.size_bytes;
  return descriptor;
}

absl::StatusOr<BlobInfo> PutLayer(Client& client, int fd, const Input& input, bool inflate,
                                  LayerReader& reader, ImportObserver& observer) {
  const std::optional<uint64_t> size = inflate ? std::nullopt : input.size_bytes();
  observer.OnStart(size);
  ByteSource source([&reader](uint64_t offset, char* out,
                              size_t limit) { return reader.ReadAt(offset, out, limit); },
                    size);
  PutBlobOptions options;
  if (!inflate) options.upload_id = UploadIdOfFile(fd, "");
  options.progress = [&observer](uint64_t bytes) { observer.OnProgress(bytes); };
  absl::StatusOr<BlobInfo> blob = client.PutBlob(source, options);
  // Nobody goes on with what is no layer; the reason for that is the answer.
  if (reader.refused() && !inflate) client.AbortUpload(options.upload_id).IgnoreError();
  return blob;
}

}  // namespace

absl::StatusOr<ImportedImage> ImportImage(Client& client, int fd, const ImportOptions& options) {
  ImportObserver silent;
  ImportObserver& observer = options.observer == nullptr ? silent : *options.observer;
  ASSIGN_OR_RETURN(const Input input, Input::Open(fd));
  const Compression compression = DetectCompression(input.first_bytes());
  const bool inflate = compression == Compression::kXz || compression == Compression::kBzip2;
  std::unique_ptr<LayerReader> reader;
  if (inflate) {
    observer.OnNote(StrCat(compression == Compression::kXz ? "xz" : "bzip2",
                           " is no type of a layer; the layer is stored uncompressed"));
    reader = std::make_unique<InflatingReader>(input, options.limits);
  } else {
    reader = std::make_unique<PlainReader>(input, options.limits);
  }
  ImportedImage image;
  ASSIGN_OR_RETURN(image.layer, PutLayer(client, fd, input, inflate, *reader, observer));
  ASSIGN_OR_RETURN(const InflatedDigest checked, reader->Checked());
  image.diff_id = checked.diff_id;
  const ImageConfig config = {.created = options.created,
                              .platform = options.platform,
                              .runtime = options.runtime,
                              .diff_id = image.diff_id,
                              .comment = options.comment};
  ASSIGN_OR_RETURN(const BlobInfo config_blob, PutText(client, ImageConfigJson(config)));
  const std::string manifest =
      ImageManifestJson(Describe(kMediaTypeOciConfig, config_blob),
                        {Describe(OciLayerType(checked.compression), image.layer)});
  PutManifestRequest request;
  request.bytes = manifest;
  request.media_type = kMediaTypeOciManifest;
  request.whole_store = true;
  if (!options.tag.empty()) request.tags = {options.tag};
  ASSIGN_OR_RETURN(image.manifest, client.PutManifest(options.repository, request));
  return image;
}

}  // namespace varve
