// What every index engine promises (storage/index/index.h), one thread at a time.
#include <gmock/gmock.h>

#include "storage/base/status.h"
#include "storage/index/counter.h"
#include "storage/limits.h"
#include "tests/contract/index_under_test.h"
#include "tests/support/stepped_index.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using IndexContract = IndexTest;
INSTANTIATE_TEST_SUITE_P(Engines, IndexContract,
                         testing::Values(Engine::kRocksdb, Engine::kMemory, Engine::kFlaky),
                         EngineName);

// Of engines whose single steps the test looks at: a flaky one may conflict at any of them.
using IndexSteps = IndexTest;
INSTANTIATE_TEST_SUITE_P(Engines, IndexSteps, testing::Values(Engine::kRocksdb, Engine::kMemory),
                         EngineName);

std::string OrAbsent(const absl::StatusOr<std::optional<std::string>>& value) {
  return value.ok() ? value->value_or("(absent)") : value.status().ToString();
}

// The values of a batch read, as OrAbsent shows them.
std::vector<std::string> OrAbsent(const absl::StatusOr<OptionalValues>& values) {
  if (!values.ok()) return {values.status().ToString()};
  std::vector<std::string> shown;
  for (const std::optional<std::string>& value : *values) {
    shown.push_back(value.value_or("(absent)"));
  }
  return shown;
}

bool CommitsAs(Transaction& transaction, CommitOutcome expected) {
  const auto outcome = transaction.Commit(Durability::kSynced);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.ok() && *outcome == expected;
}

TEST(PrefixRangeTest, EndsBeforeTheSuccessorOfThePrefix) {
  EXPECT_EQ(PrefixRange("ab").begin, "ab");
  EXPECT_EQ(PrefixRange("ab").end, "ac");
  EXPECT_EQ(PrefixRange("a\xff\xff").end, "b");
  EXPECT_EQ(PrefixRange("\x7f").end, "\x80");
  EXPECT_EQ(PrefixRange("\xff\xff").end, "");
  EXPECT_EQ(PrefixRange("").begin, "");
  EXPECT_EQ(PrefixRange("").end, "");
}

TEST(PrefixRangeTest, BeginsAfterTheNamedKey) {
  const KeyRange range = PrefixRange("t|", "b");
  EXPECT_EQ(range.begin, std::string("t|b\0", 4));
  EXPECT_EQ(range.end, "t}");
}

TEST_P(IndexContract, ReadsWhatWasCommitted) {
  EXPECT_EQ(Value("k"), "(absent)");
  Put("k", "1");
  EXPECT_EQ(Value("k"), "1");
  Put("k", "");
  EXPECT_EQ(Value("k"), "");
  ASSERT_TRUE(index_->Run([](Transaction& t) { return t.Delete("k"); }).ok());
  EXPECT_EQ(Value("k"), "(absent)");
  EXPECT_TRUE(index_->Run([](Transaction& t) { return t.Delete("k"); }).ok());
}

TEST_P(IndexContract, KeepsAnyBytes) {
  const std::string key("\0i\xff\n", 4);
  const std::string value("\0\xff\0", 3);
  Put(key, value);
  EXPECT_EQ(Value(key), value);
  EXPECT_THAT(Keys({"", ""}), ElementsAre(key));
}

TEST_P(IndexContract, GetSeesOwnWrites) {
  Put("kept", "old");
  Put("gone", "old");
  const absl::Status status = index_->Run([](Transaction& t) -> absl::Status {
    RETURN_IF_ERROR(t.Put("kept", "new"));
    RETURN_IF_ERROR(t.Delete("gone"));
    RETURN_IF_ERROR(t.Put("made", "1"));
    EXPECT_EQ(OrAbsent(t.Get("kept")), "new");
    EXPECT_EQ(OrAbsent(t.Get("gone")), "(absent)");
    EXPECT_EQ(OrAbsent(t.Get("made")), "1");
    RETURN_IF_ERROR(t.Delete("made"));
    EXPECT_EQ(OrAbsent(t.Get("made")), "(absent)");
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Keys({"", ""}), ElementsAre("kept"));
}

TEST_P(IndexSteps, GetForUpdateSeesOwnWrites) {
  Put("k", "old");
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Put("k", "new").ok());
  EXPECT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kExclusive)), "new");
  ASSERT_TRUE(t->Delete("k").ok());
  EXPECT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kShared)), "(absent)");
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
}

