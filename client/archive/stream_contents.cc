#include "client/archive/stream_contents.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_layout.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"

namespace varve {
namespace {

constexpr size_t kReadBytes = 256 * kKiB;

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

// The digest of `bytes` and of what follows them of the file.
absl::StatusOr<Digest> DigestOfRest(DigestAlgorithm algorithm, std::string_view bytes,
                                    ArchiveReader& reader) {
  Hasher hasher(algorithm);
  hasher.Update(bytes);
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    ASSIGN_OR_RETURN(const size_t got, reader.Read(buffer.data(), buffer.size()));
    if (got == 0) return hasher.Current();
    hasher.Update(std::string_view(buffer).substr(0, got));
  }
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
    ASSIGN_OR_RETURN(const Added added, contents->Add(*read));
    if (added.again) {
      RETURN_IF_ERROR(CheckSame(*added.entry, reader));
    } else if (added.entry != nullptr && added.entry->kind == Entry::Kind::kFile) {
      RETURN_IF_ERROR(contents->Take(*added.entry, reader));
    }
  }
}

absl::Status StreamContents::CheckSame(const Entry& entry, ArchiveReader& reader) {
  Digest first;
  if (entry.document) {
    first = HashBytes(DigestAlgorithm::kSha256, *entry.document);
  } else {
    first = entry.digest ? *entry.digest : *entry.passed_digest;
  }
  ASSIGN_OR_RETURN(const Digest again, DigestOfRest(first.algorithm(), {}, reader));
  return again == first ? absl::OkStatus() : TwiceError(entry.name);
}

absl::Status StreamContents::Take(Entry& entry, ArchiveReader& reader) {
  ASSIGN_OR_RETURN(std::string bytes, ReadUpTo(kJudgedBytes, reader));
  Judge(entry, bytes);
  if (!entry.problem.ok()) {
    ASSIGN_OR_RETURN(entry.passed_digest, DigestOfRest(DigestAlgorithm::kSha256, bytes, reader));
    return absl::OkStatus();
  }
  if (!entry.is_document || entry.size_bytes > limits_.max_kept_bytes - kept_bytes_) {
    return TakeBlob(entry, bytes, reader);
  }
  ASSIGN_OR_RETURN(const std::string rest,
                   ReadUpTo(static_cast<size_t>(entry.size_bytes) - bytes.size(), reader));
  bytes.append(rest);
  kept_bytes_ += bytes.size();
  entry.document = std::move(bytes);
  return absl::OkStatus();
}

absl::Status StreamContents::TakeBlob(Entry& entry, const std::string& first_bytes,
                                      ArchiveReader& reader) {
  const std::optional<Digest> expected = DigestOfBlobEntry(entry.name);
  if (expected) {
    ASSIGN_OR_RETURN(const bool there, uploader_.Has(*expected, entry.size_bytes));
    if (there) entry.digest = expected;
  } else {
    RETURN_IF_ERROR(TakeByName(entry).status());
  }
  if (entry.digest) return absl::OkStatus();
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
  if (absl::IsDataLoss(uploaded.status())) {
    // The bytes are another blob now. It matters only to those who need the file, and say so.
    const Digest digest = source.HashedDigest();
    ASSIGN_OR_RETURN(const std::optional<uint64_t> stored_bytes, uploader_.Find(digest));
    if (stored_bytes) {
      entry.digest = digest;
    } else {
      entry.problem = uploaded.status();
    }
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(uploaded.status());
  entry.digest = *uploaded;
  return absl::OkStatus();
}

absl::StatusOr<std::string> StreamContents::ReadAll(const Entry& entry) {
  if (entry.document) return *entry.document;
  // A document that came when memory was used up, or a file that is none.
  return uploader_.Download(*entry.digest, kMaxDocumentBytes);
}

absl::StatusOr<Digest> StreamContents::Hash(const Entry& entry, DigestAlgorithm algorithm) {
  return HashBytes(algorithm, *entry.document);
}

absl::StatusOr<Digest> StreamContents::Upload(const Entry& entry,
                                              const std::optional<Digest>& expected) {
  ByteSource source(ReaderOf(*entry.document), entry.document->size(), AlgorithmOf(expected));
  return uploader_.Upload(
      {.name = entry.name, .expected = expected, .size_bytes = entry.size_bytes, .upload_id = ""},
      source);
}

}  // namespace varve
