// Bytes compressed as users would, for tests of what reads them.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_

#include <archive.h>
#include <archive_entry.h>

#include <string>

#include "client/archive/inflated_digest.h"
#include "gtest/gtest.h"

namespace varve {

// `filter` is one of libarchive's: "gzip", "zstd", "xz", "bzip2".
inline std::string Compress(const std::string& bytes, const char* filter) {
  std::string out(bytes.size() + (1 << 20), '\0');
  size_t used = 0;
  struct archive* const writer = archive_write_new();
  struct archive_entry* const entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_pathname(entry, "data");
  EXPECT_EQ(archive_write_set_format_raw(writer), ARCHIVE_OK);
  EXPECT_EQ(archive_write_add_filter_by_name(writer, filter), ARCHIVE_OK);
  archive_write_set_bytes_in_last_block(writer, 1);
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  archive_entry_free(entry);
  EXPECT_EQ(archive_write_close(writer), ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

inline std::string Compressed(const std::string& bytes, Compression compression) {
  switch (compression) {
    case Compression::kNone:
      break;
    case Compression::kGzip:
      return Compress(bytes, "gzip");
    case Compression::kZstd:
      return Compress(bytes, "zstd");
    case Compression::kXz:
      return Compress(bytes, "xz");
    case Compression::kBzip2:
      return Compress(bytes, "bzip2");
  }
  return bytes;
}

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_
