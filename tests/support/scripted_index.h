// An index whose next commit of a certain kind ends as the test says: applied or not, and with any
// answer. Owned by the test; what the script does runs in the thread of that commit.
#ifndef VARVE_TESTS_SUPPORT_SCRIPTED_INDEX_H_
#define VARVE_TESTS_SUPPORT_SCRIPTED_INDEX_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/index/index.h"

namespace varve {

// Answers once, for the next commit that writes a key that starts with `prefix`, in its place.
// `commit` is the commit itself, which `answer` calls or not.
struct Script {
  using Commit = std::function<absl::StatusOr<CommitOutcome>()>;
  std::string prefix;
  std::function<absl::StatusOr<CommitOutcome>(const Commit& commit)> answer;
};

class ScriptedTransaction final : public Transaction {
 public:
  ScriptedTransaction(std::unique_ptr<Transaction> base, Script* script)
      : base_(std::move(base)), script_(script) {}

  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_->Get(key);
  }
  absl::StatusOr<std::optional<std::string>> GetForUpdate(std::string_view key,
                                                          Guard guard) override {
    return base_->GetForUpdate(key, guard);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_->GetMany(keys);
  }
  absl::StatusOr<OptionalValues> GetManyForUpdate(absl::Span<const std::string> keys,
                                                  Guard guard) override {
    return base_->GetManyForUpdate(keys, guard);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_->Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_->FirstOfEach(ranges);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    Note(key);
    return base_->Put(key, value);
  }
  absl::Status Delete(std::string_view key) override {
    Note(key);
    return base_->Delete(key);
  }
  absl::Status Add(std::string_view key, int64_t delta) override { return base_->Add(key, delta); }
  bool has_writes() const override { return base_->has_writes(); }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    const Script::Commit commit = [this, durability] { return base_->Commit(durability); };
    if (!due_ || script_->answer == nullptr) return commit();
    return std::exchange(script_->answer, nullptr)(commit);
  }
  bool conflicted() const override { return base_->conflicted(); }

 private:
  void Note(std::string_view key) {
    due_ = due_ || key.substr(0, script_->prefix.size()) == script_->prefix;
  }

  const std::unique_ptr<Transaction> base_;
  Script* const script_;
  bool due_ = false;
};

class ScriptedIndex final : public Index {
 public:
  ScriptedIndex(Index& base, Script* script) : base_(base), script_(script) {}
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<ScriptedTransaction>(base_.Begin(), script_);
  }
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) override {
    return base_.Get(key);
  }
  absl::StatusOr<OptionalValues> GetMany(absl::Span<const std::string> keys) override {
    return base_.GetMany(keys);
  }
  absl::StatusOr<std::vector<KeyValue>> Scan(const KeyRange& range, size_t limit) override {
    return base_.Scan(range, limit);
  }
  absl::StatusOr<FirstRows> FirstOfEach(absl::Span<const KeyRange> ranges) override {
    return base_.FirstOfEach(ranges);
  }

 private:
  Index& base_;
  Script* const script_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_SCRIPTED_INDEX_H_
