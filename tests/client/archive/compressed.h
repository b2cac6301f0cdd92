// Bytes compressed as users would, for tests of what reads them.
#ifndef VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_
#define VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_

#include <archive.h>
#include <archive_entry.h>

#include <string>

#include "client/archive/inflated_digest.h"
#include "gtest/gtest.h"

namespace varve {

inline std::string Compressed(const std::string& bytes, Compression compression) {
  archive* const writer = archive_write_new();
  archive_write_set_format_raw(writer);
  switch (compression) {
    case Compression::kNone:
      break;
    case Compression::kGzip:
      archive_write_add_filter_gzip(writer);
      break;
    case Compression::kZstd:
      archive_write_add_filter_zstd(writer);
      break;
    case Compression::kXz:
      archive_write_add_filter_xz(writer);
      break;
    case Compression::kBzip2:
      archive_write_add_filter_bzip2(writer);
      break;
  }
  archive_write_set_bytes_in_last_block(writer, 1);
  std::string out(bytes.size() + 100'000, '\0');
  size_t used = 0;
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  archive_entry* const entry = archive_entry_new();
  archive_entry_set_pathname(entry, "data");
  archive_entry_set_filetype(entry, AE_IFREG);
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  archive_entry_free(entry);
  EXPECT_EQ(archive_write_free(writer), ARCHIVE_OK);
  out.resize(used);
  return out;
}

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_ARCHIVE_COMPRESSED_H_
