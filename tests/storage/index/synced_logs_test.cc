#include "storage/index/synced_logs.h"

#include <gmock/gmock.h>

#include "storage/base/bytes.h"

namespace varve {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(SyncedLogsTest, TheBytesOfTheFile) {
  const std::string bytes = EncodeSyncedLogs({{12, 0x1234}, {15, 7}});
  std::string expected("\x01\x02", 2);
  AppendU64(&expected, 12);
  AppendU64(&expected, 0x1234);
  AppendU64(&expected, 15);
  AppendU64(&expected, 7);
  ASSERT_EQ(bytes.substr(0, expected.size()), expected);
  EXPECT_EQ(bytes.size(), expected.size() + 8);  // the checksum
  EXPECT_EQ(DecodeSyncedLogs(bytes), (LogOffsets{{12, 0x1234}, {15, 7}}));
}

TEST(SyncedLogsTest, WhatALongerOneLeftBehindItIsIgnored) {
  const std::string longer = EncodeSyncedLogs({{12, 1}, {13, 2}, {14, 3}});
  std::string bytes = EncodeSyncedLogs({{14, 9}});
  bytes += longer.substr(bytes.size());
  EXPECT_EQ(DecodeSyncedLogs(bytes), (LogOffsets{{14, 9}}));
}

TEST(SyncedLogsTest, DamagedBytesSayNothing) {
  const std::string bytes = EncodeSyncedLogs({{12, 1}, {13, 2}});
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_EQ(DecodeSyncedLogs(flipped), std::nullopt) << i;
    EXPECT_EQ(DecodeSyncedLogs(bytes.substr(0, i)), std::nullopt) << i;
  }
}

TEST(SyncedLogsTest, StaysWithinOneSector) {
  LogOffsets many;
  for (uint64_t log = 1; log <= 100; ++log) many[log] = log;
  const std::string bytes = EncodeSyncedLogs(many);
  EXPECT_LE(bytes.size(), 512u);
  const auto latest = DecodeSyncedLogs(bytes);
  ASSERT_TRUE(latest.has_value());
  EXPECT_THAT(*latest, SizeIs(16));
  EXPECT_EQ(latest->begin()->first, 85u);
}

// A log in RocksDB's format, its checksums left out.
std::string Record(uint64_t offset, size_t size) {
  constexpr uint64_t kBlock = 32 * 1024;
  std::string out;
  bool first = true;
  size_t left = size;
  do {
    uint64_t room = kBlock - (offset + out.size()) % kBlock;
    if (room < 7) {
      out.append(room, '\0');
      room = kBlock;
    }
    const size_t part = std::min<size_t>(left, room - 7);
    const bool last = part == left;
    out.append(4, 'c');
    out.push_back(static_cast<char>(part & 0xff));
    out.push_back(static_cast<char>(part >> 8));
    out.push_back(first && last ? 1 : first ? 2 : last ? 4 : 3);
    out.append(part, 'p');
    left -= part;
    first = false;
  } while (left > 0);
  return out;
}

// Sizes around the ends of blocks, appended in pieces of every kind: both ways to follow a log
// agree on where each record ends.
TEST(SyncedLogsTest, FollowsALogToTheEndOfEachRecord) {
  for (const size_t piece : {1u, 7u, 100u, 40'000u}) {
    LogFollower follower;
    uint64_t offset = 0;
    for (const size_t size : {12u, 32'742u, 5u, 0u, 32'748u, 1u, 100'000u, 32'761u, 12u, 65'515u}) {
      const std::string record = Record(offset, size);
      for (size_t begin = 0; begin < record.size(); begin += piece) {
        EXPECT_EQ(follower.record_end(), offset);
        follower.Append(std::string_view(record).substr(begin, piece));
      }
      EXPECT_EQ(EndOfLogRecord(offset, size), offset + record.size());
      offset += record.size();
      EXPECT_EQ(follower.record_end(), offset) << "piece " << piece << ", size " << size;
    }
  }
}

TEST(SyncedLogsTest, OnlyAReplayThatEndsTooEarlyIsDamage) {
  const LogOffsets synced = {{10, 500}, {12, 900}};
  EXPECT_THAT(FindLogDamage(synced, {{10, 500}, {12, 900}}, {}), IsEmpty());
  EXPECT_THAT(FindLogDamage(synced, {{10, 501}, {12, 5000}, {13, 1}}, {}), IsEmpty());
  const auto early = FindLogDamage(synced, {{10, 500}, {12, 899}}, {});
  ASSERT_THAT(early, SizeIs(1));
  EXPECT_EQ(early[0].log, 12u);
  EXPECT_EQ(early[0].replayed_bytes, 899u);
  EXPECT_THAT(FindLogDamage(synced, {{12, 900}}, {}), SizeIs(1));    // 10 is missing
  EXPECT_THAT(FindLogDamage(synced, {{12, 900}}, {10}), IsEmpty());  // and done with
  EXPECT_THAT(FindLogDamage(synced, {}, {}), SizeIs(2));
}

TEST(SyncedLogsTest, AnIdStandsForOneDamage) {
  const std::string id = LogDamageId({{12, 100, 900}});
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(LogDamageId({{12, 100, 900}}), id);
  EXPECT_NE(LogDamageId({{12, 101, 900}}), id);
  EXPECT_NE(LogDamageId({{12, 100, 901}}), id);
  EXPECT_NE(LogDamageId({{13, 100, 900}}), id);
  EXPECT_NE(LogDamageId({{12, 100, 900}, {13, 0, 1}}), id);
}

}  // namespace
}  // namespace varve
