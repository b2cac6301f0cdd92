// The disk under MemoryFileSystem: files and directories that know, beside what a process sees,
// what of it a power cut is certain to leave. Owned by one MemoryFileSystem, which serialises all
// calls.
//
// The model is that of Linux with a page cache, read strictly: bytes are durable after a sync of
// the file, names after a sync of their directory, and nothing else is promised. Whatever is
// between the durable and the visible state may or may not have reached the disk, page by page.
#ifndef VARVE_TESTS_SUPPORT_MEMORY_DISK_H_
#define VARVE_TESTS_SUPPORT_MEMORY_DISK_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "tests/support/fake_clock.h"

namespace varve {

inline constexpr uint64_t kDiskPageBytes = 4096;

// Bytes of one file. Sparse: room is taken by pages that were written or reserved.
class MemoryFile {
 public:
  uint64_t size_bytes() const { return visible_.size_bytes; }
  uint64_t allocated_bytes() const { return allocated_bytes_; }

  // Returns the bytes read, fewer than asked only at the end of the file.
  size_t Read(uint64_t offset, absl::Span<char> out) const;
  // Writes as far as `room_bytes` of newly taken pages allow; returns the bytes written.
  size_t Write(uint64_t offset, std::string_view data, uint64_t room_bytes);
  // Returns false, and takes nothing, when that would need more than `room_bytes`.
  bool Reserve(uint64_t size_bytes, uint64_t room_bytes);
  void Truncate(uint64_t size_bytes);

  // Makes all that changed since the last sync durable.
  void Sync();
  // What Linux does when write-back fails: the pages stay readable and count as clean, so that no
  // later Sync writes them, unless they change again.
  void LoseChanges();

  // Power cuts. Afterwards the visible state is the durable one.
  void KeepOnlySynced();
  // Keeps or drops each changed page by chance, and some size between the two.
  void KeepSome(SeededRandom& random);

 private:
  using Page = std::array<char, kDiskPageBytes>;
  // Bytes past the size are zero in every page. Pages are shared between images, copied on write.
  struct Image {
    std::map<uint64_t, std::shared_ptr<Page>> pages;
    uint64_t size_bytes = 0;
    uint64_t reserved_pages = 0;
  };

  static void Cut(Image& image, uint64_t size_bytes);
  static void CopyPage(uint64_t number, const Image& from, Image& to);
  static Page& WritablePage(Image& image, uint64_t number);
  void CountAllocated();

  Image visible_;
  Image synced_;
  std::set<uint64_t> changed_pages_;
  uint64_t allocated_bytes_ = 0;
};

struct MemoryNode;
using MemoryNodePtr = std::shared_ptr<MemoryNode>;

// Names of one directory.
class MemoryDirectory {
 public:
  using Entries = std::map<std::string, MemoryNodePtr>;

  const Entries& entries() const { return visible_; }
  // nullptr when there is no such name.
  MemoryNodePtr Find(const std::string& name) const;

  void Link(const std::string& name, MemoryNodePtr node);
  void Unlink(const std::string& name);
  // Atomic also over a power cut: never both names, never neither.
  void Rename(const std::string& from, const std::string& to);

  void Sync();
  // What Linux does when it cannot write a directory: as MemoryFile's.
  void LoseChanges();
  void KeepOnlySynced();
  // Names that a rename tied together survive together; for each such group, and for each other
  // name, the first so many of its changes survive.
  void KeepSome(SeededRandom& random);

 private:
  // One change: names and what they then stood for (nullptr: nothing).
  using Change = std::vector<std::pair<std::string, MemoryNodePtr>>;

  void Apply(Change change);

  Entries visible_;
  Entries synced_;
  std::vector<Change> unsynced_changes_;
};

// A file or a directory; `file` or `directory` is used accordingly.
struct MemoryNode {
  explicit MemoryNode(bool directory_node) : is_directory(directory_node) {}

  const bool is_directory;
  MemoryFile file;
  MemoryDirectory directory;
  uint64_t references = 0;  // visible names and open handles; its room is free again at zero
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_MEMORY_DISK_H_
