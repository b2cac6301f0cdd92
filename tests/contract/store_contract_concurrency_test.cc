// Many clients at once, with reclamation running without pause: every byte that a client was told
// of is there and right. Short enough for ThreadSanitizer.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "storage/api/claims.h"
#include "storage/api/pruning.h"
#include "storage/base/str_cat.h"
#include "tests/contract/store_contract_fixture.h"
#include "tests/support/fake_clock.h"

namespace varve {
namespace {

constexpr int kClients = 64;
constexpr int kRounds = 6;

class StoreConcurrencyTest : public StoreContractTest {
 protected:
  // Garbage goes without pause, until Stop or destruction. Time passes as it does outside, or by
  // `step_nanos` a pass when that is not zero.
  class Background {
   public:
    Background(StoreUnderTest& store, int64_t step_nanos) : store_(store) {
      thread_ = std::thread([this, step_nanos] {
        auto last = std::chrono::steady_clock::now();
        while (!stop_) {
          const auto report = store_.engine().system.Reclaim();
          EXPECT_TRUE(report.ok()) << report.status();
          if (report.ok()) removed_ += report->blobs;
          const auto now = std::chrono::steady_clock::now();
          store_.Advance(step_nanos != 0 ? step_nanos
                                         : std::chrono::nanoseconds(now - last).count());
          last = now;
        }
      });
    }
    ~Background() { Stop(); }
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    uint64_t Stop() {
      stop_ = true;
      if (thread_.joinable()) thread_.join();
      return removed_;
    }

   private:
    StoreUnderTest& store_;
    std::atomic<bool> stop_ = false;
    std::atomic<uint64_t> removed_ = 0;
    std::thread thread_;
  };

