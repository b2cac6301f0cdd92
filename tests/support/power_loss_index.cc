#include "tests/support/power_loss_index.h"

#include <cstdlib>

#include "storage/base/status.h"
#include "tests/support/forwarding_index.h"

namespace varve {
namespace {

// There from the start, so that making it again changes nothing but counts as a call of the disk.
constexpr char kRoot[] = "/";

}  // namespace

class PowerLossIndex::PowerLossTransaction final : public ForwardingTransaction {
 public:
  explicit PowerLossTransaction(PowerLossIndex& index)
      : ForwardingTransaction(index.base_->Begin()), index_(index) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().Get(key);
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().GetMany(keys);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().GetManyForUpdate(keys, guard);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    RETURN_IF_ERROR(index_.Powered());
    return base().FirstOfEach(ranges);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    written_.emplace_back(key);
    return base().Put(key, value);
  }
  absl::Status Delete(std::string_view key) override {
    written_.emplace_back(key);
    return base().Delete(key);
  }
  absl::Status Add(std::string_view key, int64_t delta) override {
    written_.emplace_back(key);
    return base().Add(key, delta);
  }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    return index_.Commit(base(), written_, durability);
  }

 private:
  PowerLossIndex& index_;
  std::vector<std::string> written_;
};

PowerLossIndex::PowerLossIndex(std::unique_ptr<Index> base, MemoryFileSystem& disk)
    : base_(std::move(base)), disk_(disk) {}

absl::Status PowerLossIndex::Powered() const {
  if (disk_.powered()) return absl::OkStatus();
  return absl::UnavailableError("power cut: the index does not answer");
}

std::unique_ptr<Transaction> PowerLossIndex::Begin() {
  return std::make_unique<PowerLossTransaction>(*this);
}

absl::StatusOr<std::optional<std::string>> PowerLossIndex::Get(std::string_view key) {
  RETURN_IF_ERROR(Powered());
  return base_->Get(key);
}

absl::StatusOr<OptionalValues> PowerLossIndex::GetMany(absl::Span<const std::string> keys) {
  RETURN_IF_ERROR(Powered());
  return base_->GetMany(keys);
}

absl::StatusOr<std::vector<KeyValue>> PowerLossIndex::Scan(const KeyRange& range, size_t limit) {
  RETURN_IF_ERROR(Powered());
  return base_->Scan(range, limit);
}

absl::StatusOr<FirstRows> PowerLossIndex::FirstOfEach(absl::Span<const KeyRange> ranges) {
  RETURN_IF_ERROR(Powered());
  return base_->FirstOfEach(ranges);
}

absl::StatusOr<CommitOutcome> PowerLossIndex::Commit(Transaction& txn,
                                                     const std::vector<std::string>& keys,
                                                     Durability durability) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(disk_.CreateDirectory(kRoot));  // the power may be cut here
  Replaced replaced;
  for (const std::string& key : keys) {
    ASSIGN_OR_RETURN(std::optional<std::string> value, base_->Get(key));
    replaced.emplace_back(key, std::move(value));
  }
  ASSIGN_OR_RETURN(const CommitOutcome outcome, txn.Commit(durability));
  if (outcome != CommitOutcome::kDone || keys.empty()) return outcome;
  // One log: what is synced takes along all that was written before it.
  if (durability == Durability::kSynced) {
    unsynced_.clear();
  } else {
    unsynced_.push_back(std::move(replaced));
  }
  RETURN_IF_ERROR(disk_.CreateDirectory(kRoot));  // or here: done, and nobody learns of it
  return outcome;
}

void PowerLossIndex::PowerUp(Survival survival, uint64_t seed) {
  MutexLock lock(mutex_);
  size_t kept = survival == Survival::kOnlySynced ? 0 : unsynced_.size();
  if (survival == Survival::kRandom) kept = SeededRandom(seed).Below(unsynced_.size() + 1);
  for (; unsynced_.size() > kept; unsynced_.pop_back()) {
    const Replaced& replaced = unsynced_.back();
    const absl::Status undone = base_->Run([&](Transaction& txn) -> absl::Status {
      for (const auto& [key, value] : replaced) {
        RETURN_IF_ERROR(value.has_value() ? txn.Put(key, *value) : txn.Delete(key));
      }
      return absl::OkStatus();
    });
    if (!undone.ok()) std::abort();  // a base in memory always can
  }
  unsynced_.clear();
}

}  // namespace varve
