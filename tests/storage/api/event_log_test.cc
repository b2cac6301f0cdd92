// The log of events: order, tokens, what a watcher is told that missed something, wake-ups, and
// many threads at once.
#include "storage/api/event_log.h"

#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "storage/base/str_cat.h"
#include "storage/image/hasher.h"
#include "storage/limits.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Code = absl::StatusCode;

constexpr uint64_t kRun = 0xabc;

class EventLogTest : public testing::Test {
 protected:
  void Push(std::string_view repository) {
    Event event;
    event.repository = repository;
    log_.Add(std::move(event));
  }
  Code AfterCode(std::string_view token) { return log_.After(token, 10).status().code(); }
  // The repositories of the events after `token`.
  std::vector<std::string> After(std::string_view token, size_t limit = 100) {
    const absl::StatusOr<std::vector<Event>> events = log_.After(token, limit);
    EXPECT_TRUE(events.ok()) << events.status();
    std::vector<std::string> names;
    if (!events.ok()) return names;
    for (const Event& event : *events) names.push_back(event.repository);
    return names;
  }

  FakeClock clock_;
  EventLog log_{clock_, kRun};
};

TEST_F(EventLogTest, EventsComeInOrderWithTimeAndSequence) {
  EXPECT_THAT(After(""), IsEmpty());
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, "manifest");
  log_.Add({Event::Type::kTag, "app", "v1", digest, 0, -1, 99});
  clock_.Advance(5);
  Push("b");
  const std::vector<Event> events = log_.After("", 10).value();
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].type, Event::Type::kTag);
  EXPECT_EQ(events[0].repository, "app");
  EXPECT_EQ(events[0].tag, "v1");
  EXPECT_EQ(events[0].digest, digest);
  EXPECT_EQ(events[0].time_nanos, FakeClock::kDefaultWallNanos);
  EXPECT_EQ(events[0].sequence, 1u);
  EXPECT_EQ(events[1].time_nanos, FakeClock::kDefaultWallNanos + 5);
  EXPECT_EQ(events[1].sequence, 2u);
}

TEST_F(EventLogTest, ATokenGoesOnWhereItWasTaken) {
  const std::string begin = log_.Latest();
  EXPECT_EQ(begin, log_.Oldest());
  for (const char* name : {"a", "b", "c", "d"}) Push(name);
  EXPECT_THAT(After(begin), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(After("", 2), ElementsAre("a", "b"));
  const std::vector<Event> first = log_.After(begin, 2).value();
  EXPECT_THAT(After(log_.TokenOf(first.back())), ElementsAre("c", "d"));
  const std::string latest = log_.Latest();
  EXPECT_THAT(After(latest), IsEmpty());
  EXPECT_THAT(After(latest, 0), IsEmpty());
  Push("e");
  EXPECT_THAT(After(latest), ElementsAre("e"));
}

TEST_F(EventLogTest, WhatIsNoTokenIsSaidSo) {
  Push("a");
  for (const char* token :
       {"x", "-", "-1", "1-", "abc", "abc--1", "abc-1x", "xyz-1", "abc-1-1", " abc-1",
        "abc-99999999999999999999999", "11111111111111111-1", "\xff\xfe-1"}) {
    EXPECT_EQ(AfterCode(token), Code::kInvalidArgument) << token;
  }
  EXPECT_EQ(AfterCode(StrCat("0000000000000abc-", 2)), Code::kInvalidArgument) << "not yet";
  EXPECT_EQ(AfterCode("0000000000000abc-1"), Code::kOk);
}

TEST_F(EventLogTest, ATokenOfAnotherRunMissedEvents) {
  Push("a");
  FakeClock clock;
  const EventLog next(clock, kRun + 1);
  EXPECT_EQ(next.After(log_.Latest(), 10).status().code(), Code::kOutOfRange);
  EXPECT_EQ(next.After(next.Latest(), 10).status().code(), Code::kOk);
}

TEST_F(EventLogTest, TheNewestAreKeptAndWhoIsLaterIsTold) {
  const std::string begin = log_.Latest();
  for (size_t i = 0; i < kMaxEvents; ++i) Push("old");
  EXPECT_EQ(AfterCode(begin), Code::kOk) << "nothing is lost yet";
  const std::string oldest = log_.Oldest();
  Push("new");
  EXPECT_EQ(AfterCode(begin), Code::kOutOfRange);
  EXPECT_EQ(AfterCode(oldest), Code::kOutOfRange);
  EXPECT_EQ(AfterCode(log_.Oldest()), Code::kOk);
  const std::vector<Event> all = log_.After("", kMaxEvents * 2).value();
  ASSERT_THAT(all, SizeIs(kMaxEvents));
  EXPECT_EQ(all.front().sequence, 2u);
  EXPECT_EQ(all.back().repository, "new");
}

TEST_F(EventLogTest, EveryAddWakesWhoIsSubscribed) {
  int first = 0;
  int second = 0;
  const EventLog::WatcherId one = log_.Subscribe([&first] { ++first; });
  const EventLog::WatcherId two = log_.Subscribe([&second] { ++second; });
  Push("a");
  log_.Unsubscribe(one);
  Push("b");
  log_.Unsubscribe(two);
  Push("c");
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST_F(EventLogTest, EveryTypeHasItsName) {
  EXPECT_EQ(EventTypeName(Event::Type::kPush), "push");
  EXPECT_EQ(EventTypeName(Event::Type::kPull), "pull");
  EXPECT_EQ(EventTypeName(Event::Type::kTag), "tag");
  EXPECT_EQ(EventTypeName(Event::Type::kUntag), "untag");
  EXPECT_EQ(EventTypeName(Event::Type::kDelete), "delete");
  EXPECT_EQ(EventTypeName(Event::Type::kPrune), "prune");
}

TEST_F(EventLogTest, ManyThreadsAddAndWatchAndNothingIsMissed) {
  constexpr int kAdders = 4;
  constexpr int kEach = 2000;
  constexpr int kReaders = 3;
  const std::string begin = log_.Latest();
  std::atomic<int> wakes{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kAdders; ++i) {
    threads.emplace_back([this, i] {
      for (int n = 0; n < kEach; ++n) Push(StrCat("from/", i));
    });
  }
  for (int i = 0; i < kReaders; ++i) {
    threads.emplace_back([this, &begin, &wakes] {
      const EventLog::WatcherId watcher = log_.Subscribe([&wakes] { ++wakes; });
      std::string token = begin;
      uint64_t seen = 0;
      while (seen < kAdders * kEach) {
        const absl::StatusOr<std::vector<Event>> events = log_.After(token, 7);
        ASSERT_TRUE(events.ok()) << events.status();
        for (const Event& event : *events) ASSERT_EQ(event.sequence, ++seen);
        if (!events->empty()) token = log_.TokenOf(events->back());
      }
      log_.Unsubscribe(watcher);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(log_.After("", kMaxEvents).value(), SizeIs(kAdders * kEach));
  EXPECT_LE(wakes.load(), kReaders * kAdders * kEach);
}

}  // namespace
}  // namespace varve
