// Hashes and writes the bytes of one large upload on two threads of its own, while the caller
// receives the next ones: a push is then as fast as the slowest of network, hash and disk, not as
// their sum. Pieces lie on a grid in the file, in memory that is aligned as the disk wants it. They
// are left in the page cache, where the pull after the push finds them, as long as PageCacheBudget
// allows it; from then on they go past it.
//
// Belongs to the holder of the upload; its functions are for one thread at a time. The threads end
// with it.
#ifndef VARVE_STORAGE_BLOB_WRITE_PIPELINE_H_
#define VARVE_STORAGE_BLOB_WRITE_PIPELINE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "storage/base/file_system.h"
#include "storage/base/mutex.h"
#include "storage/blob/page_cache_budget.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"

namespace varve {

class WritePipeline {
 public:
  // Goes on at offset hasher.bytes_hashed() of `file`, which is to have `expected_bytes` as far as
  // is known: more than the page cache is to keep go past it from the start. Between the first
  // Append and the end of Drain, `file` and `hasher` belong to the pipeline; all arguments must
  // outlive it. nullptr when kMaxWritePipelines are running (counted in `running`) or the machine
  // has no memory or thread to give: the caller then hashes and writes by itself.
  static std::unique_ptr<WritePipeline> Start(WritableFile& file, Hasher& hasher,
                                              std::atomic<size_t>& running,
                                              PageCacheBudget& page_cache, uint64_t expected_bytes);
  ~WritePipeline();  // drops what is not yet written
  WritePipeline(const WritePipeline&) = delete;
  WritePipeline& operator=(const WritePipeline&) = delete;

  // Copies `bytes`; waits while all pieces are on their way. The error of an earlier write comes
  // back from here or from Drain, whichever is next; then the file is unusable.
  absl::Status Append(std::string_view bytes);

  // Waits until all that was appended is hashed and written (not synced).
  absl::Status Drain();

 private:
  struct FreeMemory {
    void operator()(char* memory) const { std::free(memory); }
  };
  // A stretch [begin, end) of one cell of the grid, in offsets within the cell.
  struct Piece {
    std::unique_ptr<char, FreeMemory> memory;  // of the whole cell
    uint64_t cell_offset = 0;                  // in the file
    size_t begin = 0;
    size_t hashed = 0;   // up to here
    size_t written = 0;  // up to here
    size_t end = 0;
  };
  // A thread that does `work` on each piece in turn; `done` counts them.
  struct Stage {
    absl::Status (WritePipeline::*work)(Piece&);
    uint64_t done = 0;
    std::thread thread;
  };

  WritePipeline(WritableFile& file, Hasher& hasher, std::atomic<size_t>& running,
                PageCacheBudget& page_cache);
  bool Allocate();
  bool StartThreads();
  Piece* Next(const Stage& stage);  // nullptr at the end
  void Run(Stage& stage);
  absl::Status Hash(Piece& piece);
  absl::Status Write(Piece& piece);
  void BypassPageCache();
  Piece& PieceOf(uint64_t number) { return pieces_[number % pieces_.size()]; }
  // Of the stage that lags most.
  uint64_t Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginPiece(uint64_t offset);
  absl::Status HandOver();

  WritableFile& file_;
  Hasher& hasher_;
  std::atomic<size_t>& running_;
  PageCacheBudget& page_cache_;
  bool bypasses_page_cache_ = false;  // of the writing stage
  uint64_t writeback_bytes_ = 0;      // handed to the disk so far; of the writing stage
  std::array<Piece, kWritePipelinePieces> pieces_;

  // A piece belongs to the caller while its number is filled_, and to the stages below that.
  Mutex mutex_;
  ConditionVariable changed_;
  uint64_t filled_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  // the first error
  Stage hashing_{&WritePipeline::Hash, 0, {}};
  Stage writing_{&WritePipeline::Write, 0, {}};
};

}  // namespace varve

#endif  // VARVE_STORAGE_BLOB_WRITE_PIPELINE_H_
