// One store on a real disk with both doors open: three ways to the same content. One thread.
#ifndef VARVE_TESTS_CONTRACT_DOORS_DOORS_FIXTURE_H_
#define VARVE_TESTS_CONTRACT_DOORS_DOORS_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/str_cat.h"
#include "tests/contract/doors/live_doors.h"

namespace varve {

class DoorsTest : public testing::Test {
 protected:
  // One way to the store.
  struct Way {
    std::string name;
    const Store* store;
    bool (*can)(Ability);
  };

  void SetUp() override { Make({}); }
  void TearDown() override { Close(); }

  // Starts over with an empty store.
  void Make(const StoreSettings& settings) {
    Close();
    behind_ = DiskStore().make(settings);
    grpc_ = std::make_unique<LiveGrpcDoor>(engine());
    http_ = std::make_unique<LiveHttpDoor>(engine());
    ways_ = {{"store", &engine(), CanAllButPowerCut},
             {"gRPC", &grpc_->store(), GrpcStore::Can},
             {"HTTP", &http_->store(), HttpStore::Can}};
  }

  const Store& engine() { return behind_->store(); }
  StoreUnderTest& behind() { return *behind_; }
  LiveGrpcDoor& grpc() { return *grpc_; }
  LiveHttpDoor& http() { return *http_; }
  const std::vector<Way>& ways() const { return ways_; }

  // These expect success.
  static Digest Push(const Store& store, std::string_view repository, std::string_view bytes) {
    const Digest digest = Sha256(bytes);
    const absl::StatusOr<BlobInfo> info = PushBytes(store.blobs, repository, bytes, digest);
    EXPECT_TRUE(info.ok()) << info.status();
    return digest;
  }
  static Digest Put(const Store& store, std::string_view repository, const std::string& json,
                    std::vector<std::string> tags = {}) {
    PutManifestRequest request;
    request.bytes = json;
    request.tags = std::move(tags);
    const absl::StatusOr<ManifestInfo> info = store.manifests.PutManifest(repository, request);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? info->digest : Digest();
  }
  struct Image {
    Digest config, layer, manifest;
    std::string json;
  };
  static Image PushImage(const Store& store, std::string_view repository, uint64_t seed,
                         std::vector<std::string> tags = {}) {
    Image image;
    image.config = Push(store, repository, StrCat("{\"config\":", seed, "}"));
    image.layer = Push(store, repository, MakeBytes(100'000, seed));
    ManifestParts parts;
    parts.config = image.config;
    parts.layers = {image.layer};
    image.json = ManifestJson(parts);
    image.manifest = Put(store, repository, image.json, std::move(tags));
    return image;
  }

 private:
  void Close() {
    ways_.clear();
    http_.reset();
    grpc_.reset();
    behind_.reset();
  }

  std::unique_ptr<StoreUnderTest> behind_;
  std::unique_ptr<LiveGrpcDoor> grpc_;
  std::unique_ptr<LiveHttpDoor> http_;
  std::vector<Way> ways_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CONTRACT_DOORS_DOORS_FIXTURE_H_
