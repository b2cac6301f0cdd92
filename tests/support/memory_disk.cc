#include "tests/support/memory_disk.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace varve {
namespace {

uint64_t PagesOf(uint64_t size_bytes) {
  return size_bytes / kDiskPageBytes + (size_bytes % kDiskPageBytes != 0 ? 1 : 0);
}

}  // namespace

size_t MemoryFile::Read(uint64_t offset, absl::Span<char> out) const {
  if (offset >= visible_.size_bytes) return 0;
  const size_t wanted =
      static_cast<size_t>(std::min<uint64_t>(out.size(), visible_.size_bytes - offset));
  size_t done = 0;
  while (done < wanted) {
    const uint64_t at = offset + done;
    const size_t within = static_cast<size_t>(at % kDiskPageBytes);
    const size_t count = std::min<size_t>(wanted - done, kDiskPageBytes - within);
    const auto page = visible_.pages.find(at / kDiskPageBytes);
    if (page == visible_.pages.end()) {
      std::memset(out.data() + done, 0, count);
    } else {
      std::memcpy(out.data() + done, page->second->data() + within, count);
    }
    done += count;
  }
  return done;
}

size_t MemoryFile::Write(uint64_t offset, std::string_view data, uint64_t room_bytes) {
  size_t done = 0;
  while (done < data.size()) {
    const uint64_t at = offset + done;
    const uint64_t number = at / kDiskPageBytes;
    if (!visible_.pages.contains(number) && number >= visible_.reserved_pages) {
      if (room_bytes < kDiskPageBytes) break;
      room_bytes -= kDiskPageBytes;
      allocated_bytes_ += kDiskPageBytes;
    }
    const size_t within = static_cast<size_t>(at % kDiskPageBytes);
    const size_t count = std::min<size_t>(data.size() - done, kDiskPageBytes - within);
    std::memcpy(WritablePage(visible_, number).data() + within, data.data() + done, count);
    changed_pages_.insert(number);
    done += count;
  }
  if (done > 0 && offset + done > visible_.size_bytes) {
    visible_.size_bytes = offset + done;
  }
  return done;
}

bool MemoryFile::Reserve(uint64_t size_bytes, uint64_t room_bytes) {
  const uint64_t wanted = std::max(PagesOf(size_bytes), visible_.reserved_pages);
  const auto first = visible_.pages.lower_bound(visible_.reserved_pages);
  const auto written =
      static_cast<uint64_t>(std::distance(first, visible_.pages.lower_bound(wanted)));
  if ((wanted - visible_.reserved_pages - written) > room_bytes / kDiskPageBytes) return false;
  visible_.reserved_pages = wanted;
  CountAllocated();
  return true;
}

void MemoryFile::Truncate(uint64_t size_bytes) {
  for (auto page = visible_.pages.lower_bound(size_bytes / kDiskPageBytes);
       page != visible_.pages.end(); ++page) {
    changed_pages_.insert(page->first);
  }
  Cut(visible_, size_bytes);
  visible_.reserved_pages = std::min(visible_.reserved_pages, PagesOf(size_bytes));
  CountAllocated();
}

void MemoryFile::Sync() {
  for (const uint64_t number : changed_pages_) CopyPage(number, visible_, synced_);
  synced_.size_bytes = visible_.size_bytes;
  synced_.reserved_pages = visible_.reserved_pages;
  changed_pages_.clear();
}

void MemoryFile::LoseChanges() { changed_pages_.clear(); }

void MemoryFile::KeepOnlySynced() {
  visible_ = synced_;
  changed_pages_.clear();
  CountAllocated();
}

void MemoryFile::KeepSome(SeededRandom& random) {
  for (const uint64_t number : changed_pages_) {
    if (random.Below(2) == 0) CopyPage(number, visible_, synced_);
  }
  uint64_t size_bytes = synced_.size_bytes;
  if (size_bytes != visible_.size_bytes) {
    const uint64_t low = std::min(size_bytes, visible_.size_bytes);
    const uint64_t high = std::max(size_bytes, visible_.size_bytes);
    switch (random.Below(3)) {
      case 0:
        break;
      case 1:
        size_bytes = visible_.size_bytes;
        break;
      default:
        size_bytes = low + random.Below(high - low + 1);
    }
  }
  Cut(synced_, size_bytes);
  KeepOnlySynced();
}

