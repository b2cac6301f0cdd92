#include "client/archive/stream_contents.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_layout.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr size_t kFirstBytes = 512;

// The next bytes of the file, as many as wanted unless it ends before.
absl::StatusOr<std::string> ReadUpTo(size_t limit, ArchiveReader& reader) {
  std::string bytes(limit, '\0');
  size_t filled = 0;
  while (filled < limit) {
    ASSIGN_OR_RETURN(const size_t got, reader.Read(bytes.data() + filled, limit - filled));
    if (got == 0) break;
    filled += got;
  }
  bytes.resize(filled);
  return bytes;
}

bool LooksLikeJson(std::string_view first_bytes) {
  const size_t begin = first_bytes.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos &&
         (first_bytes[begin] == '{' || first_bytes[begin] == '[');
}

// Whether an archive could mean the file as a blob. A stream cannot be asked later, and what is
// no image archive at all shall not be uploaded file by file.
bool LooksLikeBlob(std::string_view name) {
  return DigestOfBlobEntry(name) || DigestInName(name) || name.ends_with(".tgz") ||
         name.find(".tar", name.rfind('/') + 1) != std::string_view::npos;
}

ByteReader ReaderOf(const std::string& bytes) {
  return [&bytes](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
    const size_t begin = std::min(static_cast<size_t>(offset), bytes.size());
    return bytes.copy(out, limit, begin);
  };
}

DigestAlgorithm AlgorithmOf(const std::optional<Digest>& digest) {
  return digest ? digest->algorithm() : DigestAlgorithm::kSha256;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArchiveContents>> StreamContents::Open(ArchiveReader& reader,
                                                                      const ContentLimits& limits,
                                                                      BlobUploader& uploader) {
  std::unique_ptr<StreamContents> contents(new StreamContents(limits, uploader));
  for (;;) {
    ASSIGN_OR_RETURN(const std::optional<ArchiveEntry> read, reader.Next());
    if (!read) return contents;
    ASSIGN_OR_RETURN(Entry* const entry, contents->Add(*read));
    if (entry != nullptr && entry->kind == Entry::Kind::kFile) {
      RETURN_IF_ERROR(contents->Take(*entry, reader));
    }
  }
}

absl::Status StreamContents::Take(Entry& entry, ArchiveReader& reader) {
  ASSIGN_OR_RETURN(std::string bytes, ReadUpTo(kFirstBytes, reader));
  entry.compression = CompressionOf(bytes);
  const bool document = entry.size_bytes <= kMaxDocumentBytes && LooksLikeJson(bytes);
  if (document && entry.size_bytes <= limits_.max_kept_bytes - kept_bytes_) {
    ASSIGN_OR_RETURN(const std::string rest,
                     ReadUpTo(static_cast<size_t>(entry.size_bytes) - bytes.size(), reader));
    bytes.append(rest);
    kept_bytes_ += bytes.size();
    entry.document = std::move(bytes);
    return absl::OkStatus();
  }
  if (document || LooksLikeBlob(entry.name)) return TakeBlob(entry, bytes, reader);
  entry.problem = absl::InvalidArgumentError(
      StrCat(Quoted(entry.name),
             " does not look like a layer by its name and was not read from "
             "the stream; load the archive from an uncompressed file"));
  return absl::OkStatus();
}

absl::Status StreamContents::TakeBlob(Entry& entry, const std::string& first_bytes,
                                      ArchiveReader& reader) {
  const std::optional<Digest> expected = DigestOfBlobEntry(entry.name);
  std::optional<Digest> supposed = expected;
  // "<hex>.tar" of podman. Whoever uses it compares the digest with what the config says.
  if (!supposed && entry.compression == LayerCompression::kNone && entry.name.ends_with(".tar")) {
    supposed = DigestInName(entry.name);
  }
  if (supposed) {
    ASSIGN_OR_RETURN(const bool there, uploader_.Has(*supposed, entry.size_bytes));
    if (there) {
      entry.digest = supposed;
      return absl::OkStatus();
    }
  }
  absl::Status read_status;
  const auto read = [&](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
    if (offset < first_bytes.size()) {
      return first_bytes.copy(out, limit, static_cast<size_t>(offset));
    }
    absl::StatusOr<size_t> got = reader.Read(out, limit);
    read_status = got.status();
    return got;
  };
  ByteSource source(read, std::nullopt, AlgorithmOf(expected));
  const absl::StatusOr<Digest> uploaded = uploader_.Upload(
      {.name = entry.name, .expected = expected, .size_bytes = entry.size_bytes, .upload_id = ""},
      source);
  RETURN_IF_ERROR(read_status);
  if (absl::IsDataLoss(uploaded.status())) {  // matters only to the images that need it
    entry.problem = uploaded.status();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(uploaded.status());
  entry.digest = *uploaded;
  return absl::OkStatus();
}

absl::StatusOr<LayerCompression> StreamContents::ReadCompression(const Entry& entry) {
  return entry.compression;
}

absl::StatusOr<std::string> StreamContents::ReadAll(const Entry& entry) {
  if (entry.document) return *entry.document;
  // A document that came when memory was used up, or a file that is none.
  return uploader_.Download(*entry.digest, kMaxDocumentBytes);
}

absl::StatusOr<Digest> StreamContents::Upload(const Entry& entry,
                                              const std::optional<Digest>& expected) {
  ByteSource source(ReaderOf(*entry.document), entry.document->size(), AlgorithmOf(expected));
  return uploader_.Upload(
      {.name = entry.name, .expected = expected, .size_bytes = entry.size_bytes, .upload_id = ""},
      source);
}

}  // namespace varve
