// What the store contract runs over: a store that can be closed and opened again, whose time the
// test moves and whose disk it can damage. Each kind of store gives a StoreFactory, which says what
// the kind can do; a suite that needs more than some can is run over the others only. One thread,
// unless a test says otherwise.
#ifndef VARVE_TESTS_CONTRACT_STORE_CONTRACT_FIXTURE_H_
#define VARVE_TESTS_CONTRACT_STORE_CONTRACT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/manifests.h"
#include "storage/api/store.h"
#include "storage/api/system.h"
#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/image/digest.h"
#include "storage/limits.h"
#include "tests/support/read_whole.h"

namespace varve {

inline constexpr int64_t kSecond = kNanosPerSecond;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;

struct StoreSettings {
  int64_t promise_nanos = 10 * kMinute;
  int64_t upload_expiry_nanos = 24 * kHour;
  uint64_t max_bytes = 0;
  size_t max_uploads = kMaxOpenUploads;
  bool accept_sparse_index = false;
  uint64_t seed = 1;  // of what the factory leaves to chance
};

// What a test may need that not every kind of store can do: clients of a door cannot say all that
// the store can do.
enum class Ability {
  kMountBlob,
  kDeleteBlob,
  kDeleteManifest,
  kTagsVersion,
  kListImages,         // and all else that is asked about images as people see them
  kClaims,             // holds and leases
  kWholeStore,         // the empty repository, and PutManifest's whole_store
  kFindMissing,        // many blobs in one question
  kTagWithoutContent,  // a manifest whose blobs or children have gone gets a tag
  kManifestDetails,    // config, artifact type, subject and content size of a manifest
  kOpenReaders,        // a reader is open before its bytes are read
  kChosenUploadIds,    // the client names its uploads
  kNewUploadIds,       // and is told when it begins one whose name is taken
  kHeldUploads,        // an upload stays its holder's between two calls
  kSmallUploads,       // one of less than 64 KiB never becomes a file
  kRestartUpload,      // from offset 0 under the same id
  kUploadSize,         // the size is announced, and checked by the commit
  kPowerCut,           // the disk below can lose its power
};

class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;

  virtual const Store& store() = 0;
  // The store behind a door; store() itself when there is none between.
  virtual const Store& engine() { return store(); }
  // Closes the store, as a stop of the daemon does, and opens it again.
  virtual void Reopen() = 0;
  // The same, with another rule of names.
  virtual void ReopenWith(const NameRule& names) = 0;

  // The power goes after `calls` more calls that change the disk or the index.
  virtual void CutPowerAfter(uint64_t /*calls*/) {}
  // Cuts the power if it is still on, and opens the store again over what `seed` lets survive of
  // what was not synced.
  virtual void PowerCycle(uint64_t /*seed*/) {}

  // Time passes; nothing else waits.
  virtual void Advance(int64_t nanos) = 0;
  // Somebody sets the machine's clock.
  virtual void JumpWall(int64_t nanos) = 0;

  // The disk below the store, and the directory with its blob files.
  virtual FileSystem& disk() = 0;
  virtual std::string blobs_directory() const = 0;
  // Bytes of blob files read so far; nullopt when the disk does not count.
  virtual std::optional<uint64_t> blob_bytes_read() const = 0;

  // Paths of all blob files, or of those of one size.
  std::vector<std::string> BlobFiles(std::optional<uint64_t> size_bytes = std::nullopt);
  // What all blob files take of the disk.
  uint64_t AllocatedBytes();
};

bool CanAll(Ability ability);
bool CanAllButPowerCut(Ability ability);

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>(const StoreSettings&)> make;
  int random_steps = 5000;  // of a test with random calls: as many as take a few seconds
  bool (*can)(Ability) = CanAll;
};

// How test output shows them.
inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
inline void PrintTo(const Digest& digest, std::ostream* out) { *out << digest.ToString(); }

