#include "client/archive/archive_contents.h"

#include <sys/stat.h>

#include <algorithm>
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

// Whether an archive could mean the file as a blob, by its name.
bool IsNamedAsBlob(std::string_view name) {
  return DigestOfBlobEntry(name) || DigestInName(name) || name.ends_with(".tgz") ||
         name.find(".tar", name.rfind('/') + 1) != std::string_view::npos;
}

// A tar archive begins with the header of its first file, whose sum is in octal digits in the
// middle of it, or, without files, with zeros.
bool LooksLikeTar(std::string_view first_bytes) {
  constexpr size_t kHeaderBytes = 512;
  constexpr size_t kSumBegin = 148;
  constexpr size_t kSumEnd = 156;
  if (first_bytes.size() < kHeaderBytes) return first_bytes.empty();
  uint64_t sum = 0;
  uint64_t stated = 0;
  bool zeros = true;
  for (size_t i = 0; i < kHeaderBytes; ++i) {
    const char c = first_bytes[i];
    const bool of_sum = i >= kSumBegin && i < kSumEnd;
    zeros = zeros && c == '\0';
    sum += of_sum ? uint64_t{' '} : static_cast<unsigned char>(c);
    if (of_sum && c >= '0' && c <= '7') stated = stated * 8 + static_cast<uint64_t>(c - '0');
  }
  return zeros || sum == stated;
}

absl::Status CheckDocumentSize(std::string_view name, uint64_t size_bytes) {
  if (size_bytes <= kMaxDocumentBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(Quoted(name), " in the archive is larger than ",
                                           kMaxDocumentBytes, " bytes, the limit for a document"));
}

}  // namespace

char JsonBegin(std::string_view first_bytes) {
  const size_t begin = first_bytes.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return '\0';
  return first_bytes[begin] == '{' || first_bytes[begin] == '[' ? first_bytes[begin] : '\0';
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

absl::Status ArchiveContents::TwiceError(std::string_view name) {
  return absl::InvalidArgumentError(StrCat(
      "the archive holds ", Quoted(name), " twice, with different content; only one can be meant"));
}

absl::StatusOr<ArchiveContents::Added> ArchiveContents::Add(Entry entry) {
  if (entries_.size() >= limits_.max_entries) {
    return absl::ResourceExhaustedError(
        StrCat("the archive holds more than ", limits_.max_entries, " entries, the limit"));
  }
  std::unique_ptr<Entry>& place = entries_[entry.name];
  if (place == nullptr) {
    place = std::make_unique<Entry>(std::move(entry));
    return Added{.entry = place.get(), .again = false};
  }
  const bool same = place->kind == entry.kind && place->size_bytes == entry.size_bytes &&
                    place->link_target == entry.link_target;
  if (!same || entry.kind == Entry::Kind::kOther) return TwiceError(entry.name);
  // What is named by its digest is compared with that when it is used.
  if (entry.kind == Entry::Kind::kLink || DigestOfBlobEntry(entry.name)) return Added();
  return Added{.entry = place.get(), .again = true};
}

absl::StatusOr<ArchiveContents::Added> ArchiveContents::Add(const ArchiveEntry& entry) {
  Entry added;
  ASSIGN_OR_RETURN(added.name, NormalizeEntryName(entry.name));
  if (entry.kind == ArchiveEntry::Kind::kDirectory || added.name.empty()) return Added();
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

ArchiveContents::Entry* ArchiveContents::Lookup(std::string_view name, std::string_view* below) {
  *below = {};
  const auto found = entries_.find(ToAbsl(name));
  if (found != entries_.end()) return found->second.get();
  for (size_t slash = name.find('/'); slash != std::string_view::npos;
       slash = name.find('/', slash + 1)) {
    const auto directory = entries_.find(ToAbsl(name.substr(0, slash)));
    if (directory == entries_.end() || directory->second->kind != Entry::Kind::kLink) continue;
    *below = name.substr(slash);
    return directory->second.get();
  }
  return nullptr;
}

absl::StatusOr<ArchiveContents::Entry*> ArchiveContents::Find(std::string_view name) {
  ASSIGN_OR_RETURN(std::string normal, NormalizeEntryName(name));
  for (int links = 0; links <= kMaxLinks; ++links) {
    std::string_view below;
    Entry* const entry = Lookup(normal, &below);
    if (entry == nullptr) {
      return absl::NotFoundError(
          StrCat("the archive does not hold ", Quoted(normal),
                 links == 0 ? std::string() : StrCat(", to which ", Quoted(name), " leads")));
    }
    if (entry->kind == Entry::Kind::kLink) {
      RETURN_IF_ERROR(entry->problem);
      ASSIGN_OR_RETURN(normal, NormalizeEntryName(StrCat(entry->link_target, below)));
      continue;
    }
    if (entry->kind == Entry::Kind::kOther) {
      return absl::InvalidArgumentError(StrCat(Quoted(normal), " in the archive is not a file"));
    }
    RETURN_IF_ERROR(Look(*entry));
    RETURN_IF_ERROR(entry->problem);
    return entry;
  }
  return absl::InvalidArgumentError(
      StrCat("the link ", Quoted(name), " in the archive leads in circles"));
}

void ArchiveContents::Judge(Entry& entry, std::string_view first_bytes) {
  entry.judged = true;
  entry.compression = DetectCompression(first_bytes);
  entry.is_document = entry.size_bytes <= kMaxDocumentBytes && JsonBegin(first_bytes) != '\0';
  if (entry.is_document || entry.compression != Compression::kNone || IsNamedAsBlob(entry.name) ||
      LooksLikeTar(first_bytes)) {
    return;
  }
  entry.problem = absl::InvalidArgumentError(StrCat(
      Quoted(entry.name), " in the archive is neither a layer nor a JSON document of at most ",
      kMaxDocumentBytes, " bytes"));
}

bool ArchiveContents::Holds(std::string_view name) const { return entries_.contains(ToAbsl(name)); }

bool ArchiveContents::HoldsImagesOfVersionOne() const {
  static constexpr std::string_view kJson = "/json";
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    const std::string_view name = entry.first;
    return name == "repositories" ||
           (name.ends_with(kJson) && DigestInName(name.substr(0, name.size() - kJson.size())));
  });
}

