// What index engines promise to transactions that meet: guards, conflicts, counters.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <thread>

#include "storage/base/status.h"
#include "storage/index/counter.h"
#include "tests/contract/index_under_test.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using IndexRaces = IndexTest;
INSTANTIATE_TEST_SUITE_P(Engines, IndexRaces,
                         testing::Values(Engine::kRocksdb, Engine::kMemory, Engine::kFlaky),
                         EngineName);

using IndexMeetings = IndexTest;
INSTANTIATE_TEST_SUITE_P(Engines, IndexMeetings, testing::Values(Engine::kRocksdb, Engine::kMemory),
                         EngineName);

void InThreads(int threads, const std::function<void(int)>& body) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back(body, i);
  for (std::thread& thread : running) thread.join();
}

// One side of an interleaving, driven step by step by one thread. A locking engine stops it at a
// step (after its wait), an optimistic one at commit; either way it must not be done.
class Side {
 public:
  explicit Side(Index& index) : transaction_(index.Begin()) {}

  std::string Guarded(const std::string& key, Guard guard) {
    const auto value = transaction_->GetForUpdate(key, guard);
    return value.ok() ? value->value_or("(absent)") : "(conflict)";
  }
  std::vector<std::string> AllGuarded(const std::vector<std::string>& keys, Guard guard) {
    const auto values = transaction_->GetManyForUpdate(keys, guard);
    if (!values.ok()) return {"(conflict)"};
    std::vector<std::string> shown;
    for (const auto& value : *values) shown.push_back(value.value_or("(absent)"));
    return shown;
  }
  void Put(const std::string& key, const std::string& value) {
    Note(transaction_->Put(key, value));
  }
  void Delete(const std::string& key) { Note(transaction_->Delete(key)); }
  size_t Count(const KeyRange& range) {
    const auto rows = transaction_->Scan(range, 100);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? rows->size() : 0;
  }
  // Commits, or rolls back after a conflict; the locks are gone afterwards.
  bool Done() {
    bool done = false;
    if (!transaction_->conflicted()) {
      const auto outcome = transaction_->Commit(Durability::kSynced);
      EXPECT_TRUE(outcome.ok()) << outcome.status();
      done = outcome.ok() && *outcome == CommitOutcome::kDone;
    }
    transaction_.reset();
    return done;
  }

 private:
  void Note(const absl::Status& status) {
    EXPECT_TRUE(status.ok() || transaction_->conflicted()) << status;
  }
  std::unique_ptr<Transaction> transaction_;
};

TEST_P(IndexMeetings, NoUpdateIsLost) {
  Put("k", "0");
  Side one(*index_);
  Side two(*index_);
  EXPECT_EQ(one.Guarded("k", Guard::kExclusive), "0");
  two.Guarded("k", Guard::kExclusive);
  one.Put("k", "one");
  EXPECT_TRUE(one.Done());
  two.Put("k", "two");
  EXPECT_FALSE(two.Done());
  EXPECT_EQ(Value("k"), "one");
}

TEST_P(IndexMeetings, OnlyOneCreatesAnAbsentRow) {
  Side one(*index_);
  Side two(*index_);
  EXPECT_EQ(one.Guarded("k", Guard::kExclusive), "(absent)");
  two.Guarded("k", Guard::kExclusive);
  one.Put("k", "one");
  EXPECT_TRUE(one.Done());
  two.Put("k", "two");
  EXPECT_FALSE(two.Done());
  EXPECT_EQ(Value("k"), "one");
}

TEST_P(IndexMeetings, NoWriteSkewOverAbsentRows) {
  Side one(*index_);
  Side two(*index_);
  EXPECT_EQ(one.Guarded("a", Guard::kShared), "(absent)");
  EXPECT_EQ(two.Guarded("b", Guard::kShared), "(absent)");
  one.Put("b", "one saw no a");
  const bool one_done = one.Done();
  two.Put("a", "two saw no b");
  EXPECT_NE(one_done, two.Done());
  EXPECT_THAT(Keys({"", ""}), SizeIs(1));
}