TEST_P(IndexContract, GetManyAnswersInTheOrderOfTheKeys) {
  Put("b", "2");
  Put("a", "1");
  Put("i/inline", std::string(5000, 'x'));
  Put("z", "");
  const std::vector<std::string> keys = {"z", "i/absent", "a", "never", "i/inline", "b", "a"};
  EXPECT_THAT(OrAbsent(index_->GetMany(keys)),
              ElementsAre("", "(absent)", "1", "(absent)", std::string(5000, 'x'), "2", "1"));
  EXPECT_THAT(OrAbsent(index_->GetMany({})), IsEmpty());
}

TEST_P(IndexSteps, GetManySeesOwnWrites) {
  for (const char* key : {"kept", "replaced", "deleted", "i/deleted"}) Put(key, "committed");
  Put("n", EncodeCounter(10));
  const std::vector<std::string> keys = {"n",    "deleted", "replaced", "i/deleted", "kept",
                                         "made", "absent",  "i/made",   "fresh"};
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Put("replaced", "own").ok());
  ASSERT_TRUE(t->Put("made", "own").ok());
  ASSERT_TRUE(t->Put("i/made", "own").ok());
  ASSERT_TRUE(t->Delete("deleted").ok());
  ASSERT_TRUE(t->Delete("i/deleted").ok());
  ASSERT_TRUE(t->Add("n", 1).ok());
  ASSERT_TRUE(t->Add("fresh", -2).ok());
  const auto expected = ElementsAre(EncodeCounter(11), "(absent)", "own", "(absent)", "committed",
                                    "own", "(absent)", "own", EncodeCounter(-2));
  EXPECT_THAT(OrAbsent(t->GetMany(keys)), expected);
  EXPECT_THAT(OrAbsent(t->GetManyForUpdate(keys, Guard::kShared)), expected);
  EXPECT_THAT(OrAbsent(index_->GetMany(std::vector<std::string>{"replaced", "made", "n"})),
              ElementsAre("committed", "(absent)", EncodeCounter(10)));
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
}

TEST_P(IndexSteps, GetManySeesTheLatestCommitNotASnapshot) {
  const std::vector<std::string> keys = {"a", "b"};
  const auto t = index_->Begin();
  EXPECT_THAT(OrAbsent(t->GetMany(keys)), ElementsAre("(absent)", "(absent)"));
  Put("b", "2");
  EXPECT_THAT(OrAbsent(t->GetMany(keys)), ElementsAre("(absent)", "2"));
  EXPECT_THAT(OrAbsent(t->GetManyForUpdate(keys, Guard::kExclusive)), ElementsAre("(absent)", "2"));
}

TEST_P(IndexSteps, GetManyForUpdateSharesItsGuards) {
  Put("base", "layer");
  const std::vector<std::string> keys = {"base", "absent"};
  const auto one = index_->Begin();
  const auto two = index_->Begin();
  ASSERT_THAT(OrAbsent(one->GetManyForUpdate(keys, Guard::kShared)),
              ElementsAre("layer", "(absent)"));
  ASSERT_THAT(OrAbsent(two->GetManyForUpdate(keys, Guard::kShared)),
              ElementsAre("layer", "(absent)"));
  ASSERT_TRUE(one->Put("edge/1", "").ok());
  ASSERT_TRUE(two->Put("edge/2", "").ok());
  EXPECT_TRUE(CommitsAs(*one, CommitOutcome::kDone));
  EXPECT_TRUE(CommitsAs(*two, CommitOutcome::kDone));
}

