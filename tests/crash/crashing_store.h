// A store on a disk that can lose its power: the engine over MemoryFileSystem, with its RocksDB on
// the same disk, so that both lose it at one instant. Owned by the test; one thread.
#ifndef VARVE_TESTS_CRASH_CRASHING_STORE_H_
#define VARVE_TESTS_CRASH_CRASHING_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace varve {

inline constexpr char kStoreDirectory[] = "/store";
inline constexpr char kBlobsDirectory[] = "/store/blobs";
inline constexpr char kIndexDirectory[] = "/store/index";

// How a mutant differs from the engine: the disk lies to it, or its parts are wrapped.
struct Sabotage {
  std::function<void(MemoryFileSystem& disk)> lies;
  std::function<std::unique_ptr<FileSystem>(MemoryFileSystem& disk)> file_system;
  std::function<std::unique_ptr<Index>(std::unique_ptr<Index> index, FileSystem& file_system)>
      index;
};

class CrashingStore {
 public:
  explicit CrashingStore(const Sabotage& sabotage = {}, EngineOptions options = ShortPromises());
  ~CrashingStore() { Close(); }
  CrashingStore(const CrashingStore&) = delete;
  CrashingStore& operator=(const CrashingStore&) = delete;

  // Promises end at once, so that a reclamation removes all that nothing names.
  static EngineOptions ShortPromises();

  absl::Status Open();
  // Lets go of the uploads, then of the store; an orderly stop as long as there is power.
  void Close();
  // Loses the power if it is still on, and starts the disk again. The store is closed afterwards.
  void PowerCycle(Survival survival, uint64_t seed);

  EngineOptions& options() { return options_; }  // of the next Open
  bool is_open() const { return store_ != nullptr; }
  const Store& store() { return *store_; }
  MemoryFileSystem& disk() { return disk_; }
  FakeClock& clock() { return clock_; }
  // Uploads that are under way, by a name that the scenario gives them.
  std::map<std::string, std::unique_ptr<OpenUpload>>& uploads() { return uploads_; }

  // Files under blobs/; the store may be open.
  std::vector<std::string> BlobFilesOnDisk();
  // Every row of the index; the store must be closed.
  absl::StatusOr<std::vector<KeyValue>> IndexRows();

 private:
  RocksdbIndexOptions IndexOptions();
  absl::StatusOr<std::unique_ptr<Index>> OpenIndex(const std::string& path);

  const Sabotage sabotage_;
  MemoryFileSystem disk_;
  FakeClock clock_;
  SeededRandom random_{1};
  const std::unique_ptr<FileSystem> wrapped_;  // null: the disk itself
  EngineOptions options_;
  std::unique_ptr<Engine> store_;
  std::map<std::string, std::unique_ptr<OpenUpload>> uploads_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CRASH_CRASHING_STORE_H_
