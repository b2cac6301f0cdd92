// The one store there is: blob files and index of one data directory.
#ifndef VARVE_STORAGE_ENGINE_H_
#define VARVE_STORAGE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/image/canonical_name.h"
#include "storage/index/index.h"
#include "storage/index/rocksdb_index.h"
#include "storage/limits.h"

namespace varve {

struct EngineOptions {
  uint64_t max_bytes = 0;       // blob bytes the store may hold; 0 = as the disk allows
  uint64_t min_free_bytes = 0;  // disk space that uploads must leave free
  uint64_t reserve_bytes = 0;   // preallocated space that only deletions may use
  int64_t promise_nanos = 600 * kNanosPerSecond;
  // Activity in its repository makes a promise last so long, unless min_free_bytes are not free.
  int64_t renew_nanos = 3600 * kNanosPerSecond;
  int64_t upload_expiry_nanos = 24 * 3600 * kNanosPerSecond;  // of an upload nobody continues
  uint64_t large_blob_bytes = kLargeBlobBytes;  // from here on uploads bypass the page cache
  size_t max_uploads = kMaxOpenUploads;         // unfinished ones
  // An index may name children, and an image layers, that are not there (yet).
  bool accept_sparse_index = false;
  NameRule names;

  FileSystem* file_system = &PosixFileSystem();
  Clock* clock = &SystemClock();
  RandomSource* random = &SystemRandom();
  // Told what the operator should know, a sentence at a time; any thread.
  std::function<void(std::string_view sentence)> warn;
  void Warn(std::string_view sentence) const {
    if (warn != nullptr) warn(sentence);
  }
  // Told, likewise, what is damaged, so that somebody has to mend it.
  std::function<void(std::string_view sentence)> alarm;
  // Opens although acknowledged changes are lost, if it is exactly the loss of this id, which the
  // error of an attempt without it names. See index_opening.h.
  std::string accept_loss;

  RocksdbIndexOptions index;  // but for `warn` and `accept_loss`
  // Opens the index that lives in the directory `path` instead; tests.
  std::function<absl::StatusOr<std::unique_ptr<Index>>(const std::string& path)> open_index;
};

struct EngineParts;
struct EngineRoles;

// An open store, with the engine behind it: closed when this ends.
class Engine : public Store {
 public:
  // Of parts that have recovered.
  explicit Engine(std::unique_ptr<EngineParts> parts);
  ~Engine();

 private:
  explicit Engine(std::unique_ptr<EngineRoles> roles);

  const std::unique_ptr<EngineRoles> roles_;
};

// Opens, or makes, the store in `directory` (its parent must exist). Time does not grow with the
// store. FailedPrecondition when another process holds it (names its pid) or when a newer version
// wrote it; DataLoss when STORE or index are damaged. On a full disk the reserve is given up, and
// opening tried once more; ResourceExhausted, with how much is to be freed, when that is not
// enough.
absl::StatusOr<std::unique_ptr<Engine>> OpenEngine(const std::string& directory,
                                                   const EngineOptions& options);

}  // namespace varve

#endif  // VARVE_STORAGE_ENGINE_H_