// The first rows of ranges as "key=value".
std::vector<std::string> Shown(const absl::StatusOr<FirstRows>& rows) {
  if (!rows.ok()) return {rows.status().ToString()};
  std::vector<std::string> shown;
  for (const std::optional<KeyValue>& row : *rows) {
    shown.push_back(row.has_value() ? row->key + "=" + row->value : "(empty)");
  }
  return shown;
}

TEST_P(IndexContract, FirstOfEachAnswersInTheOrderOfTheRanges) {
  for (const char* key : {"a/1", "a/2", "c/1", "i/7", "z"}) Put(key, "v");
  const std::vector<KeyRange> ranges = {
      PrefixRange("c/"),      PrefixRange("b/"), PrefixRange("i/"), PrefixRange("a/"),
      PrefixRange("a/", "1"), {"d", ""},         {"z", "a"}};
  EXPECT_THAT(Shown(index_->FirstOfEach(ranges)),
              ElementsAre("c/1=v", "(empty)", "i/7=v", "a/1=v", "a/2=v", "i/7=v", "(empty)"));
  EXPECT_THAT(Shown(index_->FirstOfEach({})), IsEmpty());
}

TEST_P(IndexSteps, FirstOfEachSeesOwnWrites) {
  for (const char* key : {"a/1", "a/2", "b/1"}) Put(key, "committed");
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Delete("a/1").ok());
  ASSERT_TRUE(t->Delete("b/1").ok());
  ASSERT_TRUE(t->Put("c/1", "own").ok());
  const std::vector<KeyRange> ranges = {PrefixRange("a/"), PrefixRange("b/"), PrefixRange("c/")};
  EXPECT_THAT(Shown(t->FirstOfEach(ranges)), ElementsAre("a/2=committed", "(empty)", "c/1=own"));
  EXPECT_THAT(Shown(index_->FirstOfEach(ranges)),
              ElementsAre("a/1=committed", "b/1=committed", "(empty)"));
}

TEST_P(IndexContract, BatchReadsTakeAsManyKeysAsTheLimit) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < kMaxBatchReads; ++i) {
    // In both families of an engine that has some, and in no order.
    keys.push_back((i % 2 == 0 ? "i/" : "k/") + std::to_string(i * 7919 % kMaxBatchReads));
  }
  const absl::Status written = index_->Run([&](Transaction& t) -> absl::Status {
    for (size_t i = 0; i < keys.size(); i += 3) RETURN_IF_ERROR(t.Put(keys[i], keys[i]));
    return absl::OkStatus();
  });
  ASSERT_TRUE(written.ok()) << written;
  std::vector<std::string> expected;
  for (size_t i = 0; i < keys.size(); ++i) expected.push_back(i % 3 == 0 ? keys[i] : "(absent)");
  EXPECT_EQ(OrAbsent(index_->GetMany(keys)), expected);
  const absl::Status guarded = index_->Run([&](Transaction& t) -> absl::Status {
    EXPECT_EQ(OrAbsent(t.GetMany(keys)), expected);
    ASSIGN_OR_RETURN(const OptionalValues values, t.GetManyForUpdate(keys, Guard::kExclusive));
    EXPECT_EQ(OrAbsent(values), expected);
    return absl::OkStatus();
  });
  EXPECT_TRUE(guarded.ok()) << guarded;

  keys.push_back("one more");
  const auto refused = [](const absl::StatusOr<OptionalValues>& values) {
    return absl::IsInvalidArgument(values.status());
  };
  EXPECT_TRUE(refused(index_->GetMany(keys)));
  EXPECT_TRUE(refused(index_->Begin()->GetMany(keys)));
  const std::vector<KeyRange> ranges(kMaxBatchReads + 1, PrefixRange("k/"));
  EXPECT_TRUE(absl::IsInvalidArgument(index_->FirstOfEach(ranges).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(index_->Begin()->FirstOfEach(ranges).status()));
}

