// What befalls the archives of a family: careless tools, broken disks and ill will.
#include <algorithm>
#include <utility>

#include "tests/client/archive/archive_family.h"

namespace varve {

void ArchiveFamily::MutateEntries() {
  if (Chance(30)) {
    Tell("shuffled");
    for (size_t i = entries_.size(); i > 1; --i) std::swap(entries_[i - 1], entries_[Below(i)]);
  }
  for (uint64_t count = Pick<uint64_t>({0, 0, 0, 1, 1, 2}); count > 0 && !entries_.empty();
       --count) {
    MutateOneEntry();
  }
  const std::string prefix = Pick<std::string>({"", "", "", "", "", "./", "/", ".//"});
  if (!prefix.empty()) {
    Tell("prefix " + prefix);
    for (TestEntry& entry : entries_) {
      if (Chance(80)) entry.name = prefix + entry.name;
    }
  }
}

void ArchiveFamily::MutateOneEntry() {
  const size_t at = Below(entries_.size());
  TestEntry& entry = entries_[at];
  switch (Below(12)) {
    case 0:
      Tell("twice " + entry.name);
      entries_.push_back(entry);
      break;
    case 1:
      Tell("twice-unlike " + entry.name);
      entries_.push_back(entry);
      entries_.back().bytes += " ";
      break;
    case 2:
      Tell("dropped " + entry.name);
      entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 3:
      if (entry.bytes.empty()) break;
      Tell("flipped " + entry.name);
      entry.bytes[Below(entry.bytes.size())] ^= static_cast<char>(1 << Below(8));
      break;
    case 4:
      Tell("shortened " + entry.name);
      entry.bytes.resize(entry.bytes.size() / 2);
      break;
    case 5:
      Tell("overstated " + entry.name);
      entry.claimed = entry.bytes.size() + Pick<uint64_t>({1, 600, 1 << 20, 077777777777});
      break;
    case 6:
      Tell("device " + entry.name);
      entry.type = Pick<char>({'3', '4', '5', '6'});
      break;
    case 7:
      Tell("stranger");
      entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at),
                      {.name = Pick<std::string>(
                           {"x", "../x", "/x", "a/../../x", "x.tar", std::string(90, 'n')}),
                       .bytes = Bytes(Below(2000))});
      break;
    case 8:
    case 9:
      SpoilDocument();
      break;
    default:
      Relink(at);
  }
}

// Puts a link where the entry was, and its bytes elsewhere.
void ArchiveFamily::Relink(size_t at) {
  TestEntry moved = entries_[at];
  const bool hard = Chance(50);
  const std::string elsewhere =
      Pick<std::string>({"moved", "moved.tar", "blobs/sha256/moved", "deep/er/moved.tar"});
  Tell((hard ? "hard-link " : "symbolic-link ") + moved.name + " to " + elsewhere);
  TestEntry& link = entries_[at];
  link.type = hard ? '1' : '2';
  link.bytes.clear();
  std::string up;
  for (const char c : link.name) up += c == '/' ? "../" : "";
  link.target = hard ? elsewhere : up + elsewhere;
  switch (Below(8)) {
    case 0:
      Tell("absent");
      return;
    case 1:
      Tell("outside");
      link.target = Pick<std::string>({"/etc/passwd", "../../../etc/passwd"});
      return;
    case 2:
      Tell("circle");
      link.target = hard ? link.name : link.name.substr(link.name.rfind('/') + 1);
      return;
    default:
      moved.name = elsewhere;
      entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(Below(entries_.size() + 1)),
                      std::move(moved));
  }
}

void ArchiveFamily::SpoilDocument() {
  std::vector<TestEntry*> documents;
  for (TestEntry& entry : entries_) {
    if (!entry.bytes.empty() && (entry.bytes[0] == '{' || entry.bytes[0] == '[')) {
      documents.push_back(&entry);
    }
  }
  if (documents.empty()) return;
  TestEntry& document = *documents[Below(documents.size())];
  Tell("spoiled " + document.name);
  const std::vector<std::string> spoiled = {"",
                                            "no json",
                                            "[]",
                                            "{}",
                                            "null",
                                            "\xef\xbb\xbf" + document.bytes,
                                            std::string(700, ' ') + document.bytes,
                                            document.bytes + "}",
                                            std::string(10'000, '['),
                                            "[{\"Config\":7}]",
                                            "{\"manifests\":7}",
                                            "{\"manifests\":[],\"layers\":[]}",
                                            "{\"x\":\"" + std::string(5 << 20, 'a') + "\"}"};
  document.bytes = Pick(spoiled);
}

std::string ArchiveFamily::MutateBytes(std::string archive) {
  switch (Below(14)) {
    case 0:
      Tell("cut-off");
      archive.resize(Below(archive.size() + 1));
      break;
    case 1:
      Tell("cut-off-at-block");
      archive.resize(Below(archive.size() / 512 + 1) * 512);
      break;
    case 2:
      Tell("no-end");
      archive.resize(archive.size() - 1024);
      break;
    case 3:
      Tell("padded");
      archive += std::string(Below(20'000), '\0');
      break;
    case 4:
      Tell("trailing-bytes");
      archive += Bytes(Below(20'000));
      break;
    case 5:
      Tell("flipped-bit");
      archive[Below(archive.size())] ^= static_cast<char>(1 << Below(8));
      break;
    default:
      break;
  }
  if (!Chance(15)) return archive;
  const std::string filter = Pick<std::string>({"gzip", "zstd", "xz", "bzip2"});
  Tell("packed with " + filter);
  archive = Compress(archive, filter.c_str());
  if (Chance(30)) {
    Tell("and cut off");
    archive.resize(Below(archive.size() + 1));
  }
  return archive;
}

}  // namespace varve
