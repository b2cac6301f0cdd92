#include "tests/storage/tar/archive_builder.h"

#include <cstdio>

#include "storage/base/str_cat.h"
#include "storage/tar/tar_header.h"

namespace varve {
namespace {

std::string Octal(uint64_t value, int digits) {
  std::string text(static_cast<size_t>(digits), '0');
  for (size_t i = text.size(); i > 0 && value > 0; value /= 8) {
    text[--i] = static_cast<char>('0' + value % 8);
  }
  return text;
}

void Put(std::string* block, size_t offset, std::string_view bytes) {
  block->replace(offset, bytes.size(), bytes);
}

std::string Base256(uint64_t value) {
  std::string text(12, '\0');
  for (size_t i = text.size(); i > 4; value >>= 8) text[--i] = static_cast<char>(value);
  text[0] = '\x80';
  return text;
}

// The length of a record counts its own digits.
std::string PaxRecord(const std::string& key, const std::string& value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest;
  while (StrCat(length).size() + rest != length) length = StrCat(length).size() + rest;
  return StrCat(length, " ", key, "=", value, "\n");
}

}  // namespace

std::string Padding(uint64_t size_bytes) { return std::string((512 - size_bytes % 512) % 512, 0); }

std::string WithChecksum(std::string block, bool signed_checksum) {
  Put(&block, 148, "        ");
  int64_t sum = 0;
  for (const char byte : block) {
    sum += signed_checksum ? static_cast<signed char>(byte) : static_cast<unsigned char>(byte);
  }
  Put(&block, 148, Octal(static_cast<uint64_t>(sum), 6) + std::string("\0 ", 2));
  return block;
}

std::string Header(const MemberHeader& member) {
  std::string block(kTarBlockBytes, '\0');
  Put(&block, 0, std::string_view(member.name).substr(0, 100));
  Put(&block, 100, "0000644");
  Put(&block, 108, "0000000");
  Put(&block, 116, "0000000");
  Put(&block, 124, member.base256_size ? Base256(member.size_bytes) : Octal(member.size_bytes, 11));
  Put(&block, 136, Octal(member.seconds, 11));
  block[156] = member.type;
  if (member.dialect == Dialect::kUstar) Put(&block, 257, std::string_view("ustar\00000", 8));
  if (member.dialect == Dialect::kGnu) Put(&block, 257, "ustar  ");
  return WithChecksum(std::move(block), member.signed_checksum);
}

std::string File(std::string_view content, MemberHeader member) {
  member.size_bytes = content.size();
  return StrCat(Header(member), content, Padding(content.size()));
}

std::string PaxHeader(const std::vector<std::pair<std::string, std::string>>& records, char type) {
  std::string text;
  for (const auto& [key, value] : records) text += PaxRecord(key, value);
  return File(text, {.type = type, .name = "PaxHeaders/file"});
}

std::string LongName(std::string_view name, char type) {
  return File(StrCat(name, std::string(1, '\0')),
              {.dialect = Dialect::kGnu, .type = type, .name = "././@LongLink", .seconds = 0});
}

std::string OldSparseFile(std::string_view stored, int extensions) {
  std::string header = Header({.dialect = Dialect::kGnu, .type = 'S', .size_bytes = stored.size()});
  if (extensions > 0) header[482] = 1;
  std::string file = WithChecksum(std::move(header));
  for (int i = 1; i <= extensions; ++i) {
    std::string map(kTarBlockBytes, 'm');
    map[504] = i < extensions ? 1 : 0;
    file += map;
  }
  return StrCat(file, stored, Padding(stored.size()));
}

std::string PaxSparseFile(std::string_view stored, int pairs) {
  std::string map = StrCat(pairs, "\n");
  for (int i = 0; i < pairs; ++i) map += StrCat(i * 8192, "\n", 4096, "\n");
  map += Padding(map.size());
  const std::string header = PaxHeader({{"GNU.sparse.major", "1"},
                                        {"GNU.sparse.minor", "0"},
                                        {"GNU.sparse.name", "file"},
                                        {"GNU.sparse.realsize", "1000000"}});
  return StrCat(header, File(map + std::string(stored)));
}

}  // namespace varve
