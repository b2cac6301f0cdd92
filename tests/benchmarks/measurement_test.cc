#include "benchmarks/load/measurement.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace varve::load {
namespace {

// As Linux 5.5 and later print it: the flush requests are the last but one.
constexpr char kDiskStats[] =
    "   7       0 loop0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 500 5\n"
    " 254       0 vda 80584 11028 7990546 76208 210206 86091 89584064 246810 0 65964 343177 41259 "
    "42 "
    "87019712 16370 47963 3789\n"
    " 254       1 vda1 80584 11028 7990546 76208 210206 86091 89584064 246810 0 65964 343177 41259 "
    "42 87019712 16370 11 3789\n"
    " 259       0 nvme0n1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 7 5\n";

TEST(DiskFlushes, CountsFlushRequestsOfDisksOnly) {
  const auto is_disk = [](std::string_view name) { return name == "vda" || name == "nvme0n1"; };
  EXPECT_EQ(CountDiskFlushes(kDiskStats, is_disk), 47963u + 7u);
}

TEST(DiskFlushes, AnOldKernelHasNone) {
  EXPECT_EQ(CountDiskFlushes(" 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n", [](auto) { return true; }), 0u);
}

TEST(Percentile, TakesTheNearestOfTheSorted) {
  EXPECT_EQ(Percentile({}, 0.5), 0);
  EXPECT_EQ(Percentile({1, 2, 3}, 0.5), 2);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 0.99), 4);
}

TEST(Measure, AddsUpWhatTheOperationsGive) {
  const auto done = Measure("sum", getpid(), 3, 10, [](int, size_t i) -> absl::StatusOr<uint64_t> {
    return static_cast<uint64_t>(i);
  });
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->operations, 10u);
  EXPECT_EQ(done->bytes, 45u);
  EXPECT_EQ(done->latencies_ms.size(), 10u);
}

TEST(Measure, TheFirstErrorEndsIt) {
  const auto done = Measure("fail", getpid(), 2, 1000, [](int, size_t) -> absl::StatusOr<uint64_t> {
    return absl::UnavailableError("gone");
  });
  EXPECT_EQ(done.status().message(), "gone");
}

TEST(Measure, ThePeakIsThatOfTheMeasuredPart) {
  constexpr size_t kLarge = 256 * 1024 * 1024;
  void* memory = mmap(nullptr, kLarge, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  munmap(memory, kLarge);
  ASSERT_GT(ReadServerUsage(getpid()).peak_rss_bytes, kLarge);
  const auto done =
      Measure("small", getpid(), 1, 1, [](int, size_t) -> absl::StatusOr<uint64_t> { return 0; });
  ASSERT_TRUE(done.ok());
  EXPECT_LT(done->used.peak_rss_bytes, kLarge);
}

TEST(Measurement, FurtherFiguresStandInTheJson) {
  Measurement measurement;
  measurement.name = "push";
  measurement.more.emplace_back("sent_again_bytes", 4194304);
  EXPECT_THAT(measurement.Json(), testing::HasSubstr("\"sent_again_bytes\":4194304"));
}

}  // namespace
}  // namespace varve::load
