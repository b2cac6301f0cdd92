// An index on a disk that can lose its power: while that is off nothing answers, it can be cut just
// before and just after each commit, and when it comes back, commits that were only buffered may be
// gone: the latest of them, as the log of the index loses its end. Owned by the test; no
// transaction may be open while the power comes back.
#ifndef VARVE_TESTS_SUPPORT_POWER_LOSS_INDEX_H_
#define VARVE_TESTS_SUPPORT_POWER_LOSS_INDEX_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/index/index.h"
#include "tests/support/memory_file_system.h"

namespace varve {

class PowerLossIndex final : public Index {
 public:
  PowerLossIndex(std::unique_ptr<Index> base, MemoryFileSystem& disk);

  std::unique_ptr<Transaction> Begin() override;
  bool may_lose_outcomes() const override { return base_->may_lose_outcomes(); }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override;
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override;
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override;
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override;

  // After the disk's.
  void PowerUp(Survival survival, uint64_t seed) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class PowerLossTransaction;
  // What a buffered commit has replaced.
  using Replaced = std::vector<std::pair<std::string, std::optional<std::string>>>;

  absl::Status Powered() const;
  absl::StatusOr<CommitOutcome> Commit(Transaction& txn, const std::vector<std::string>& keys,
                                       Durability durability) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<Index> base_;
  MemoryFileSystem& disk_;
  Mutex mutex_;  // one commit at a time
  std::vector<Replaced> unsynced_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_POWER_LOSS_INDEX_H_
