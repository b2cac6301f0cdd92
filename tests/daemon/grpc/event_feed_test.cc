// Who waits for events: nobody sleeps through one, each is resumed once, and the feed ends after
// its tasks.
#include "daemon/grpc/event_feed.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "storage/base/clock.h"
#include "tests/support/process_use.h"

namespace varve {
namespace {

class Counter final : public EventFeed::Watcher {
 public:
  void Resume() override { ++resumed; }
  std::atomic<int> resumed{0};
};

class EventFeedTest : public testing::Test {
 protected:
  EventLog log_{SystemClock(), 1};
  CallWorkers workers_{4, 100};
  std::unique_ptr<EventFeed> feed_ = std::make_unique<EventFeed>(log_, workers_);
};

TEST_F(EventFeedTest, AnEventResumesAllWhoWaitOnce) {
  Counter one;
  Counter two;
  ASSERT_TRUE(feed_->Wait(&one, feed_->generation()));
  ASSERT_TRUE(feed_->Wait(&two, feed_->generation()));
  log_.Add({});
  EXPECT_TRUE(Eventually([&] { return one.resumed == 1 && two.resumed == 1; }));
  log_.Add({});
  feed_.reset();
  EXPECT_EQ(one.resumed, 1);
  EXPECT_EQ(two.resumed, 1);
}

TEST_F(EventFeedTest, WhatHappenedSinceTheLookIsNotSleptThrough) {
  Counter watcher;
  uint64_t generation = feed_->generation();
  log_.Add({});
  EXPECT_FALSE(feed_->Wait(&watcher, generation));
  generation = feed_->generation();
  feed_->Wake(&watcher);
  EXPECT_FALSE(feed_->Wait(&watcher, generation));
  generation = feed_->generation();
  feed_->Stop();
  EXPECT_FALSE(feed_->Wait(&watcher, generation));
  EXPECT_TRUE(feed_->stopping());
  EXPECT_EQ(watcher.resumed, 0);
}

TEST_F(EventFeedTest, AWakeResumesOnlyTheOneItIsFor) {
  Counter one;
  Counter two;
  ASSERT_TRUE(feed_->Wait(&one, feed_->generation()));
  ASSERT_TRUE(feed_->Wait(&two, feed_->generation()));
  feed_->Wake(&one);
  EXPECT_TRUE(Eventually([&] { return one.resumed == 1; }));
  EXPECT_EQ(two.resumed, 0);
  feed_->Stop();
  EXPECT_TRUE(Eventually([&] { return two.resumed == 1; }));
}

// Reads the log to its end each time, as a stream does.
class Reader final : public EventFeed::Watcher {
 public:
  explicit Reader(EventFeed& feed) : feed_(feed), token_(feed.log().Latest()) {}
  void Resume() override {
    for (;;) {
      const uint64_t generation = feed_.generation();
      const std::vector<Event> events = feed_.log().After(token_, 3).value();
      if (events.empty()) {
        if (feed_.Wait(this, generation)) return;
        continue;
      }
      token_ = feed_.log().TokenOf(events.back());
      seen += events.size();
    }
  }
  std::atomic<size_t> seen{0};

 private:
  EventFeed& feed_;
  std::string token_;
};

TEST_F(EventFeedTest, ManyReadersAndAddersAndNothingIsMissed) {
  constexpr size_t kAdders = 3;
  constexpr size_t kEach = 2000;
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 20; ++i) {
    readers.push_back(std::make_unique<Reader>(*feed_));
    ASSERT_TRUE(feed_->Wait(readers.back().get(), feed_->generation()));
  }
  std::vector<std::thread> adders;
  for (size_t i = 0; i < kAdders; ++i) {
    adders.emplace_back([this] {
      for (size_t n = 0; n < kEach; ++n) log_.Add({});
    });
  }
  std::thread waker([&] {
    for (int i = 0; i < 500; ++i) {
      for (const auto& reader : readers) feed_->Wake(reader.get());
    }
  });
  for (std::thread& adder : adders) adder.join();
  waker.join();
  for (const auto& reader : readers) {
    EXPECT_TRUE(Eventually([&] { return reader->seen == kAdders * kEach; })) << reader->seen;
  }
  feed_.reset();
}

}  // namespace
}  // namespace varve
