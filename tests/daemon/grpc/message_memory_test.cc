// Memory of messages: used again once nobody refers to it, bounded, and safe to outlive its owner.
#include "daemon/grpc/message_memory.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace varve {
namespace {

constexpr size_t kBlockBytes = 4096;
constexpr size_t kNoLimit = SIZE_MAX;

void Fill(grpc_slice slice, int value) {
  std::memset(GRPC_SLICE_START_PTR(slice), value, GRPC_SLICE_LENGTH(slice));
}

TEST(MessageMemoryTest, ABlockIsUsedAgainOnlyAfterItsLastReferenceIsGone) {
  MessageMemory memory({kBlockBytes, 4, kNoLimit});
  const grpc_slice first = memory.New(kBlockBytes);
  ASSERT_EQ(GRPC_SLICE_LENGTH(first), kBlockBytes);
  const uint8_t* const start = GRPC_SLICE_START_PTR(first);
  const grpc_slice part = grpc_slice_sub(first, 10, 2000);  // as a transport cuts it into frames
  Fill(first, 'a');
  grpc_slice_unref(first);
  EXPECT_EQ(memory.idle_blocks(), 0u);
  const grpc_slice other = memory.New(kBlockBytes);
  EXPECT_NE(GRPC_SLICE_START_PTR(other), start);
  Fill(other, 'b');
  EXPECT_EQ(*GRPC_SLICE_START_PTR(part), 'a');

  grpc_slice_unref(part);
  EXPECT_EQ(memory.idle_blocks(), 1u);
  const grpc_slice again = memory.New(kBlockBytes / 2);
  EXPECT_EQ(GRPC_SLICE_START_PTR(again), start);
  EXPECT_EQ(GRPC_SLICE_LENGTH(again), kBlockBytes / 2);
  EXPECT_EQ(memory.idle_blocks(), 0u);
  grpc_slice_unref(again);
  grpc_slice_unref(other);
}

TEST(MessageMemoryTest, NoMoreThanTheLimitIsKept) {
  MessageMemory memory({kBlockBytes, 2, kNoLimit});
  std::vector<grpc_slice> slices;
  for (int i = 0; i < 5; ++i) slices.push_back(memory.New(kBlockBytes));
  for (const grpc_slice& slice : slices) grpc_slice_unref(slice);
  EXPECT_EQ(memory.idle_blocks(), 2u);
}

TEST(MessageMemoryTest, SmallAndOversizedMessagesHoldNoBlock) {
  MessageMemory memory({kBlockBytes, 2, kNoLimit});
  for (const size_t bytes : {size_t{0}, size_t{1}, kBlockBytes / 2 - 1, kBlockBytes + 1}) {
    const grpc_slice slice = memory.New(bytes);
    ASSERT_EQ(GRPC_SLICE_LENGTH(slice), bytes);
    Fill(slice, 'x');
    grpc_slice_unref(slice);
    EXPECT_EQ(memory.idle_blocks(), 0u) << bytes;
  }
}

TEST(MessageMemoryTest, ASliceMayOutliveItsOwner) {
  std::optional<MessageMemory> memory(std::in_place,
                                      MessageMemory::Limits{kBlockBytes, 2, kNoLimit});
  const grpc_slice slice = memory->New(kBlockBytes);
  memory.reset();
  Fill(slice, 'x');
  EXPECT_EQ(GRPC_SLICE_START_PTR(slice)[kBlockBytes - 1], 'x');
  grpc_slice_unref(slice);  // the sanitizer would tell of memory that is lost or freed before
}

TEST(MessageMemoryTest, WhatIsGivenOutCountsUntilItsLastReferenceIsGone) {
  MessageMemory memory({kBlockBytes, 1, 4 * kBlockBytes});
  EXPECT_TRUE(memory.plenty());
  const grpc_slice small = memory.New(100);
  EXPECT_EQ(memory.used_bytes(), 100u);
  const grpc_slice first = memory.New(kBlockBytes / 2);
  EXPECT_EQ(memory.used_bytes(), 100 + kBlockBytes) << "a block is taken whole";
  const grpc_slice part = grpc_slice_sub(first, 10, 2000);
  const grpc_slice second = memory.New(kBlockBytes);
  EXPECT_FALSE(memory.plenty());
  EXPECT_FALSE(memory.crowded());
  const grpc_slice third = memory.New(2 * kBlockBytes);
  EXPECT_TRUE(memory.crowded());
  EXPECT_TRUE(memory.exhausted());

  grpc_slice_unref(third);
  EXPECT_FALSE(memory.exhausted());
  grpc_slice_unref(second);
  grpc_slice_unref(first);
  EXPECT_EQ(memory.used_bytes(), 100 + kBlockBytes) << "a part of it is still being sent";
  grpc_slice_unref(part);
  grpc_slice_unref(small);
  EXPECT_EQ(memory.used_bytes(), 0u);
  EXPECT_TRUE(memory.plenty());
}

TEST(MessageMemoryTest, ThreadsNeverShareABlock) {
  MessageMemory memory({kBlockBytes, 4, kNoLimit});
  std::vector<std::thread> threads;
  for (int value = 1; value <= 8; ++value) {
    threads.emplace_back([&memory, value] {
      for (int i = 0; i < 500; ++i) {
        const grpc_slice slice = memory.New(kBlockBytes);
        Fill(slice, value);
        std::this_thread::yield();
        ASSERT_EQ(GRPC_SLICE_START_PTR(slice)[i], value);
        grpc_slice_unref(slice);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(memory.idle_blocks(), 4u);
  EXPECT_GE(memory.idle_blocks(), 1u);
}

}  // namespace
}  // namespace varve
