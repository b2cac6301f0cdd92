#include "storage/index/index.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/index/transaction_limits.h"
#include "storage/limits.h"

namespace varve {
namespace {

// 7 doublings reach the longest delay; 50 tries then last about half a second of sleep (the mean of
// the jitter is 3/4), besides what an engine itself waits for a guard.
constexpr int kMaxTries = 50;
constexpr std::chrono::nanoseconds kFirstDelay = std::chrono::microseconds(200);
constexpr std::chrono::nanoseconds kLongestDelay = std::chrono::milliseconds(20);
// Two waits for a guard (kGuardWaitMillis of rocksdb_index.cc) are a second.
constexpr std::chrono::nanoseconds kShortPatience = std::chrono::milliseconds(500);
constexpr int kShortTries = 2;

// Sleeps between half and all of the delay of `attempt` (0, 1, …), so that transactions that met
// once do not meet again in step.
void BackOff(int attempt) {
  const auto delay = std::min(kFirstDelay * (1 << std::min(attempt, 10)), kLongestDelay);
  const auto half = static_cast<uint64_t>(delay.count() / 2);
  const uint64_t jitter = SystemRandom().Next() % (half + 1);
  std::this_thread::sleep_for(std::chrono::nanoseconds(half + jitter));
}

}  // namespace

absl::Status CheckIndexKey(std::string_view key) {
  if (key.size() <= kMaxIndexKeyBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("an index key has ", key.size(), " bytes; the limit is ", kMaxIndexKeyBytes));
}

absl::Status CheckBatchSize(size_t reads) {
  if (reads <= kMaxBatchReads) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("a batch read of the index has ", reads,
                                           " keys or ranges; the limit is ", kMaxBatchReads,
                                           "; do the work in pages"));
}

absl::Status TransactionLimits::CountWrite(std::string_view key, std::string_view value) {
  if (!status_.ok()) return status_;
  const size_t bytes = key.size() + value.size();
  status_ = CheckIndexKey(key);
  if (!status_.ok()) return status_;
  if (value.size() > kMaxIndexValueBytes) {
    status_ = absl::InvalidArgumentError(
        StrCat("an index value has ", value.size(), " bytes; the limit is ", kMaxIndexValueBytes));
  } else if (operations_ == kMaxTransactionOperations) {
    status_ = absl::InvalidArgumentError(StrCat("an index transaction has more than ",
                                                kMaxTransactionOperations,
                                                " writes; do the work in pages"));
  } else if (bytes_ + bytes > kMaxTransactionBytes) {
    status_ =
        absl::InvalidArgumentError(StrCat("an index transaction writes more than ",
                                          kMaxTransactionBytes, " bytes; do the work in pages"));
  }
  if (!status_.ok()) return status_;
  ++operations_;
  bytes_ += bytes;
  return status_;
}

absl::Status Index::Run(const std::function<absl::Status(Transaction&)>& fn, Durability durability,
                        Patience patience) {
  const auto began = std::chrono::steady_clock::now();
  std::optional<CommitSlots::Slot> slot;  // once something is written
  CommitSlots::Token token;
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    if (patience == Patience::kShort && attempt >= kShortTries &&
        std::chrono::steady_clock::now() - began >= kShortPatience) {
      break;
    }
    if (attempt > 0) BackOff(attempt - 1);
    std::unique_ptr<Transaction> transaction = Begin();
    const absl::Status status = fn(*transaction);
    if (transaction->conflicted()) continue;
    RETURN_IF_ERROR(status);
    if (may_lose_outcomes() && transaction->has_writes()) {
      if (!slot) slot.emplace(slots_);
      token = slot->NewToken();
      RETURN_IF_ERROR(transaction->Put(token.key, token.value));
    }
    ASSIGN_OR_RETURN(const CommitOutcome outcome, transaction->Commit(durability));
    if (outcome == CommitOutcome::kDone) return absl::OkStatus();
    if (outcome == CommitOutcome::kConflict) continue;
    CheckInvariant(may_lose_outcomes(), "only an engine that says so loses an outcome");
    transaction.reset();  // lets go of its guards
    ASSIGN_OR_RETURN(const bool committed, WasCommitted(token));
    if (committed) return absl::OkStatus();
  }
  return absl::UnavailableError(
      "the change kept colliding with others on the same rows and was not made; repeat the "
      "request");
}

absl::StatusOr<bool> Index::WasCommitted(const CommitSlots::Token& token) {
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    if (attempt > 0) BackOff(attempt - 1);
    const std::unique_ptr<Transaction> look = Begin();
    // Guarded, so that an engine which still works on the commit ends it first.
    const absl::StatusOr<std::optional<std::string>> found =
        look->GetForUpdate(token.key, Guard::kExclusive);
    if (look->conflicted()) continue;
    RETURN_IF_ERROR(found.status());
    return *found == token.value;
  }
  return absl::UnavailableError(
      "the index cannot say whether the change was written; repeat the request");
}

}  // namespace varve