// RocksDB and real files; index and files in memory; the same over an index with conflicts and
// commits of unknown outcome.
StoreFactory DiskStore();
StoreFactory MemoryStore();
StoreFactory FlakyStore();
// RocksDB and blob files on a disk in memory, all of which can lose its power.
StoreFactory PowerStore();
// What a binary runs the suites over, and the tests with a model or many clients at once. Each
// binary has its own: engine_stores.cc or door_stores.cc.
std::vector<StoreFactory> AllStores();
std::vector<StoreFactory> ModelStores();
std::vector<StoreFactory> ConcurrentStores();
// Those of AllStores that can do this.
std::vector<StoreFactory> StoresThat(Ability ability);
std::string StoreName(const testing::TestParamInfo<StoreFactory>& info);

// `size` bytes that depend on `seed` only.
std::string MakeBytes(size_t size, uint64_t seed);
Digest Sha256(std::string_view bytes);

struct ManifestParts {
  std::string media_type = "application/vnd.oci.image.manifest.v1+json";
  std::string artifact_type;
  std::optional<Digest> config;
  std::vector<Digest> layers;
  std::vector<Digest> foreign_layers;  // that have urls
  std::vector<Digest> children;        // makes it an index
  std::optional<Digest> subject;
  std::string note;  // an annotation; makes manifests differ
};
std::string ManifestJson(const ManifestParts& parts);

class StoreContractTest : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override { Make({}); }

  // Starts over with an empty store.
  void Make(const StoreSettings& settings) {
    under_test_.reset();
    under_test_ = GetParam().make(settings);
  }
  const Store& store() { return under_test_->store(); }
  StoreUnderTest& under_test() { return *under_test_; }
  bool Can(Ability ability) const { return GetParam().can(ability); }
  // store() where it can do this, else the store behind its door: for the steps of a test that are
  // not what it is about.
  const Store& Able(Ability ability) { return Can(ability) ? store() : under_test_->engine(); }

  // These expect success.
  Digest Push(std::string_view repository, std::string_view bytes);
  Digest PutManifest(std::string_view repository, const std::string& json,
                     std::vector<std::string> tags = {});
  // A small image of its own in `repository`: config, one layer of `layer_bytes`, manifest.
  struct Image {
    Digest config, layer, manifest;
    std::string manifest_json;
  };
  Image PushImage(std::string_view repository, uint64_t seed, std::vector<std::string> tags = {},
                  size_t layer_bytes = 100'000);
  void DeleteManifest(std::string_view repository, const Digest& digest);
  std::string Read(std::string_view repository, const Digest& digest);
  ReclaimReport Reclaim();

  // An empty repository is the whole store.
  absl::StatusCode StatCode(std::string_view repository, const Digest& digest) {
    return StoreFor(repository).blobs.StatBlob(repository, digest).status().code();
  }
  absl::StatusCode OpenCode(std::string_view repository, const Digest& digest) {
    return StoreFor(repository).blobs.OpenBlob(repository, digest).status().code();
  }
  absl::StatusCode ManifestCode(std::string_view repository, const ManifestReference& reference) {
    return store().manifests.GetManifest(repository, reference).status().code();
  }
  absl::StatusCode PutCode(std::string_view repository, const std::string& json) {
    PutManifestRequest request;
    request.bytes = json;
    return store().manifests.PutManifest(repository, request).status().code();
  }

 private:
  const Store& StoreFor(std::string_view repository) {
    return repository.empty() ? Able(Ability::kWholeStore) : store();
  }

  std::unique_ptr<StoreUnderTest> under_test_;
};

// A suite with the fixture `base`, over the stores that can do this. Among those of one binary
// there may be none: what no door has words for has no test in the binary of the doors.
#define STORE_SUITE(suite, base, ability)                                                  \
  class suite : public base {};                                                            \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(suite);                                    \
  INSTANTIATE_TEST_SUITE_P(Stores, suite, testing::ValuesIn(StoresThat(Ability::ability)), \
                           StoreName)

// Pushes in one piece; for tests that look at the outcome themselves.
absl::StatusOr<BlobInfo> PushBytes(Blobs& blobs, std::string_view repository,
                                   std::string_view bytes, const Digest& digest);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_STORE_CONTRACT_FIXTURE_H_