TEST_P(IndexSteps, BatchReadsForUpdateRefuseWhatIsTooMuch) {
  const auto t = index_->Begin();
  const std::vector<std::string> many(kMaxBatchReads + 1, "k");
  EXPECT_TRUE(absl::IsInvalidArgument(t->GetManyForUpdate(many, Guard::kShared).status()));
  const std::vector<std::string> keys = {"k", std::string(kMaxIndexKeyBytes + 1, 'k')};
  EXPECT_TRUE(absl::IsInvalidArgument(t->GetManyForUpdate(keys, Guard::kShared).status()));
}

// Not idempotent: run on top of its own effect, it would count twice.
TEST_P(IndexContract, RunTakesEffectOnce) {
  Put("n", "0");
  constexpr int kTimes = 200;
  for (int i = 0; i < kTimes; ++i) {
    int seen = -1;
    const absl::Status status = index_->Run([&](Transaction& t) -> absl::Status {
      ASSIGN_OR_RETURN(const auto value, t.GetForUpdate("n", Guard::kExclusive));
      seen = std::stoi(value.value());
      RETURN_IF_ERROR(t.Add("added", 1));
      return t.Put("n", std::to_string(seen + 1));
    });
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(seen, i);  // by the call that took effect
  }
  EXPECT_EQ(Value("n"), std::to_string(kTimes));
  EXPECT_EQ(Value("added"), EncodeCounter(kTimes));
}

TEST_P(IndexContract, RunThatWritesNothingLeavesNothing) {
  ASSERT_TRUE(index_->Run([](Transaction& t) { return t.Get("k").status(); }).ok());
  EXPECT_EQ(Tokens(), 0u);
}

TEST_P(IndexContract, RunLeavesAsManyTokensAsTransactionsRanAtOnce) {
  for (int i = 0; i < 20; ++i) Put("row" + std::to_string(i), "v");
  if (!index_->may_lose_outcomes()) {
    EXPECT_EQ(Tokens(), 0u);
    return;
  }
  EXPECT_EQ(Tokens(), 1u);
  Step step;
  SteppedIndex stepped(*index_, &step);
  const auto put = [](Transaction& t) { return t.Put("row", "v"); };
  for (int i = 0; i < 20; ++i) {
    // While the first commits, and holds the place of its token.
    step = {[&] { EXPECT_TRUE(stepped.Run(put).ok()); }, 0, false};
    const absl::Status status = stepped.Run([](Transaction& t) { return t.Put("around", "v"); });
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_EQ(step.action, nullptr);
  }
  EXPECT_EQ(Tokens(), 2u);
}

