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
#include "tests/support/forwarding_index.h"

namespace varve {

// Answers once, for the next commit that writes a key that starts with `prefix`, in its place.
// `commit` is the commit itself, which `answer` calls or not.
struct Script {
  using Commit = std::function<absl::StatusOr<CommitOutcome>()>;
  std::string prefix;
  std::function<absl::StatusOr<CommitOutcome>(const Commit& commit)> answer;
};

class ScriptedTransaction final : public ForwardingTransaction {
 public:
  ScriptedTransaction(std::unique_ptr<Transaction> base, Script* script)
      : ForwardingTransaction(std::move(base)), script_(script) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    Note(key);
    return base().Put(key, value);
  }
  absl::Status Delete(std::string_view key) override {
    Note(key);
    return base().Delete(key);
  }
  absl::StatusOr<CommitOutcome> Commit(Durability durability) override {
    const Script::Commit commit = [this, durability] { return base().Commit(durability); };
    if (!due_ || script_->answer == nullptr) return commit();
    return std::exchange(script_->answer, nullptr)(commit);
  }

 private:
  void Note(std::string_view key) {
    due_ = due_ || key.substr(0, script_->prefix.size()) == script_->prefix;
  }

  Script* const script_;
  bool due_ = false;
};

class ScriptedIndex final : public ForwardingIndex {
 public:
  ScriptedIndex(Index& base, Script* script) : ForwardingIndex(base), script_(script) {}
  bool may_lose_outcomes() const override { return true; }  // a script may say so
  std::unique_ptr<Transaction> Begin() override {
    return std::make_unique<ScriptedTransaction>(base().Begin(), script_);
  }

 private:
  Script* const script_;
};

}  // namespace varve

#endif  // VARVE_TESTS_SUPPORT_SCRIPTED_INDEX_H_
