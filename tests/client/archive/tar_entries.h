// A tar archive read and written by the letter of POSIX (ustar and pax), with code of its own: what
// the client's archives are judged by.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_TAR_ENTRIES_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_TAR_ENTRIES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace varve {

inline constexpr size_t kTarBlock = 512;

struct TarEntry {
  std::string path;
  char type = '0';
  uint64_t mode = 0;
  uint64_t uid = 0;
  uint64_t gid = 0;
  uint64_t size = 0;
  uint64_t mtime = 0;
  std::string owner;  // both names
  std::string bytes;
};

inline uint64_t TarNumber(std::string_view field) {
  uint64_t number = 0;
  for (const char c : field) {
    if (c < '0' || c > '7') break;
    number = number * 8 + static_cast<uint64_t>(c - '0');
  }
  return number;
}

inline std::string TarText(std::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

// The header at the front of `archive`; reports what is wrong with it.
inline TarEntry ParseTarHeader(std::string_view archive) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kTarBlock; ++i) {
    const bool checksum = i >= 148 && i < 156;
    sum += static_cast<unsigned char>(checksum ? ' ' : archive[i]);
  }
  EXPECT_EQ(sum, TarNumber(archive.substr(148, 8))) << "checksum";
  EXPECT_EQ(archive.substr(257, 6), std::string_view("ustar\0", 6));
  EXPECT_EQ(archive.substr(263, 2), "00");
  const std::string prefix = TarText(archive.substr(345, 155));
  TarEntry entry;
  entry.path = (prefix.empty() ? "" : prefix + "/") + TarText(archive.substr(0, 100));
  entry.type = archive[156];
  entry.mode = TarNumber(archive.substr(100, 8));
  entry.uid = TarNumber(archive.substr(108, 8));
  entry.gid = TarNumber(archive.substr(116, 8));
  entry.size = TarNumber(archive.substr(124, 12));
  entry.mtime = TarNumber(archive.substr(136, 12));
  entry.owner = TarText(archive.substr(265, 32)) + TarText(archive.substr(297, 32));
  return entry;
}

// All entries of a whole archive, which must end as one does.
inline std::vector<TarEntry> ParseTar(std::string_view archive) {
  std::vector<TarEntry> entries;
  EXPECT_EQ(archive.size() % kTarBlock, 0u);
  while (archive.size() >= kTarBlock && archive[0] != '\0') {
    TarEntry entry = ParseTarHeader(archive);
    archive.remove_prefix(kTarBlock);
    const size_t padded = (entry.size + kTarBlock - 1) / kTarBlock * kTarBlock;
    if (padded > archive.size()) {
      ADD_FAILURE() << entry.path << " is cut off";
      return entries;
    }
    entry.bytes = archive.substr(0, entry.size);
    for (const char c : archive.substr(entry.size, padded - entry.size)) EXPECT_EQ(c, '\0');
    archive.remove_prefix(padded);
    entries.push_back(std::move(entry));
  }
  EXPECT_GE(archive.size(), 2 * kTarBlock) << "the end of the archive is missing";
  EXPECT_EQ(archive.find_first_not_of('\0'), std::string_view::npos);
  return entries;
}

// An archive of regular files.
inline std::string BuildTar(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string archive;
  for (const auto& [path, bytes] : files) {
    std::string header(kTarBlock, '\0');
    const auto put = [&header](size_t at, const std::string& text) {
      header.replace(at, text.size(), text);
    };
    const auto octal = [](uint64_t number, size_t digits) {
      std::string text(digits, '0');
      for (size_t i = digits; i-- > 0; number /= 8) text[i] = static_cast<char>('0' + number % 8);
      return text;
    };
    put(0, path);
    put(100, octal(0644, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(bytes.size(), 11));
    put(136, octal(1, 11));
    put(156, "0");
    put(257, std::string("ustar\0"
                         "00",
                         8));
    put(148, std::string(8, ' '));
    uint64_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6) + '\0');
    archive.append(header).append(bytes);
    archive.resize((archive.size() + kTarBlock - 1) / kTarBlock * kTarBlock, '\0');
  }
  return archive + std::string(2 * kTarBlock, '\0');
}

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_TAR_ENTRIES_H_