TEST_P(IndexContract, ScanMergesOwnWritesInOrder) {
  for (const char* key : {"a", "c", "e", "i1", "i3", "m"}) Put(key, "committed");
  const absl::Status status = index_->Run([](Transaction& t) -> absl::Status {
    RETURN_IF_ERROR(t.Put("b", "own"));
    RETURN_IF_ERROR(t.Put("c", "own"));
    RETURN_IF_ERROR(t.Delete("e"));
    RETURN_IF_ERROR(t.Put("i2", "own"));
    RETURN_IF_ERROR(t.Delete("i3"));
    RETURN_IF_ERROR(t.Put("z", "own"));
    RETURN_IF_ERROR(t.Delete("never"));
    EXPECT_THAT(KeysOf(t.Scan({"", ""}, 100)), ElementsAre("a", "b", "c", "i1", "i2", "m", "z"));
    EXPECT_THAT(KeysOf(t.Scan({"b", "i2"}, 100)), ElementsAre("b", "c", "i1"));
    EXPECT_THAT(KeysOf(t.Scan({"", ""}, 2)), ElementsAre("a", "b"));
    const auto rows = t.Scan({"c", "d"}, 10);
    RETURN_IF_ERROR(rows.status());
    EXPECT_EQ(rows->at(0).value, "own");
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Keys({"", ""}), ElementsAre("a", "b", "c", "i1", "i2", "m", "z"));
}

TEST_P(IndexContract, ScanKeepsOrderLimitAndBounds) {
  for (const char* key : {"\x01", "h\xff", "i", "ia", "i\xff", "j", "k", "\xff", "\xff\xff"}) {
    Put(key, key);
  }
  EXPECT_THAT(Keys({"", ""}),
              ElementsAre("\x01", "h\xff", "i", "ia", "i\xff", "j", "k", "\xff", "\xff\xff"));
  EXPECT_THAT(Keys({"i", "j"}), ElementsAre("i", "ia", "i\xff"));
  EXPECT_THAT(Keys({"ia", "k"}), ElementsAre("ia", "i\xff", "j"));
  EXPECT_THAT(Keys({"k", ""}), ElementsAre("k", "\xff", "\xff\xff"));
  EXPECT_THAT(Keys({"", ""}, 4), ElementsAre("\x01", "h\xff", "i", "ia"));
  EXPECT_THAT(Keys(PrefixRange("\xff")), ElementsAre("\xff", "\xff\xff"));
  EXPECT_THAT(Keys(PrefixRange("i", "a")), ElementsAre("i\xff"));
  EXPECT_THAT(Keys({"", ""}, 0), IsEmpty());
  EXPECT_THAT(Keys({"k", "k"}), IsEmpty());
  EXPECT_THAT(Keys({"z", "a"}), IsEmpty());
}

TEST_P(IndexContract, NothingIsVisibleBeforeCommitNorAfterDestruction) {
  {
    const auto t = index_->Begin();
    ASSERT_TRUE(t->Put("k", "1").ok());
    ASSERT_TRUE(t->Add("n", 1).ok());
    EXPECT_EQ(Value("k"), "(absent)");
    EXPECT_THAT(Keys({"", ""}), IsEmpty());
  }
  EXPECT_EQ(Value("k"), "(absent)");
  EXPECT_EQ(Value("n"), "(absent)");
}

TEST_P(IndexContract, RunRollsBackOnAnErrorAndReturnsIt) {
  const absl::Status status = index_->Run([](Transaction& t) -> absl::Status {
    RETURN_IF_ERROR(t.Put("k", "1"));
    return absl::NotFoundError("no such image");
  });
  EXPECT_EQ(status, absl::NotFoundError("no such image"));
  EXPECT_EQ(Value("k"), "(absent)");
}

TEST_P(IndexSteps, GetSeesTheLatestCommitNotASnapshot) {
  Put("k", "1");
  const auto t = index_->Begin();
  EXPECT_EQ(OrAbsent(t->Get("k")), "1");
  Put("k", "2");
  EXPECT_EQ(OrAbsent(t->Get("k")), "2");
  EXPECT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kExclusive)), "2");
  ASSERT_TRUE(t->Put("k", "3").ok());
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("k"), "3");
}

TEST_P(IndexSteps, SharedGuardsOfOneRowCoexist) {
  Put("base", "layer");
  const auto one = index_->Begin();
  const auto two = index_->Begin();
  ASSERT_EQ(OrAbsent(one->GetForUpdate("base", Guard::kShared)), "layer");
  ASSERT_EQ(OrAbsent(two->GetForUpdate("base", Guard::kShared)), "layer");
  ASSERT_TRUE(one->Put("edge/1", "").ok());
  ASSERT_TRUE(two->Put("edge/2", "").ok());
  EXPECT_TRUE(CommitsAs(*one, CommitOutcome::kDone));
  EXPECT_TRUE(CommitsAs(*two, CommitOutcome::kDone));
  EXPECT_THAT(Keys(PrefixRange("edge/")), ElementsAre("edge/1", "edge/2"));
}

TEST_P(IndexSteps, SharedGuardsOfAnAbsentRowCoexist) {
  const auto one = index_->Begin();
  const auto two = index_->Begin();
  ASSERT_EQ(OrAbsent(one->GetForUpdate("absent", Guard::kShared)), "(absent)");
  ASSERT_EQ(OrAbsent(two->GetForUpdate("absent", Guard::kShared)), "(absent)");
  ASSERT_TRUE(one->Put("a", "").ok());
  ASSERT_TRUE(two->Put("b", "").ok());
  EXPECT_TRUE(CommitsAs(*one, CommitOutcome::kDone));
  EXPECT_TRUE(CommitsAs(*two, CommitOutcome::kDone));
}

