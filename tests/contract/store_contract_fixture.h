// What the store contract runs over: a store that can be closed and opened again, whose time the
// test moves and whose disk it can damage. Each kind of store gives a StoreFactory; a test that
// needs what a kind cannot do skips, and says so. One thread, unless a test says otherwise.
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

#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/digest/digest.h"
#include "storage/limits.h"
#include "storage/store.h"

namespace varve {

inline constexpr int64_t kSecond = kNanosPerSecond;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;

struct StoreSettings {
  int64_t promise_nanos = 10 * kMinute;
  int64_t ingest_expiry_nanos = 24 * kHour;
  uint64_t max_bytes = 0;
  bool accept_sparse_index = false;
  uint64_t seed = 1;  // of what the factory leaves to chance
};

class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;

  virtual Store& store() = 0;
  // Closes the store, as a stop of the daemon does, and opens it again.
  virtual void Reopen() = 0;

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

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>(const StoreSettings&)> make;
};

// How test output shows them.
inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
inline void PrintTo(const Digest& digest, std::ostream* out) { *out << digest.ToString(); }

// RocksDB and real files; index and files in memory; the same over an index with conflicts and
// commits of unknown outcome.
StoreFactory DiskStore();
StoreFactory MemoryStore();
StoreFactory FlakyStore();
std::vector<StoreFactory> AllStores();
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
  Store& store() { return under_test_->store(); }
  StoreUnderTest& under_test() { return *under_test_; }

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
  std::string Read(std::string_view repository, const Digest& digest);
  ReclaimReport Reclaim();

  absl::StatusCode StatCode(std::string_view repository, const Digest& digest) {
    return store().StatBlob(repository, digest).status().code();
  }
  absl::StatusCode ManifestCode(std::string_view repository, const ManifestReference& reference) {
    return store().GetManifest(repository, reference).status().code();
  }
  absl::StatusCode PutCode(std::string_view repository, const std::string& json) {
    PutManifestRequest request;
    request.bytes = json;
    return store().PutManifest(repository, request).status().code();
  }

 private:
  std::unique_ptr<StoreUnderTest> under_test_;
};

// The whole blob of `reader`.
absl::StatusOr<std::string> ReadWhole(const BlobReader& reader);

// Pushes in one piece; for tests that look at the outcome themselves.
absl::StatusOr<BlobInfo> PushBytes(Store& store, std::string_view repository,
                                   std::string_view bytes, const Digest& digest);

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_STORE_CONTRACT_FIXTURE_H_
