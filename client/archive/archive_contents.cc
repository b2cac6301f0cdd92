#include "client/archive/archive_contents.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "client/archive/entry_name.h"
#include "client/archive/image_layout.h"
#include "client/archive/seekable_contents.h"
#include "client/archive/stream_contents.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kMaxLinks = 16;

}  // namespace

LayerCompression CompressionOf(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return LayerCompression::kGzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return LayerCompression::kZstd;
  if (first_bytes.starts_with("BZh")) return LayerCompression::kOther;
  if (first_bytes.starts_with(std::string_view("\xfd"
                                               "7zXZ\0",
                                               6)))
    return LayerCompression::kOther;
  return LayerCompression::kNone;
}

absl::StatusOr<std::unique_ptr<ArchiveContents>> ArchiveContents::Open(int fd,
                                                                       const ContentLimits& limits,
                                                                       BlobUploader& uploader) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return FileError(errno, "look at the input");
  if (S_ISDIR(info.st_mode)) return DirectoryContents::Open(fd, limits, uploader);
  ASSIGN_OR_RETURN(std::unique_ptr<ArchiveReader> reader, ArchiveReader::Open(fd, limits.reader));
  if (S_ISREG(info.st_mode) && !reader->compressed()) {
    return FileContents::Open(fd, *reader, limits, uploader);
  }
  return StreamContents::Open(*reader, limits, uploader);
}

absl::StatusOr<ArchiveContents::Entry*> ArchiveContents::Add(Entry entry) {
  if (entries_.size() >= limits_.max_entries) {
    return absl::ResourceExhaustedError(
        StrCat("the archive holds more than ", limits_.max_entries, " entries, the limit"));
  }
  std::unique_ptr<Entry>& place = entries_[entry.name];
  if (place != nullptr) {
    const bool same_blob = place->kind == Entry::Kind::kFile && entry.kind == Entry::Kind::kFile &&
                           place->size_bytes == entry.size_bytes && DigestOfBlobEntry(entry.name);
    if (same_blob) return nullptr;
    return absl::InvalidArgumentError(
        StrCat("the archive holds ", Quoted(entry.name), " twice, and only one can be meant"));
  }
  place = std::make_unique<Entry>(std::move(entry));
  return place.get();
}

absl::StatusOr<ArchiveContents::Entry*> ArchiveContents::Add(const ArchiveEntry& entry) {
  Entry added;
  ASSIGN_OR_RETURN(added.name, NormalizeEntryName(entry.name));
  if (entry.kind == ArchiveEntry::Kind::kDirectory || added.name.empty()) return nullptr;
  if (entry.kind == ArchiveEntry::Kind::kFile) {
    added.kind = Entry::Kind::kFile;
    added.size_bytes = entry.size_bytes;
    added.data_offset = entry.data_offset;
  } else if (entry.kind == ArchiveEntry::Kind::kSymbolicLink ||
             entry.kind == ArchiveEntry::Kind::kHardLink) {
    added.kind = Entry::Kind::kLink;
    // Where it leads matters only if something uses it.
    const absl::StatusOr<std::string> target = entry.kind == ArchiveEntry::Kind::kHardLink
                                                   ? NormalizeEntryName(entry.link_target)
                                                   : ResolveLink(added.name, entry.link_target);
    if (target.ok()) added.link_target = *target;
    added.problem = target.status();
  }
  return Add(std::move(added));
}

absl::StatusOr<ArchiveContents::Entry*> ArchiveContents::Find(std::string_view name) {
  ASSIGN_OR_RETURN(std::string normal, NormalizeEntryName(name));
  for (int links = 0; links <= kMaxLinks; ++links) {
    const auto found = entries_.find(normal);
    if (found == entries_.end()) {
      return absl::NotFoundError(StrCat("the archive does not hold ", Quoted(normal)));
    }
    Entry& entry = *found->second;
    RETURN_IF_ERROR(entry.problem);
    if (entry.kind == Entry::Kind::kFile) return &entry;
    if (entry.kind == Entry::Kind::kOther) {
      return absl::InvalidArgumentError(StrCat(Quoted(normal), " in the archive is not a file"));
    }
    normal = entry.link_target;
  }
  return absl::InvalidArgumentError(
      StrCat("the link ", Quoted(name), " in the archive leads in circles"));
}

bool ArchiveContents::Holds(std::string_view name) const { return entries_.contains(ToAbsl(name)); }

absl::StatusOr<uint64_t> ArchiveContents::SizeOf(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  return entry->size_bytes;
}

absl::StatusOr<LayerCompression> ArchiveContents::CompressionOfFile(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  return ReadCompression(*entry);
}

absl::StatusOr<std::string> ArchiveContents::ReadDocument(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  if (entry->size_bytes > kMaxDocumentBytes) {
    return absl::InvalidArgumentError(StrCat(Quoted(name), " in the archive is larger than ",
                                             kMaxDocumentBytes,
                                             " bytes, the limit for a document"));
  }
  return ReadAll(*entry);
}

absl::StatusOr<Digest> ArchiveContents::Store(std::string_view name,
                                              const std::optional<Digest>& expected) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(name));
  if (!entry->digest && expected) {
    ASSIGN_OR_RETURN(const bool there, uploader_.Has(*expected, entry->size_bytes));
    if (there) entry->digest = *expected;
  }
  if (!entry->digest) {
    const absl::StatusOr<Digest> uploaded = Upload(*entry, expected);
    if (absl::IsDataLoss(uploaded.status())) entry->problem = uploaded.status();
    RETURN_IF_ERROR(uploaded.status());
    entry->digest = *uploaded;
  }
  if (expected && !(*entry->digest == *expected)) {
    return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(name), " has the digest ",
                                      entry->digest->ToString(), ", not ", expected->ToString()));
  }
  return *entry->digest;
}

}  // namespace varve