TEST_P(IndexSteps, AGuardCanBeRaisedByItsOnlyHolder) {
  Put("k", "1");
  const auto t = index_->Begin();
  ASSERT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kShared)), "1");
  ASSERT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kExclusive)), "1");
  ASSERT_EQ(OrAbsent(t->GetForUpdate("k", Guard::kShared)), "1");
  ASSERT_TRUE(t->Put("k", "2").ok());
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("k"), "2");
}

TEST_P(IndexContract, CountersAddUp) {
  const auto add = [this](int64_t delta) {
    const auto t = index_->Begin();
    EXPECT_TRUE(t->Add("n", delta).ok());
    auto outcome = t->Commit(Durability::kBuffered);
    return outcome.ok() && *outcome == CommitOutcome::kDone;
  };
  if (flaky()) {
    // An unknown commit may have added: the sum is only known on an engine that says what it did.
    EXPECT_TRUE(index_->Run([](Transaction& t) { return t.Add("n", 1); }).ok());
    EXPECT_GE(DecodeCounter(Value("n")), 1);
    return;
  }
  EXPECT_TRUE(add(5));
  EXPECT_EQ(Value("n"), EncodeCounter(5));
  EXPECT_TRUE(add(-7));
  EXPECT_EQ(Value("n"), EncodeCounter(-2));
  EXPECT_EQ(Value("n"), std::string("\xff\xff\xff\xff\xff\xff\xff\xfe", 8));
}

TEST_P(IndexSteps, CountersAreSeenInsideTheirTransaction) {
  Put("n", EncodeCounter(10));
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Add("n", 1).ok());
  ASSERT_TRUE(t->Add("n", 2).ok());
  ASSERT_TRUE(t->Add("new", -4).ok());
  EXPECT_EQ(OrAbsent(t->Get("n")), EncodeCounter(13));
  EXPECT_EQ(OrAbsent(t->Get("new")), EncodeCounter(-4));
  const auto rows = t->Scan({"n", "o"}, 10);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(rows->at(0).value, EncodeCounter(13));
  EXPECT_EQ(rows->at(1).value, EncodeCounter(-4));
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("n"), EncodeCounter(13));
}

TEST_P(IndexSteps, CountersMixWithPutAndDelete) {
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Put("put", EncodeCounter(100)).ok());
  ASSERT_TRUE(t->Add("put", 1).ok());
  ASSERT_TRUE(t->Add("deleted", 1).ok());
  ASSERT_TRUE(t->Delete("deleted").ok());
  ASSERT_TRUE(t->Add("again", 9).ok());
  ASSERT_TRUE(t->Delete("again").ok());
  ASSERT_TRUE(t->Add("again", 2).ok());
  EXPECT_EQ(OrAbsent(t->Get("put")), EncodeCounter(101));
  EXPECT_EQ(OrAbsent(t->Get("deleted")), "(absent)");
  EXPECT_EQ(OrAbsent(t->Get("again")), EncodeCounter(2));
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("put"), EncodeCounter(101));
  EXPECT_EQ(Value("deleted"), "(absent)");
  EXPECT_EQ(Value("again"), EncodeCounter(2));
}

TEST_P(IndexSteps, ACounterOnARowThatIsNoneStartsAtZero) {
  Put("n", "not a counter");
  const auto t = index_->Begin();
  ASSERT_TRUE(t->Add("n", 3).ok());
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("n"), EncodeCounter(3));
}

