#include "storage/index/memory_index.h"

#include <map>
#include <unordered_map>
#include <utility>
#include <variant>

#include "storage/base/check.h"
#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/index/counter.h"
#include "storage/index/transaction_limits.h"

namespace varve {
namespace {

// When a key last changed, as the number of the commit that did it; zero is "not while any
// transaction of now was open".
struct KeyVersion {
  uint64_t exclusive = 0;  // written, or guarded exclusively by a transaction that wrote
  uint64_t shared = 0;     // guarded shared by a transaction that wrote
};

// What a transaction will do to one key.
struct Erase {};
struct Increase {
  int64_t delta = 0;
};
using PendingWrite = std::variant<std::string, Erase, Increase>;
using PendingWrites = std::map<std::string, PendingWrite, std::less<>>;

struct GuardedKey {
  Guard guard = Guard::kShared;
  KeyVersion seen;
};
using GuardedKeys = std::map<std::string, GuardedKey, std::less<>>;

// The value of a key after `write` on top of `committed` (null when the key is absent).
std::optional<std::string> Apply(const PendingWrite& write, const std::string* committed) {
  if (const auto* value = std::get_if<std::string>(&write)) return *value;
  if (std::holds_alternative<Erase>(write)) return std::nullopt;
  const int64_t base = committed == nullptr ? 0 : DecodeCounter(*committed);
  return EncodeCounter(AddCounters(base, std::get<Increase>(write).delta));
}

// The rows and versions, shared by all transactions. Thread-safe.
class MemoryTable {
 public:
  void Open() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    ++open_transactions_;
  }

  // Versions only say what changed under an open transaction, so that none of them outlives the
  // last one: absent keys that were guarded once cost nothing for ever.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (--open_transactions_ == 0) versions_.clear();
  }

  std::optional<std::string> Get(std::string_view key, const PendingWrites& own,
                                 KeyVersion* version) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (version != nullptr) *version = VersionOf(std::string(key));
    return GetLocked(key, own);
  }

  // All keys as they are at one moment; `versions` gets theirs unless it is null.
  OptionalValues GetMany(absl::Span<const std::string> keys, const PendingWrites& own,
                         std::vector<KeyVersion>* versions) ABSL_LOCKS_EXCLUDED(mutex_) {
    OptionalValues values;
    values.reserve(keys.size());
    MutexLock lock(mutex_);
    for (const std::string& key : keys) {
      if (versions != nullptr) versions->push_back(VersionOf(key));
      values.push_back(GetLocked(key, own));
    }
    return values;
  }

  std::vector<KeyValue> Scan(const KeyRange& range, size_t limit, const PendingWrites& own)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return ScanLocked(range, limit, own);
  }

  // All ranges as they are at one moment.
  FirstRows FirstOfEach(absl::Span<const KeyRange> ranges, const PendingWrites& own)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    FirstRows rows;
    rows.reserve(ranges.size());
    MutexLock lock(mutex_);
    for (const KeyRange& range : ranges) {
      std::vector<KeyValue> found = ScanLocked(range, 1, own);
      rows.push_back(found.empty() ? std::nullopt : std::optional(std::move(found[0])));
    }
    return rows;
  }

  // True while nothing that `guards` protects against has happened.
  bool Holds(const GuardedKeys& guards) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return HoldsLocked(guards);
  }

  bool Commit(const GuardedKeys& guards, const PendingWrites& writes) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::optional<std::string> GetLocked(std::string_view key, const PendingWrites& own) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto row = rows_.find(key);
    const std::string* committed = row == rows_.end() ? nullptr : &row->second;
    const auto write = own.find(key);
    if (write != own.end()) return Apply(write->second, committed);
    if (committed == nullptr) return std::nullopt;
    return *committed;
  }

  std::vector<KeyValue> ScanLocked(const KeyRange& range, size_t limit,
                                   const PendingWrites& own) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  KeyVersion VersionOf(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto found = versions_.find(key);
    return found == versions_.end() ? KeyVersion() : found->second;
  }

  bool HoldsLocked(const GuardedKeys& guards) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& [key, guarded] : guards) {
      const KeyVersion now = VersionOf(key);
      if (now.exclusive != guarded.seen.exclusive) return false;
      if (guarded.guard == Guard::kExclusive && now.shared != guarded.seen.shared) return false;
    }
    return true;
  }

  Mutex mutex_;
  std::map<std::string, std::string, std::less<>> rows_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, KeyVersion> versions_ ABSL_GUARDED_BY(mutex_);
  uint64_t commits_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t open_transactions_ ABSL_GUARDED_BY(mutex_) = 0;
};

std::vector<KeyValue> MemoryTable::ScanLocked(const KeyRange& range, size_t limit,
                                              const PendingWrites& own) const {
  std::vector<KeyValue> found;
  if (!range.end.empty() && range.end <= range.begin) return found;
  const auto inside = [&range](const std::string& key) {
    return range.end.empty() || key < range.end;
  };
  auto row = rows_.lower_bound(range.begin);
  auto write = own.lower_bound(range.begin);
  while (found.size() < limit) {
    const bool has_row = row != rows_.end() && inside(row->first);
    const bool has_write = write != own.end() && inside(write->first);
    if (!has_row && !has_write) break;
    if (has_row && (!has_write || row->first < write->first)) {
      found.push_back({row->first, row->second});
      ++row;
      continue;
    }
    const bool both = has_row && row->first == write->first;
    std::optional<std::string> value = Apply(write->second, both ? &row->second : nullptr);
    if (value.has_value()) found.push_back({write->first, *std::move(value)});
    if (both) ++row;
    ++write;
  }
  return found;
}

