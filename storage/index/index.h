// The index seam: ordered keys, point and range reads, transactions. Every record and reference of
// the store goes through it; RocksdbIndex keeps it on disk, MemoryIndex in memory, and a shared
// engine can take its place later. Thread-safe; a Transaction belongs to one thread.
//
// The rules are those of the weakest engine, so that no code grows habits that only one forgives:
//   * Get and Scan see the transaction's own writes and guard nothing.
//   * GetForUpdate guards a key, also when it is absent: kShared lets other kShared guards in,
//     kExclusive nobody, until commit. Every decision that a write depends on reads with it.
//   * GetMany, GetManyForUpdate and FirstOfEach are one round trip, for work that would otherwise
//     wait for the engine once for each key or range.
//   * "This range is empty" cannot be guarded. Guard a row that every inserter guards too.
//   * Add is for statistics: no value comes back and no conflict is promised.
//   * A transaction holds at most kMaxTransactionOperations writes, of which Run makes one
//     (kMaxRunOperations are left), and kMaxTransactionBytes, keys up to kMaxIndexKeyBytes, values
//     up to kMaxIndexValueBytes (storage/limits.h); beyond that Commit answers InvalidArgument and
//     nothing is written. Larger work goes in pages.
//
// Durability: a transaction with Durability::kSynced is on stable storage when Commit says done;
// commits in flight together share one sync. kBuffered survives a killed process, not a power cut.
#ifndef VARVE_STORAGE_INDEX_INDEX_H_
#define VARVE_STORAGE_INDEX_INDEX_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/index/commit_slots.h"
#include "storage/index/reads.h"

namespace varve {

enum class Guard { kShared, kExclusive };
enum class Durability { kSynced, kBuffered };
// How long a transaction may wait for the guards of others: a removal, for which clients may be
// waiting in turn, gives up after a second.
enum class Patience { kLong, kShort };

enum class CommitOutcome {
  kDone,
  kConflict,  // nothing was written; run the whole function again
  // The engine cannot say whether it was written. Once a later transaction of this process has
  // guarded one of its keys it can: what that one sees is there for good, as durably as was asked.
  kUnknown,
};

// Rolls back unless committed.
class Transaction : public Reads {
 public:
  virtual absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                                  Guard guard) = 0;
  // Guards the keys in ascending order, in whatever order they are given, so that two batches never
  // wait for each other in a circle. What it returns was read after all were guarded.
  virtual absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                          Guard guard) = 0;
  absl::StatusOr<std::optional<std::string>> GetGuarded(std::string_view key) final {
    return GetForUpdate(key, Guard::kShared);
  }
  absl::Status Protect(std::string_view key) final {
    return GetForUpdate(key, Guard::kShared).status();
  }

  virtual absl::Status Put(std::string_view key, std::string_view value) = 0;
  virtual absl::Status Delete(std::string_view key) = 0;
  // Adds to a signed 64-bit counter row (8 bytes big-endian; absent counts as zero).
  virtual absl::Status Add(std::string_view key, int64_t delta) = 0;

  // True when there is something for Commit to write.
  virtual bool has_writes() const = 0;

  // At most once; after it only destruction is allowed.
  virtual absl::StatusOr<CommitOutcome> Commit(Durability durability) = 0;

  // True after a call of this transaction met a conflict: whatever it returned, run it again.
  virtual bool conflicted() const = 0;
};

// From bad to worse.
enum class IndexState {
  kWorking,
  kFull,    // the disk is: nothing is written until there is room
  kFailed,  // the disk failed: nothing is written by this process any more, reads may go on
  kLost,    // not even reads
};

// Reads outside any transaction are of the latest committed state.
class Index : public Reads {
 public:
  // Waits for nothing.
  virtual IndexState state() const { return IndexState::kWorking; }

  virtual std::unique_ptr<Transaction> Begin() = 0;

  // Whether a commit may answer kUnknown, as an engine behind a network does.
  virtual bool may_lose_outcomes() const = 0;

  // Begins, calls `fn`, commits. Repeats on conflict, with jittered back-off, so `fn` must have no
  // side effects. Where outcomes may be lost, each transaction writes a token into a slot of its
  // own; after an unknown outcome that says whether it was committed, and only what was not is
  // repeated: OK means that the last call of `fn`, and no other, took effect. A non-OK status of
  // `fn` rolls back and is returned. Unavailable when the outcome stays unknown or conflicts do not
  // end. A store is changed through one Index object, whose slots no other shares.
  absl::Status Run(const std::function<absl::Status(Transaction&)>& fn,
                   Durability durability = Durability::kSynced,
                   Patience patience = Patience::kLong);

 private:
  // Of a transaction that has ended with an unknown outcome.
  absl::StatusOr<bool> WasCommitted(const CommitSlots::Token& token);

  CommitSlots slots_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_INDEX_INDEX_H_