void ArchiveContents::NameAsLayout(const std::string& name, const Digest& digest) {
  std::vector<std::pair<Digest, std::string>> blobs = {{digest, name}};
  for (const auto& [flat, entry] : entries_) {
    const std::optional<Digest> called = DigestInName(flat);
    if (!called) continue;
    const std::string text = called->ToString();
    const std::string hex = text.substr(text.find(':') + 1);
    if (flat == hex || flat == StrCat(hex, ".manifest.json")) blobs.emplace_back(*called, flat);
  }
  for (auto& [blob, target] : blobs) {
    Entry link;
    link.kind = Entry::Kind::kLink;
    link.name = BlobEntryName(blob);
    link.link_target = std::move(target);
    std::unique_ptr<Entry>& place = entries_[link.name];
    if (place == nullptr) place = std::make_unique<Entry>(std::move(link));
  }
}

absl::StatusOr<uint64_t> ArchiveContents::SizeOf(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  return entry->size_bytes;
}

absl::StatusOr<Compression> ArchiveContents::CompressionOf(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  return entry->compression;
}

absl::StatusOr<std::string> ArchiveContents::ReadDocument(std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* const entry, Find(name));
  RETURN_IF_ERROR(CheckDocumentSize(entry->name, entry->size_bytes));
  return ReadAll(*entry);
}

absl::StatusOr<bool> ArchiveContents::TakeByName(Entry& entry) {
  if (entry.compression != Compression::kNone || !entry.name.ends_with(".tar")) return false;
  const std::optional<Digest> supposed = DigestInName(entry.name);
  if (!supposed) return false;
  ASSIGN_OR_RETURN(const bool there, uploader_.Has(*supposed, entry.size_bytes));
  if (there) entry.digest = supposed;
  return there;
}