TEST_P(IndexSteps, AddDoesNotConflictWithGuardsOrOtherAdds) {
  const auto one = index_->Begin();
  const auto two = index_->Begin();
  ASSERT_TRUE(one->Add("n", 1).ok());
  ASSERT_TRUE(two->Add("n", 2).ok());
  EXPECT_TRUE(CommitsAs(*one, CommitOutcome::kDone));
  EXPECT_TRUE(CommitsAs(*two, CommitOutcome::kDone));
  EXPECT_EQ(Value("n"), EncodeCounter(3));
}

TEST_P(IndexSteps, TakesTransactionsUpToTheLimits) {
  const auto t = index_->Begin();
  for (size_t i = 0; i + 2 < kMaxTransactionOperations; ++i) {
    ASSERT_TRUE(t->Put("k" + std::to_string(i), "v").ok());
  }
  ASSERT_TRUE(t->Put(std::string(kMaxIndexKeyBytes, 'k'), "v").ok());
  ASSERT_TRUE(t->Put("i/large", std::string(kMaxIndexValueBytes, 'v')).ok());
  EXPECT_TRUE(CommitsAs(*t, CommitOutcome::kDone));
  EXPECT_EQ(Value("i/large").size(), kMaxIndexValueBytes);
  EXPECT_EQ(Keys({"", ""}, 2000).size(), kMaxTransactionOperations);
}

// The write over a limit is refused, and then the transaction, though it is asked to commit.
void ExpectRefused(Index& index, Transaction& t, const absl::Status& write, const char* reason) {
  EXPECT_EQ(write.code(), absl::StatusCode::kInvalidArgument) << write;
  EXPECT_THAT(std::string(write.message()), HasSubstr(reason));
  const auto outcome = t.Commit(Durability::kSynced);
  EXPECT_EQ(outcome.status().code(), absl::StatusCode::kInvalidArgument) << outcome.status();
  const auto rows = index.Scan({"", ""}, 10);
  ASSERT_TRUE(rows.ok());
  EXPECT_TRUE(rows->empty());
}

TEST_P(IndexSteps, RefusesTooManyWrites) {
  const auto t = index_->Begin();
  for (size_t i = 0; i < kMaxTransactionOperations; ++i) {
    switch (i % 3) {
      case 0:
        ASSERT_TRUE(t->Put("same", "v").ok());
        break;
      case 1:
        ASSERT_TRUE(t->Delete("other").ok());
        break;
      default:
        ASSERT_TRUE(t->Add("n", 1).ok());
    }
  }
  ExpectRefused(*index_, *t, t->Delete("one more"), "1000 writes");
}

TEST_P(IndexSteps, RefusesTooManyBytes) {
  const auto t = index_->Begin();
  const std::string value(kMaxIndexValueBytes, 'v');
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(t->Put("k" + std::to_string(i), value).ok());
  ExpectRefused(*index_, *t, t->Put("k", value), "bytes; do the work in pages");
}