  template <typename Work>
  void RunClients(const Work& work) {
    std::vector<std::thread> clients;
    for (int client = 0; client < kClients; ++client) {
      clients.emplace_back([&work, client] { work(client); });
    }
    for (std::thread& client : clients) client.join();
  }
};

// Half of the content is shared by all clients, half is each client's own; images go again at once.
// Nothing of a round is reclaimed within it, since all of it was promised; then its promises end,
// and half of the rounds push the same content again, so that pushes meet removals of it.
TEST_P(StoreConcurrencyTest, PushPullDeleteBesideReclamation) {
  StoreSettings settings;
  settings.promise_nanos = kMinute;  // longer than a client takes from push to put, on any machine
  Make(settings);
  under_test().Advance(2 * kMinute);
  Background background(under_test(), 0);
  std::atomic<int> pulled = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto number = static_cast<uint64_t>(round / 2);
    RunClients([&](int client) {
      const std::string repository = StrCat("repo-", client % 8);
      const std::string shared = MakeBytes(70'000 + number, number);
      const std::string own = MakeBytes(client % 2 == 0 ? 100 : 66'000,
                                        1000 * number + 17 + static_cast<uint64_t>(client));
      ManifestParts parts;
      parts.config = Push(repository, own);
      parts.layers = {Push(repository, shared)};
      parts.note = StrCat("client ", client, " round ", round);
      const std::string json = ManifestJson(parts);
      const std::string tag = StrCat("c", client);
      const Digest manifest = PutManifest(repository, json, {tag});
      const auto got = store().manifests.GetManifest(repository, ManifestReference(tag));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->bytes, json);
      EXPECT_TRUE(Read(repository, *parts.config) == own);
      EXPECT_TRUE(Read(repository, parts.layers[0]) == shared);
      ++pulled;
      if (round + 1 < kRounds) DeleteManifest(repository, manifest);
    });
    if (round + 1 < kRounds) under_test().Advance(kHour);  // as long as promises are renewed
  }
  EXPECT_EQ(pulled, kClients * kRounds);
  EXPECT_GT(background.Stop(), 0u);
  // What is left: one image a client, the shared layer of the last round once.
  under_test().Advance(26 * kHour);
  Reclaim();
  EXPECT_EQ(under_test().BlobFiles().size(), 1u + kClients / 2);
  const std::string last = MakeBytes(70'000 + (kRounds - 1) / 2, (kRounds - 1) / 2);
  EXPECT_TRUE(Read("repo-0", Sha256(last)) == last);
}

// Prunes of everything that is not in use, and of what dangles, one after the other: whatever a
// client has a lease or a hold on is there, and what it was told exists can be named.
TEST_P(StoreConcurrencyTest, PushPullAndHoldBesidePrunesWithoutPause) {
  StoreSettings settings;
  settings.promise_nanos = kMinute;
  Make(settings);
  under_test().Advance(2 * kMinute);
  Background background(under_test(), 0);
  Claims& claims = Able(Ability::kClaims).claims;
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> pruned = 0;
  std::thread pruner([&] {
    PruneRequest request;
    while (!stop) {
      request.all = !request.all;
      const auto report = under_test().engine().images.Prune(request, nullptr);
      ASSERT_TRUE(report.ok()) << report.status();
      pruned += report->images;
    }
  });
  std::atomic<int> pulled = 0;
  RunClients([&](int client) {
    if (client >= 16) return;
    const std::string repository = StrCat("repo-", client % 4);
    const std::string name = StrCat("client-", client);
    for (int round = 0; round < 2 * kRounds; ++round) {
      const auto number = static_cast<uint64_t>(round);
      const std::string shared = MakeBytes(70'000 + number % 3, number % 3);
      const std::string own = MakeBytes(66'000, 1000 * number + static_cast<uint64_t>(client));
      ManifestParts parts;
      parts.config = Sha256(own);
      parts.layers = {Sha256(shared)};
      const std::string json = ManifestJson(parts);
      LeaseRequest lease;
      lease.id = name;
      lease.ttl_nanos = kHour;
      ASSERT_TRUE(claims.CreateLease(lease).ok());
      const std::vector<Digest> contents = {*parts.config, parts.layers[0], Sha256(json)};
      ASSERT_TRUE(claims.AttachToLease(name, contents).ok());
      Push(repository, own);
      if (StatCode(repository, parts.layers[0]) != absl::StatusCode::kOk) Push(repository, shared);
      const std::string tag = StrCat("t", client, "-", round % 2);
      const Digest manifest = PutManifest(repository, json, {tag});
      const auto hold = claims.CreateHold({name, repository, manifest, 0});
      ASSERT_TRUE(hold.ok()) << hold.status();
      ASSERT_TRUE(claims.DeleteLease(name).ok());
      const auto got = store().manifests.GetManifest(repository, ManifestReference(tag));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->bytes, json);
      EXPECT_TRUE(Read(repository, *parts.config) == own);
      EXPECT_TRUE(Read(repository, parts.layers[0]) == shared);
      ASSERT_TRUE(claims.ReleaseHold(name).ok());
      ++pulled;
    }
  });
  EXPECT_EQ(pulled, 16 * 2 * kRounds);
  stop = true;
  pruner.join();
  background.Stop();
  under_test().Advance(26 * kHour);
  Reclaim();
  PruneRequest all;
  all.all = true;
  const auto report = under_test().engine().images.Prune(all, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->deferred, 0u);
  EXPECT_GT(pruned + report->images, 0u);
  EXPECT_EQ(under_test().AllocatedBytes(), 0u);
  EXPECT_EQ(under_test().engine().system.MeasureDiskUsage()->loose.count, 0u);
}

// Pushers that do not ask first put their bytes in the place of each other's, while others name the
// blob: nobody is told to try again, or that it is not there.
TEST_P(StoreConcurrencyTest, PushersOfOneLayerBesideManifestPutters) {
  const std::string layer = MakeBytes(70'000, 1);
  const Digest digest = Push("app", layer);
  const Digest config = Push("app", "{}");
  std::atomic<int> done = 0;
  RunClients([&](int client) {
    if (client >= 32) return;
    for (int round = 0; round < 2 * kRounds; ++round) {
      if (client % 2 == 0) {
        const auto pushed = PushBytes(store().blobs, "app", layer, digest);
        EXPECT_TRUE(pushed.ok()) << pushed.status();
        done += pushed.ok() ? 1 : 0;
        continue;
      }
      ManifestParts parts;
      parts.config = config;
      parts.layers = {digest};
      parts.note = StrCat("client ", client, " round ", round);
      const std::string json = ManifestJson(parts);
      PutManifestRequest request;
      request.bytes = json;
      const auto put = store().manifests.PutManifest("app", request);
      EXPECT_TRUE(put.ok()) << put.status();
      EXPECT_TRUE(Read("app", digest) == layer);
      done += put.ok() ? 1 : 0;
    }
  });
  EXPECT_EQ(done, 32 * 2 * kRounds);
  Reclaim();
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
}

// Readers of blobs that are removed under them: every answer is the whole blob or NotFound.
TEST_P(StoreConcurrencyTest, ReadersMeetRemovals) {
  StoreSettings settings;
  settings.promise_nanos = kSecond;
  Make(settings);
  Background background(under_test(), kSecond);
  std::atomic<int> wrong = 0;
  std::atomic<int> right = 0;
  RunClients([&](int client) {
    for (int round = 0; round < 2 * kRounds; ++round) {
      const std::string bytes = MakeBytes(80'000, static_cast<uint64_t>(round % 3));
      const Digest digest = Sha256(bytes);
      if (client % 4 == 0) {
        const auto pushed = PushBytes(store().blobs, "app", bytes, digest);
        EXPECT_TRUE(pushed.ok()) << pushed.status();
      }
      const auto reader = Able(Ability::kWholeStore).blobs.OpenBlob("", digest);
      if (!reader.ok()) {
        EXPECT_EQ(reader.status().code(), absl::StatusCode::kNotFound) << reader.status();
        continue;
      }
      const auto read = ReadWhole(*reader);
      (read.ok() && *read == bytes ? right : wrong)++;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
}

// All clients send the same blob at once: one file stays.
TEST_P(StoreConcurrencyTest, SameBlobFromEverybody) {
  const std::string bytes = MakeBytes(300'000, 1);
  RunClients([&](int client) {
    const auto pushed = PushBytes(store().blobs, StrCat("repo-", client % 4), bytes, Sha256(bytes));
    EXPECT_TRUE(pushed.ok()) << pushed.status();
  });
  Reclaim();
  EXPECT_EQ(under_test().BlobFiles().size(), 1u);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Read(StrCat("repo-", i), Sha256(bytes)) == bytes);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConcurrencyTest, testing::ValuesIn(ConcurrentStores()),
                         StoreName);

}  // namespace
}  // namespace varve
