// RocksDB's statuses in the engine's vocabulary. Pure; thread-safe.
#ifndef VARVE_STORAGE_INDEX_ROCKSDB_STATUS_H_
#define VARVE_STORAGE_INDEX_ROCKSDB_STATUS_H_

#include <rocksdb/status.h>

#include <string_view>

#include "absl/status/status.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

// Every message begins so.
inline constexpr std::string_view kIndexError = "index: ";

// Its messages name files: it is private.
inline absl::Status FromRocksdb(const rocksdb::Status& status, std::string_view operation) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = StrCat(kIndexError, operation, ": ", status.ToString());
  // A table or blob file that is gone is damage too: reading it again would not help.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return Private(absl::DataLossError(message));
  }
  if (status.IsNoSpace() || status.IsMemoryLimit()) {
    return Private(absl::ResourceExhaustedError(message));
  }
  return Private(absl::UnavailableError(message));
}

inline bool IsConflict(const rocksdb::Status& status) {
  return status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() || status.IsExpired();
}

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_ROCKSDB_STATUS_H_
