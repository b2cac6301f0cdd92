// An archive as TarSplitter tells it, in memory: its body and its contents; and back. Checks on the
// way that the sink is called as it is promised. For tests and fuzz targets.
#ifndef VARVE_TESTS_STORAGE_TAR_ARCHIVE_PARTS_H_
#define VARVE_TESTS_STORAGE_TAR_ARCHIVE_PARTS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/readable_bytes.h"
#include "storage/tar/tar_body.h"
#include "storage/tar/tar_joiner.h"
#include "storage/tar/tar_splitter.h"

namespace varve {

struct ArchiveParts {
  struct Content {
    std::optional<uint64_t> size_bytes;
    std::string bytes;

    bool operator==(const Content&) const = default;
  };
  std::string operations;
  std::string times;
  std::string skeleton;
  std::vector<Content> contents;
  bool is_tar = false;

  bool operator==(const ArchiveParts&) const = default;
  std::string AllContent() const {
    std::string all;
    for (const Content& content : contents) all += content.bytes;
    return all;
  }
};

class PartsSink final : public TarSink {
 public:
  absl::Status Skeleton(std::string_view bytes) override {
    if (bytes.empty() || open_) return Broken();
    body_.Skeleton(bytes.size());
    parts_.skeleton += bytes;
    return absl::OkStatus();
  }
  absl::Status Zeros(uint64_t size_bytes) override {
    if (size_bytes == 0 || open_) return Broken();
    body_.Zeros(size_bytes);
    return absl::OkStatus();
  }
  absl::Status Header(std::string_view block, uint64_t seconds) override {
    if (block.size() != kTarBlockBytes || open_) return Broken();
    body_.Header(seconds);
    parts_.skeleton += block;
    return absl::OkStatus();
  }
  absl::Status BeginContent(std::optional<uint64_t> size_bytes) override {
    if (open_ || size_bytes.value_or(kMinTarContentBytes) < kMinTarContentBytes) return Broken();
    open_ = true;
    parts_.contents.push_back({size_bytes, ""});
    return absl::OkStatus();
  }
  absl::Status Content(std::string_view bytes) override {
    if (bytes.empty() || !open_) return Broken();
    body_.Content(bytes.size());
    ArchiveParts::Content& content = parts_.contents.back();
    content.bytes += bytes;
    return content.bytes.size() <= content.size_bytes.value_or(UINT64_MAX) ? absl::OkStatus()
                                                                           : Broken();
  }
  absl::Status EndContent() override {
    if (!open_) return Broken();
    open_ = false;
    return absl::OkStatus();
  }

  const ArchiveParts& parts() const { return parts_; }
  absl::StatusOr<ArchiveParts> Finish(bool is_tar) {
    if (open_) return Broken();
    body_.Finish();
    parts_.operations = body_.TakeOperations();
    parts_.times = body_.TakeTimes();
    parts_.is_tar = is_tar;
    return parts_;
  }

 private:
  static absl::Status Broken() { return absl::InternalError("the sink was called out of turn"); }

  ArchiveParts parts_;
  TarBodyWriter body_;
  bool open_ = false;
};

// `next_piece` gives the size of the next piece that is fed, at least 1.
inline absl::StatusOr<ArchiveParts> SplitArchive(std::string_view bytes,
                                                 const std::function<size_t()>& next_piece) {
  PartsSink sink;
  TarSplitter splitter(sink);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, next_piece());
    const absl::Status fed = splitter.Feed(piece);
    if (!fed.ok()) return fed;
    bytes.remove_prefix(piece.size());
  }
  const absl::Status finished = splitter.Finish();
  if (!finished.ok()) return finished;
  return sink.Finish(splitter.is_tar());
}

inline absl::StatusOr<ArchiveParts> SplitArchive(std::string_view bytes) {
  return SplitArchive(bytes, [] { return size_t{1} << 20; });
}

// Gives at most `piece_bytes` at a time.
inline TarStream StreamOf(std::string bytes, size_t piece_bytes = 1000) {
  size_t offset = 0;
  return [bytes = std::move(bytes), piece_bytes, offset](absl::Span<char> out) mutable {
    const size_t size = bytes.copy(out.data(), std::min(out.size(), piece_bytes), offset);
    offset += size;
    return absl::StatusOr<size_t>(size);
  };
}

struct JoinOptions {
  size_t piece_bytes = 700;
  uint64_t max_bytes = uint64_t{1} << 30;
  uint64_t skipped_bytes = 0;  // from the beginning
};

inline absl::StatusOr<std::string> JoinArchive(const ArchiveParts& parts,
                                               const JoinOptions& options = {}) {
  const BytesInMemory skeleton(parts.skeleton);
  const BytesInMemory contents(parts.AllContent());
  TarJoiner joiner({.operations = StreamOf(parts.operations, options.piece_bytes),
                    .times = StreamOf(parts.times, options.piece_bytes),
                    .skeleton = skeleton,
                    .contents = contents},
                   options.max_bytes);
  const absl::Status skipped = joiner.Skip(options.skipped_bytes);
  if (!skipped.ok()) return skipped;
  std::string archive;
  std::vector<char> piece(options.piece_bytes);
  while (true) {
    const absl::StatusOr<size_t> read = joiner.Read(absl::MakeSpan(piece));
    if (!read.ok()) return read.status();
    if (*read == 0) return archive;
    archive.append(piece.data(), *read);
  }
}

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_TAR_ARCHIVE_PARTS_H_