TEST_P(IndexMeetings, ASharedGuardStopsALaterExclusiveOne) {
  Put("blob", "");
  Side adder(*index_);
  Side reclaimer(*index_);
  EXPECT_EQ(adder.Guarded("blob", Guard::kShared), "");
  reclaimer.Guarded("blob", Guard::kExclusive);
  EXPECT_EQ(reclaimer.Count(PrefixRange("edge/")), 0u);
  adder.Put("edge/1", "");
  EXPECT_TRUE(adder.Done());
  reclaimer.Delete("blob");
  EXPECT_FALSE(reclaimer.Done());
  EXPECT_THAT(Keys({"", ""}), ElementsAre("blob", "edge/1"));
}

// A removal, for which clients may wait, gives up on a guard that others keep; it does not try on
// and on.
TEST_P(IndexMeetings, ShortPatienceGivesUpOnAGuardThatIsKept) {
  Side keeper(*index_);
  keeper.Guarded("row", Guard::kShared);
  int runs = 0;
  const absl::Status status = index_->Run(
      [&](Transaction& txn) -> absl::Status {
        ++runs;
        const auto value = txn.GetForUpdate("row", Guard::kExclusive);
        if (!value.ok()) return value.status();
        return txn.Put("row", "removed");
      },
      Durability::kBuffered, Patience::kShort);
  // An optimistic engine stops the keeper instead.
  EXPECT_NE(status.ok(), keeper.Done()) << status;
  if (!status.ok()) EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LE(runs, 2);
}

TEST_P(IndexMeetings, AnExclusiveGuardStopsALaterSharedOne) {
  Put("blob", "");
  Side reclaimer(*index_);
  Side adder(*index_);
  EXPECT_EQ(reclaimer.Guarded("blob", Guard::kExclusive), "");
  adder.Guarded("blob", Guard::kShared);
  reclaimer.Delete("blob");
  EXPECT_TRUE(reclaimer.Done());
  adder.Put("edge/1", "");
  EXPECT_FALSE(adder.Done());
  EXPECT_THAT(Keys({"", ""}), IsEmpty());
}

TEST_P(IndexMeetings, ExclusiveGuardsExcludeThoughTheirRowIsNotWritten) {
  // "This range is empty" is guarded by a row that every inserter guards.
  Side one(*index_);
  Side two(*index_);
  one.Guarded("guard", Guard::kExclusive);
  two.Guarded("guard", Guard::kExclusive);
  EXPECT_EQ(one.Count(PrefixRange("lease/")), 0u);
  EXPECT_EQ(two.Count(PrefixRange("lease/")), 0u);
  one.Put("lease/1", "");
  EXPECT_TRUE(one.Done());
  two.Put("lease/2", "");
  EXPECT_FALSE(two.Done());
  EXPECT_THAT(Keys(PrefixRange("lease/")), ElementsAre("lease/1"));
}

TEST_P(IndexMeetings, AWriteWithoutGuardStopsAGuardedReader) {
  Put("k", "0");
  Side reader(*index_);
  EXPECT_EQ(reader.Guarded("k", Guard::kShared), "0");
  Side writer(*index_);
  writer.Put("k", "1");
  const bool written = writer.Done();
  reader.Put("decided on k", "0");
  EXPECT_NE(written, reader.Done());
}

TEST_P(IndexMeetings, AGuardWithoutAnyWriteStopsNobodyAfterwards) {
  Put("k", "0");
  Side reader(*index_);
  EXPECT_EQ(reader.Guarded("k", Guard::kExclusive), "0");
  EXPECT_TRUE(reader.Done());
  Side writer(*index_);
  EXPECT_EQ(writer.Guarded("k", Guard::kExclusive), "0");
  writer.Put("k", "1");
  EXPECT_TRUE(writer.Done());
}

TEST_P(IndexMeetings, EveryKeyOfABatchIsGuardedShared) {
  for (const std::string& key : {std::string("blob/1"), std::string("blob/absent")}) {
    Put("blob/1", "");
    Side adder(*index_);
    Side reclaimer(*index_);
    EXPECT_THAT(adder.AllGuarded({"blob/absent", "blob/1"}, Guard::kShared),
                ElementsAre("(absent)", ""));
    reclaimer.Guarded(key, Guard::kExclusive);
    adder.Put("edge/1", "");
    EXPECT_TRUE(adder.Done());
    reclaimer.Delete("blob/1");
    EXPECT_FALSE(reclaimer.Done()) << key;
    EXPECT_EQ(Value("blob/1"), "");
  }
}

