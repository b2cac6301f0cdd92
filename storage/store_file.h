// The STORE file: says that a directory is a store, which one, and what a reader must understand.
#ifndef VARVE_STORAGE_STORE_FILE_H_
#define VARVE_STORAGE_STORE_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/file_system.h"

namespace varve {

// 1: the first. 2: blob rows of version 2; STORE may be rewritten and may hold unknown lines.
inline constexpr uint32_t kStoreFormatVersion = 2;

struct StoreFile {
  uint32_t format_version = kStoreFormatVersion;
  std::string uuid;
  int64_t created_nanos = 0;
  // Feature bits that data in the store uses: unknown compat bits may be ignored, unknown ro_compat
  // bits allow reading only, unknown incompat bits forbid opening. None is defined yet.
  uint64_t compat = 0;
  uint64_t ro_compat = 0;
  uint64_t incompat = 0;
  // Lines that this build does not know, each "name value"; a rewrite keeps them, and unknown
  // compat bits, as they are.
  std::vector<std::string> other_lines = {};
};

std::string EncodeStoreFile(const StoreFile& store);

// Reads every version up to kStoreFormatVersion. DataLoss when `text` is not a whole STORE file;
// FailedPrecondition, naming both versions, when a newer Varve wrote it.
absl::StatusOr<StoreFile> DecodeStoreFile(std::string_view text);

// NotFound when there is none.
absl::StatusOr<StoreFile> ReadStoreFile(FileSystem& file_system, const std::string& directory);

// Creates or replaces it. Durable and complete when it answers OK; a crash before leaves no STORE
// file or the old one.
absl::Status WriteStoreFile(FileSystem& file_system, const std::string& directory,
                            const StoreFile& store);

}  // namespace varve

#endif  // VARVE_STORAGE_STORE_FILE_H_