TEST_P(IndexSteps, RefusesLongKeysAndValues) {
  const std::string long_key(kMaxIndexKeyBytes + 1, 'k');
  {
    const auto t = index_->Begin();
    ExpectRefused(*index_, *t, t->Put(long_key, "v"), "the limit is 1024");
  }
  {
    const auto t = index_->Begin();
    ExpectRefused(*index_, *t, t->Delete(long_key), "the limit is 1024");
  }
  {
    const auto t = index_->Begin();
    ExpectRefused(*index_, *t, t->Add(long_key, 1), "the limit is 1024");
  }
  {
    const auto t = index_->Begin();
    ExpectRefused(*index_, *t, t->Put("k", std::string(kMaxIndexValueBytes + 1, 'v')),
                  "the limit is 65536");
  }
  const auto t = index_->Begin();
  EXPECT_EQ(t->GetForUpdate(long_key, Guard::kShared).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(IndexContract, RunReturnsAnOversizedTransactionAtOnce) {
  int runs = 0;
  const absl::Status status = index_->Run([&runs](Transaction& t) -> absl::Status {
    ++runs;
    return t.Put("k", std::string(kMaxIndexValueBytes + 1, 'v'));
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(runs, 1);
}

TEST_P(IndexContract, AnIdempotentFunctionTakesEffectExactlyOnce) {
  // Moves a token along a chain; a lost or doubled step would break the chain.
  Put("at/0", "");
  for (int step = 0; step < 60; ++step) {
    const std::string from = "at/" + std::to_string(step);
    const std::string to = "at/" + std::to_string(step + 1);
    const absl::Status status = index_->Run([&](Transaction& t) -> absl::Status {
      ASSIGN_OR_RETURN(const auto here, t.GetForUpdate(from, Guard::kExclusive));
      ASSIGN_OR_RETURN(const auto there, t.GetForUpdate(to, Guard::kExclusive));
      if (!here.has_value()) {
        return there.has_value() ? absl::OkStatus() : absl::DataLossError("the token is lost");
      }
      RETURN_IF_ERROR(t.Delete(from));
      return t.Put(to, "");
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_THAT(Keys(PrefixRange("at/")), ElementsAre("at/60"));
}

TEST_P(IndexContract, PagesThroughManyRows) {
  constexpr int kRows = 2500;
  for (int begin = 0; begin < kRows; begin += 500) {
    const absl::Status status = index_->Run([begin](Transaction& t) -> absl::Status {
      for (int i = begin; i < begin + 500; ++i) {
        RETURN_IF_ERROR(t.Put("row/" + std::to_string(100'000 + i), std::string(100, 'x')));
      }
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string after;
  int seen = 0;
  while (true) {
    const auto page = index_->Scan(PrefixRange("row/", after), 64);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const KeyValue& row : *page) {
      ASSERT_EQ(row.key, "row/" + std::to_string(100'000 + seen));
      ++seen;
    }
    if (page->size() < 64) break;
    after = page->back().key.substr(4);
  }
  EXPECT_EQ(seen, kRows);
}

// GUARDS.md: token
TEST(RunTest, GivesUpWithTheOutcomeItKnows) {
  FlakyOptions conflicts;
  conflicts.commit_conflict_rate = 1;
  conflicts.commit_unknown_applied_rate = conflicts.commit_unknown_lost_rate = 0;
  const auto conflicting = NewFlakyIndex(NewMemoryIndex(), conflicts);
  int runs = 0;
  const auto put = [&runs](Transaction& t) {
    ++runs;
    return t.Put("k", "v");
  };
  const absl::Status collided = conflicting->Run(put);
  EXPECT_EQ(collided.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(collided.message()), HasSubstr("was not made"));
  EXPECT_GT(runs, 20);

  FlakyOptions unknown;
  unknown.commit_conflict_rate = unknown.commit_unknown_applied_rate = 0;
  unknown.commit_unknown_lost_rate = 1;
  const absl::Status lost = NewFlakyIndex(NewMemoryIndex(), unknown)->Run(put);
  EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(lost.message()), HasSubstr("was not made"));

  // It is written, and nobody can look whether it is.
  unknown.commit_unknown_lost_rate = 0;
  unknown.commit_unknown_applied_rate = unknown.guard_conflict_rate = 1;
  runs = 0;
  const absl::Status unclear = NewFlakyIndex(NewMemoryIndex(), unknown)->Run(put);
  EXPECT_EQ(unclear.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(unclear.message()), HasSubstr("cannot say"));
  EXPECT_EQ(runs, 1);
}

TEST(RunTest, AnErrorMadeOfAConflictIsNotReturned) {
  FlakyOptions options;
  options.guard_conflict_rate = 0.5;
  options.commit_conflict_rate = 0;
  options.commit_unknown_applied_rate = options.commit_unknown_lost_rate = 0;
  const auto index = NewFlakyIndex(NewMemoryIndex(), options);
  for (int i = 0; i < 50; ++i) {
    const absl::Status status = index->Run([](Transaction& t) -> absl::Status {
      const auto value = t.GetForUpdate("k", Guard::kShared);
      if (!value.ok()) return absl::InternalError("a caller that hides what it met");
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
}

}  // namespace
}  // namespace varve