TEST_P(IndexMeetings, EveryKeyOfABatchIsGuardedExclusively) {
  for (const std::string& key : {std::string("blob/1"), std::string("blob/absent")}) {
    Put("blob/1", "");
    Side reclaimer(*index_);
    Side adder(*index_);
    EXPECT_THAT(reclaimer.AllGuarded({"blob/absent", "blob/1"}, Guard::kExclusive),
                ElementsAre("(absent)", ""));
    adder.Guarded(key, Guard::kShared);
    reclaimer.Delete("blob/1");
    EXPECT_TRUE(reclaimer.Done());
    adder.Put("edge/1", "");
    EXPECT_FALSE(adder.Done()) << key;
    EXPECT_EQ(Value("edge/1"), "(absent)");
  }
}

TEST_P(IndexMeetings, ABatchReadWithoutGuardStopsNobody) {
  Put("k", "0");
  const auto reader = index_->Begin();
  EXPECT_TRUE(reader->GetMany(std::vector<std::string>{"k", "absent"}).ok());
  Put("k", "1");
  ASSERT_TRUE(reader->Put("seen", "").ok());
  const auto outcome = reader->Commit(Durability::kSynced);
  EXPECT_TRUE(outcome.ok() && *outcome == CommitOutcome::kDone);
}