bool MemoryTable::Commit(const GuardedKeys& guards, const PendingWrites& writes) {
  MutexLock lock(mutex_);
  if (!HoldsLocked(guards)) return false;
  if (writes.empty()) return true;  // without an effect, nobody needs to know of its guards
  ++commits_;
  for (const auto& [key, guarded] : guards) {
    KeyVersion& version = versions_[key];
    (guarded.guard == Guard::kExclusive ? version.exclusive : version.shared) = commits_;
  }
  for (const auto& [key, write] : writes) {
    const auto row = rows_.find(key);
    std::optional<std::string> value = Apply(write, row == rows_.end() ? nullptr : &row->second);
    if (!value.has_value()) {
      if (row != rows_.end()) rows_.erase(row);
    } else if (row == rows_.end()) {
      rows_.emplace(key, *std::move(value));
    } else {
      row->second = *std::move(value);
    }
    // Counters never conflict.
    if (!std::holds_alternative<Increase>(write)) versions_[key].exclusive = commits_;
  }
  return true;
}

class MemoryTransaction : public Transaction {
 public:
  explicit MemoryTransaction(MemoryTable* table) : table_(table) { table_->Open(); }
  ~MemoryTransaction() override { table_->Close(); }
  MemoryTransaction(const MemoryTransaction&) = delete;
  MemoryTransaction& operator=(const MemoryTransaction&) = delete;

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return table_->Get(key, writes_, nullptr);
  }

  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    RETURN_IF_ERROR(CheckIndexKey(key));
    KeyVersion version;
    std::optional<std::string> value = table_->Get(key, writes_, &version);
    NoteGuard(key, guard, version);
    return value;
  }

  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    return table_->GetMany(keys, writes_, nullptr);
  }

  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    for (const std::string& key : keys) RETURN_IF_ERROR(CheckIndexKey(key));
    std::vector<KeyVersion> versions;
    OptionalValues values = table_->GetMany(keys, writes_, &versions);
    for (size_t i = 0; i < keys.size(); ++i) NoteGuard(keys[i], guard, versions[i]);
    return values;
  }

  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return table_->Scan(range, limit, writes_);
  }

  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    RETURN_IF_ERROR(CheckBatchSize(ranges.size()));
    return table_->FirstOfEach(ranges, writes_);
  }

  absl::Status Put(std::string_view key, std::string_view value) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, value));
    writes_.insert_or_assign(std::string(key), std::string(value));
    return absl::OkStatus();
  }

  absl::Status Delete(std::string_view key) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, {}));
    writes_.insert_or_assign(std::string(key), Erase());
    return absl::OkStatus();
  }

  absl::Status Add(std::string_view key, int64_t delta) override {
    RETURN_IF_ERROR(limits_.CountWrite(key, EncodeCounter(delta)));
    const auto [write, inserted] = writes_.try_emplace(std::string(key), Increase{delta});
    if (inserted) return absl::OkStatus();
    if (auto* increase = std::get_if<Increase>(&write->second)) {
      increase->delta = AddCounters(increase->delta, delta);
    } else {
      const auto* value = std::get_if<std::string>(&write->second);
      const int64_t base = value == nullptr ? 0 : DecodeCounter(*value);
      write->second = EncodeCounter(AddCounters(base, delta));
    }
    return absl::OkStatus();
  }

  bool has_writes() const override { return !writes_.empty(); }

  absl::StatusOr<CommitOutcome> Commit(Durability /*durability*/) override {
    CheckInvariant(!committed_, "a transaction commits once");
    committed_ = true;
    RETURN_IF_ERROR(limits_.status());
    return table_->Commit(guards_, writes_) ? CommitOutcome::kDone : CommitOutcome::kConflict;
  }

  // Looks at the guards as they are now: an error that a function made of readings which no longer
  // belong together is no answer.
  bool conflicted() const override { return !table_->Holds(guards_); }

 private:
  // The first reading counts: what was decided on it must still hold at commit.
  void NoteGuard(std::string_view key, Guard guard, const KeyVersion& version) {
    const auto [guarded, inserted] = guards_.try_emplace(std::string(key));
    if (inserted) guarded->second.seen = version;
    if (guard == Guard::kExclusive) guarded->second.guard = guard;
  }

  MemoryTable* const table_;
  GuardedKeys guards_;
  PendingWrites writes_;
  TransactionLimits limits_;
  bool committed_ = false;
};

class MemoryIndex : public Index {
 public:
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<MemoryTransaction>(&table_);
  }
  bool may_lose_outcomes() const override { return false; }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return table_.Get(key, {}, nullptr);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    RETURN_IF_ERROR(CheckBatchSize(keys.size()));
    return table_.GetMany(keys, {}, nullptr);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return table_.Scan(range, limit, {});
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    RETURN_IF_ERROR(CheckBatchSize(ranges.size()));
    return table_.FirstOfEach(ranges, {});
  }

 private:
  MemoryTable table_;
};

}  // namespace

std::unique_ptr<Index> NewMemoryIndex() { return std::make_unique<MemoryIndex>(); }

}  // namespace varve