// Sets the size, with nothing but zeros past it.
void MemoryFile::Cut(Image& image, uint64_t size_bytes) {
  image.size_bytes = size_bytes;
  image.pages.erase(image.pages.lower_bound(PagesOf(size_bytes)), image.pages.end());
  const size_t within = static_cast<size_t>(size_bytes % kDiskPageBytes);
  const uint64_t last = size_bytes / kDiskPageBytes;
  if (within == 0 || !image.pages.contains(last)) return;
  Page& page = WritablePage(image, last);
  std::fill(page.begin() + static_cast<std::ptrdiff_t>(within), page.end(), '\0');
}

void MemoryFile::CopyPage(uint64_t number, const Image& from, Image& to) {
  const auto page = from.pages.find(number);
  if (page == from.pages.end()) {
    to.pages.erase(number);
  } else {
    to.pages[number] = page->second;
  }
}

MemoryFile::Page& MemoryFile::WritablePage(Image& image, uint64_t number) {
  std::shared_ptr<Page>& page = image.pages[number];
  if (page == nullptr) {
    page = std::make_shared<Page>(Page{});
  } else if (page.use_count() > 1) {
    page = std::make_shared<Page>(*page);
  }
  return *page;
}

void MemoryFile::CountAllocated() {
  const auto beyond = visible_.pages.lower_bound(visible_.reserved_pages);
  const auto written = static_cast<uint64_t>(std::distance(beyond, visible_.pages.end()));
  allocated_bytes_ = (visible_.reserved_pages + written) * kDiskPageBytes;
}

MemoryNodePtr MemoryDirectory::Find(const std::string& name) const {
  const auto entry = visible_.find(name);
  return entry == visible_.end() ? nullptr : entry->second;
}

void MemoryDirectory::Link(const std::string& name, MemoryNodePtr node) {
  Apply({{name, std::move(node)}});
}

void MemoryDirectory::Unlink(const std::string& name) { Apply({{name, nullptr}}); }

void MemoryDirectory::Rename(const std::string& from, const std::string& to) {
  Apply({{to, Find(from)}, {from, nullptr}});
}

void MemoryDirectory::Apply(Change change) {
  for (const auto& [name, node] : change) {
    if (node == nullptr) {
      visible_.erase(name);
    } else {
      visible_[name] = node;
    }
  }
  unsynced_changes_.push_back(std::move(change));
}

void MemoryDirectory::Sync() {
  for (const Change& change : unsynced_changes_) {
    for (const auto& [name, node] : change) {
      const auto entry = visible_.find(name);
      if (entry == visible_.end()) {
        synced_.erase(name);
      } else {
        synced_[name] = entry->second;
      }
    }
  }
  unsynced_changes_.clear();
}

void MemoryDirectory::LoseChanges() { unsynced_changes_.clear(); }

void MemoryDirectory::KeepOnlySynced() {
  visible_ = synced_;
  unsynced_changes_.clear();
}

void MemoryDirectory::KeepSome(SeededRandom& random) {
  // Which group a name belongs to: renames join the groups of their two names.
  std::map<std::string, size_t> group_of;
  for (size_t i = 0; i < unsynced_changes_.size(); ++i) {
    const Change& change = unsynced_changes_[i];
    const size_t group = group_of.try_emplace(change.front().first, i).first->second;
    for (const auto& [name, node] : change) {
      const size_t joined = group_of.try_emplace(name, group).first->second;
      if (joined == group) continue;
      for (auto& [other, number] : group_of) {
        if (number == joined) number = group;
      }
    }
  }
  std::map<size_t, uint64_t> changes_in;
  for (const Change& change : unsynced_changes_) ++changes_in[group_of[change.front().first]];
  for (auto& [group, count] : changes_in) count = random.Below(count + 1);

  visible_ = synced_;
  for (Change& change : std::exchange(unsynced_changes_, {})) {
    uint64_t& surviving = changes_in[group_of[change.front().first]];
    if (surviving == 0) continue;
    --surviving;
    Apply(std::move(change));
  }
  Sync();
}

}  // namespace varve