TEST_P(IndexMeetings, BatchesGivenInOppositeOrdersTakeTurns) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 40;
  InThreads(kThreads, [this](int thread) {
    std::vector<std::string> keys = {"a", "b", "c"};
    if (thread % 2 == 1) keys = {"c", "b", "a"};
    for (int i = 0; i < kRounds; ++i) {
      const absl::Status status = index_->Run(
          [&](Transaction& t) -> absl::Status {
            ASSIGN_OR_RETURN(const OptionalValues values,
                             t.GetManyForUpdate(keys, Guard::kExclusive));
            for (size_t k = 0; k < keys.size(); ++k) {
              RETURN_IF_ERROR(
                  t.Put(keys[k], std::to_string(std::stoi(values[k].value_or("0")) + 1)));
            }
            return absl::OkStatus();
          },
          Durability::kBuffered);
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  for (const char* key : {"a", "b", "c"}) EXPECT_EQ(Value(key), std::to_string(kThreads * kRounds));
}

TEST_P(IndexMeetings, ExclusiveGuardsTakeTurns) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 40;
  InThreads(kThreads, [this](int) {
    for (int i = 0; i < kRounds; ++i) {
      const absl::Status status = index_->Run(
          [](Transaction& t) -> absl::Status {
            ASSIGN_OR_RETURN(const auto value, t.GetForUpdate("sum", Guard::kExclusive));
            return t.Put("sum", std::to_string(std::stoi(value.value_or("0")) + 1));
          },
          Durability::kBuffered);
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  EXPECT_EQ(Value("sum"), std::to_string(kThreads * kRounds));
}

TEST_P(IndexMeetings, CountersOfManyThreadsAddUpExactly) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  InThreads(kThreads, [this](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      const auto t = index_->Begin();
      EXPECT_TRUE(t->Add("sum", thread + 1).ok());
      EXPECT_TRUE(t->Put("row/" + std::to_string(thread), std::to_string(i)).ok());
      const auto outcome = t->Commit(Durability::kBuffered);
      EXPECT_TRUE(outcome.ok() && *outcome == CommitOutcome::kDone) << outcome.status();
    }
  });
  EXPECT_EQ(DecodeCounter(Value("sum")), kRounds * kThreads * (kThreads + 1) / 2);
}

TEST_P(IndexRaces, GuardsTakenInOppositeOrdersEnd) {
  constexpr int kRounds = 30;
  InThreads(4, [this](int thread) {
    const std::string first = thread % 2 == 0 ? "a" : "b";
    const std::string second = thread % 2 == 0 ? "b" : "a";
    for (int i = 0; i < kRounds; ++i) {
      const std::string mark = std::to_string(thread) + "/" + std::to_string(i);
      const absl::Status status = index_->Run(
          [&](Transaction& t) -> absl::Status {
            RETURN_IF_ERROR(t.GetForUpdate(first, Guard::kExclusive).status());
            RETURN_IF_ERROR(t.GetForUpdate(second, Guard::kExclusive).status());
            RETURN_IF_ERROR(t.Put(first, mark));
            return t.Put(second, mark);
          },
          Durability::kBuffered);
      EXPECT_TRUE(status.ok()) << status;
    }
  });
  EXPECT_EQ(Value("a"), Value("b"));
}

TEST_P(IndexRaces, OnlyOneOfManyTakesTheEmptyRange) {
  for (int round = 0; round < 10; ++round) {
    const std::string range = "round/" + std::to_string(round) + "/";
    std::atomic<int> winners = 0;
    InThreads(6, [&](int thread) {
      const std::string own = range + std::to_string(thread);
      const absl::Status status = index_->Run([&](Transaction& t) -> absl::Status {
        RETURN_IF_ERROR(t.GetForUpdate("guard", Guard::kExclusive).status());
        ASSIGN_OR_RETURN(const auto rows, t.Scan(PrefixRange(range), 10));
        if (rows.empty()) return t.Put(own, "");
        if (rows.size() == 1 && rows[0].key == own) return absl::OkStatus();  // on its own effect
        return absl::AlreadyExistsError("taken");
      });
      if (status.ok()) ++winners;
      EXPECT_TRUE(status.ok() || absl::IsAlreadyExists(status)) << status;
    });
    EXPECT_EQ(winners, 1);
    EXPECT_THAT(Keys(PrefixRange(range)), SizeIs(1));
  }
}

// The store's own pattern (blobs, edges, reclamation), reduced to its guards.
class Graph {
 public:
  explicit Graph(Index& index) : index_(index) {}

  // Makes the blob when it is not there, and an edge to it.
  absl::Status Attach(const std::string& blob, const std::string& source) {
    return index_.Run(
        [&](Transaction& t) -> absl::Status {
          ASSIGN_OR_RETURN(auto row, t.GetForUpdate("blob/" + blob, Guard::kShared));
          if (!row.has_value()) {
            ASSIGN_OR_RETURN(row, t.GetForUpdate("blob/" + blob, Guard::kExclusive));
            if (!row.has_value()) RETURN_IF_ERROR(t.Put("blob/" + blob, ""));
          }
          return t.Put("edge/" + blob + "/" + source, "");
        },
        Durability::kBuffered);
  }
  absl::Status Detach(const std::string& blob, const std::string& source) {
    return index_.Run(
        [&](Transaction& t) -> absl::Status {
          RETURN_IF_ERROR(t.GetForUpdate("blob/" + blob, Guard::kShared).status());
          return t.Delete("edge/" + blob + "/" + source);
        },
        Durability::kBuffered);
  }
  absl::Status Collect(const std::string& blob) {
    return index_.Run(
        [&](Transaction& t) -> absl::Status {
          RETURN_IF_ERROR(t.GetForUpdate("blob/" + blob, Guard::kExclusive).status());
          ASSIGN_OR_RETURN(const auto edges, t.Scan(PrefixRange("edge/" + blob + "/"), 1));
          return edges.empty() ? t.Delete("blob/" + blob) : absl::OkStatus();
        },
        Durability::kBuffered);
  }

 private:
  Index& index_;
};

TEST_P(IndexRaces, ACollectedBlobNeverHasAnEdge) {
  constexpr int kBlobs = 3;
  constexpr int kSources = 4;
  constexpr int kRounds = 60;
  Graph graph(*index_);
  std::atomic<int> running = kSources;
  InThreads(kSources + 2, [&](int thread) {
    if (thread >= kSources) {  // collectors, until the sources are through
      for (int i = thread; running > 0; ++i) {
        EXPECT_TRUE(graph.Collect(std::to_string(i % kBlobs)).ok());
      }
      return;
    }
    const std::string source = std::to_string(thread);
    for (int i = 0; i < kRounds; ++i) {
      const std::string blob = std::to_string((thread + i) % kBlobs);
      const absl::Status attached = graph.Attach(blob, source);
      EXPECT_TRUE(attached.ok()) << attached;
      // Only this thread removes its edge, so the blob must be there as long as it does not.
      EXPECT_EQ(Value("blob/" + blob), "");
      if (i % 5 == 4) continue;  // some edges stay
      const absl::Status detached = graph.Detach(blob, source);
      EXPECT_TRUE(detached.ok()) << detached;
    }
    --running;
  });
  // Of each source, the edge of its last round, which it kept.
  const std::vector<std::string> edges = Keys(PrefixRange("edge/"));
  EXPECT_THAT(edges, SizeIs(kSources));
  for (const std::string& edge : edges) EXPECT_EQ(Value("blob/" + edge.substr(5, 1)), "");
}

}  // namespace
}  // namespace varve