absl::StatusOr<Digest> ArchiveContents::Store(std::string_view name,
                                              const std::optional<Digest>& expected) {
  ASSIGN_OR_RETURN(Entry* const entry, Find(name));
  // A stream knows only this when it comes to the file, so all hold to it.
  const std::optional<Digest> named = DigestOfBlobEntry(entry->name);
  const std::optional<Digest>& wanted = named ? named : expected;
  if (!entry->digest) RETURN_IF_ERROR(TakeByName(*entry).status());
  if (!entry->digest && wanted) {
    ASSIGN_OR_RETURN(bool there, uploader_.Has(*wanted, entry->size_bytes));
    // What has another name must be read: a stream was in the store before anybody said what it
    // should be.
    if (there && !named) {
      ASSIGN_OR_RETURN(const Digest digest, Hash(*entry, wanted->algorithm()));
      there = digest == *wanted;
    }
    if (there) entry->digest = *wanted;
  }
  if (!entry->digest) {
    const absl::StatusOr<Digest> uploaded = Upload(*entry, named);
    if (absl::IsDataLoss(uploaded.status())) entry->problem = uploaded.status();
    RETURN_IF_ERROR(uploaded.status());
    entry->digest = *uploaded;
  }
  const Digest& digest = *entry->digest;
  const bool as_named = !named || digest == *named;
  if (as_named && (!expected || digest == *expected)) return digest;
  return absl::DataLossError(StrCat("the archive is damaged: ", Quoted(entry->name),
                                    " has the digest ", digest.ToString(), ", not ",
                                    as_named ? expected->ToString() : named->ToString()));
}

absl::StatusOr<std::vector<const ArchiveContents::Entry*>> ArchiveContents::UnnamedBlobs() {
  std::vector<const Entry*> blobs;
  for (const auto& [name, entry] : entries_) {
    if (entry->kind != Entry::Kind::kFile || DigestOfBlobEntry(name)) continue;
    RETURN_IF_ERROR(Look(*entry));
    if (entry->problem.ok() && !entry->is_document) blobs.push_back(entry.get());
  }
  return blobs;
}

absl::StatusOr<std::optional<uint64_t>> ArchiveContents::FindBlob(const Digest& digest) {
  ASSIGN_OR_RETURN(const std::optional<uint64_t> size_bytes, uploader_.Find(digest));
  if (size_bytes) return size_bytes;
  ASSIGN_OR_RETURN(const bool stored, StoreUnnamed(digest));
  return stored ? uploader_.Find(digest) : std::optional<uint64_t>();
}

absl::StatusOr<uint64_t> ArchiveContents::SizeOfBlob(const Digest& digest) {
  const absl::StatusOr<uint64_t> size_bytes = SizeOf(BlobEntryName(digest));
  if (!absl::IsNotFound(size_bytes.status())) return size_bytes;
  ASSIGN_OR_RETURN(const std::optional<uint64_t> stored_bytes, FindBlob(digest));
  if (stored_bytes) return *stored_bytes;
  return absl::NotFoundError(
      StrCat(ToStd(size_bytes.status().message()), ", and the store does not have it"));
}

absl::StatusOr<std::string> ArchiveContents::ReadBlobDocument(const Digest& digest) {
  const std::string name = BlobEntryName(digest);
  absl::StatusOr<std::string> bytes = ReadDocument(name);
  if (!absl::IsNotFound(bytes.status())) return bytes;
  ASSIGN_OR_RETURN(const uint64_t size_bytes, SizeOfBlob(digest));
  RETURN_IF_ERROR(CheckDocumentSize(name, size_bytes));
  return uploader_.Download(digest, kMaxDocumentBytes);
}

absl::Status ArchiveContents::StoreBlob(const Digest& digest) {
  const absl::Status status = Store(BlobEntryName(digest), digest).status();
  return absl::IsNotFound(status) ? SizeOfBlob(digest).status() : status;
}

}  // namespace varve
