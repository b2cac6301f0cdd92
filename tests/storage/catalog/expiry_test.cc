// What ends by the clock: links, holds and leases; and what a pass over them costs.
#include <gtest/gtest.h>

#include <functional>

#include "storage/base/str_cat.h"
#include "storage/digest/hasher.h"
#include "storage/engine.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/tombstone_index.h"

namespace varve {
namespace {

constexpr int64_t kHour = 3600 * kNanosPerSecond;
constexpr int64_t kYear = 365 * 24 * kHour;

Digest DigestOf(size_t number) {
  return HashBytes(DigestAlgorithm::kSha256, std::to_string(number));
}

// A store with one image, `image_` of repository "app".
class World {
 public:
  World() {
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.random = &random_;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      auto index = std::make_unique<TombstoneIndex>(NewMemoryIndex());
      index_ = index.get();
      return index;
    };
    auto opened = OpenEngine("/store", options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
    PutManifestRequest request;
    request.bytes =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
    const auto info = store_->PutManifest("app", request);
    EXPECT_TRUE(info.ok()) << info.status();
    image_ = info->digest;
    clock_.Advance(kHour);  // promises end
    Pass();
  }

  void Pass() {
    const auto report = store_->Reclaim();
    EXPECT_TRUE(report.ok()) << report.status();
  }
  size_t StepsOfAPass() {
    index_->ResetSteps();
    Pass();
    return index_->steps();
  }
  RepositoryId Repository() {
    const auto row = index_->Get(RepositoryKey("app"));
    return RepositoryRow::Decode(row->value())->id;
  }
  void PutLink(const Digest& blob, int64_t expires) {
    EXPECT_TRUE(index_
                    ->Run([&](Transaction& txn) {
                      absl::Status status =
                          txn.Put(LinkKey(Repository(), blob), LinkRow{expires}.Encode());
                      status.Update(txn.Put(LinkExpiryKey(expires, Repository(), blob), ""));
                      return status;
                    })
                    .ok());
  }
  bool HasLink(const Digest& blob) { return index_->Get(LinkKey(Repository(), blob))->has_value(); }
  void Hold(const std::string& name, int64_t ttl_nanos) {
    HoldRequest request;
    request.name = name;
    request.repository = "app";
    request.manifest = image_;
    request.ttl_nanos = ttl_nanos;
    const auto hold = store_->CreateHold(request);
    EXPECT_TRUE(hold.ok()) << hold.status();
  }
  void Lease(const std::string& id, int64_t ttl_nanos) {
    LeaseRequest request;
    request.id = id;
    request.ttl_nanos = ttl_nanos;
    const auto lease = store_->CreateLease(request);
    EXPECT_TRUE(lease.ok()) << lease.status();
  }
  size_t Holds() { return store_->ListHolds({})->rows.size(); }
  size_t Leases() { return store_->ListLeases({})->rows.size(); }

  MemoryFileSystem disk_;
  FakeClock clock_;
  SeededRandom random_{1};
  TombstoneIndex* index_ = nullptr;
  std::unique_ptr<Store> store_;
  Digest image_;
};

// Expects the pass that ends four times as many to read four times as much, and the next one next
// to nothing.
void ExpectLinear(const std::function<void(World&, size_t number)>& add) {
  size_t steps[2];
  for (const size_t times : {1u, 4u}) {
    World world;
    const size_t idle = world.StepsOfAPass();
    for (size_t i = 0; i < 600 * times; ++i) {
      add(world, i);
      world.clock_.Advance(1);
    }
    world.clock_.Advance(2 * kHour);
    steps[times / 4] = world.StepsOfAPass();
    world.Pass();
    world.clock_.Advance(kHour / 10);
    world.Pass();
    EXPECT_LE(world.StepsOfAPass(), idle + 50);
  }
  EXPECT_LE(steps[1], 5 * steps[0]);
  EXPECT_LE(steps[1], 20u * 2400);
}

TEST(ExpiryCostTest, LinksEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](World& world, size_t number) {
    world.PutLink(DigestOf(number), world.clock_.WallNanos() + kHour);
  });
}

TEST(ExpiryCostTest, HoldsEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](World& world, size_t number) { world.Hold(StrCat("h", number), kHour); });
}

TEST(ExpiryCostTest, LeasesEndInTimeInProportionToTheirNumber) {
  ExpectLinear([](World& world, size_t number) { world.Lease(StrCat("l", number), kHour); });
}

TEST(ExpiryTest, AnOldRowDoesNotEndALinkThatWasRenewed) {
  World world;
  const Digest blob = DigestOf(1);
  world.PutLink(blob, world.clock_.WallNanos() + kHour);
  world.PutLink(blob, world.clock_.WallNanos() + 3 * kHour);
  world.clock_.Advance(2 * kHour);
  world.Pass();
  EXPECT_TRUE(world.HasLink(blob));
  world.clock_.Advance(2 * kHour);
  world.Pass();
  EXPECT_FALSE(world.HasLink(blob));
}

TEST(ExpiryTest, ALinkOfAClockThatWasAheadLastsADayOnceItIsRight) {
  World world;
  const Digest blob = DigestOf(1);
  world.PutLink(blob, world.clock_.WallNanos() + 10 * kYear);
  world.Pass();
  EXPECT_TRUE(world.HasLink(blob));
  world.clock_.Advance(26 * kHour);
  world.Pass();
  EXPECT_FALSE(world.HasLink(blob));
}

TEST(ExpiryTest, ClaimsOfAClockThatWasAheadBeginAnewOnceItIsRight) {
  World world;
  world.clock_.JumpWall(20 * kYear);
  world.Hold("ahead", kHour);
  world.Lease("ahead", kHour);
  world.clock_.JumpWall(-20 * kYear);
  world.Pass();
  EXPECT_EQ(world.Holds(), 1u);
  EXPECT_EQ(world.Leases(), 1u);
  world.clock_.Advance(2 * kHour);
  world.Pass();
  EXPECT_EQ(world.Holds(), 0u);
  EXPECT_EQ(world.Leases(), 0u);
}

TEST(ExpiryTest, ADamagedRowHoldsUpNoOther) {
  World world;
  ASSERT_TRUE(world.index_
                  ->Run([](Transaction& txn) {
                    absl::Status status = txn.Put(LinkExpiryPrefix() + std::string(9, '\0'), "");
                    status.Update(txn.Put(ClaimExpiryPrefix(EdgeKind::kHold) + "\1", ""));
                    return status;
                  })
                  .ok());
  const Digest blob = DigestOf(1);
  world.PutLink(blob, world.clock_.WallNanos() + kHour);
  world.Hold("due", kHour);
  world.clock_.Advance(2 * kHour);
  world.store_->Reclaim().IgnoreError();
  EXPECT_FALSE(world.HasLink(blob));
}

}  // namespace
}  // namespace varve
