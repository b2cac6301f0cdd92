#include "tests/contract/store_contract_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "storage/base/mutex.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/memory_index.h"
#include "storage/index/rocksdb_index.h"
#include "tests/support/content.h"
#include "tests/support/fake_clock.h"
#include "tests/support/flaky_index.h"
#include "tests/support/forwarding_index.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_rocksdb_file_system.h"
#include "tests/support/power_loss_index.h"
#include "tests/support/temporary_directory.h"

namespace varve {
namespace {

class EngineUnderTest : public StoreUnderTest {
 public:
  const Store& store() override { return *store_; }
  void Reopen() override {
    const absl::Status saved = store_->system.CheckpointUploads();
    EXPECT_TRUE(saved.ok()) << saved;
    store_.reset();
    Open();
  }
  void ReopenWith(const NameRule& names) override {
    options_.names = names;
    Reopen();
  }
  void Advance(int64_t nanos) override { clock_.Advance(nanos); }
  void JumpWall(int64_t nanos) override { clock_.JumpWall(nanos); }
  std::string blobs_directory() const override { return directory_ + "/blobs"; }

 protected:
  explicit EngineUnderTest(const StoreSettings& settings) : random_(settings.seed) {
    options_.promise_nanos = settings.promise_nanos;
    options_.upload_expiry_nanos = settings.upload_expiry_nanos;
    options_.max_bytes = settings.max_bytes;
    options_.max_uploads = settings.max_uploads;
    options_.accept_sparse_index = settings.accept_sparse_index;
    options_.clock = &clock_;
    options_.random = &random_;
  }

  void Open() {
    absl::StatusOr<std::unique_ptr<Engine>> opened = OpenEngine(directory_, options_);
    if (!opened.ok()) {
      ADD_FAILURE() << "open: " << opened.status();
      std::abort();  // nothing that follows could run
    }
    store_ = *std::move(opened);
  }
  void Close() { store_.reset(); }

  std::string directory_;
  EngineOptions options_;

 private:
  FakeClock clock_;
  SeededRandom random_;
  std::unique_ptr<Engine> store_;
};

class DiskEngine final : public EngineUnderTest {
 public:
  explicit DiskEngine(const StoreSettings& settings) : EngineUnderTest(settings) {
    directory_ = scratch_.path();
    options_.open_index = [](const std::string& path) {
      RocksdbIndexOptions options;
      options.cache_bytes = 8 << 20;
      return OpenRocksdbIndex(path, options);
    };
    Open();
  }
  ~DiskEngine() override { Close(); }
  FileSystem& disk() override { return PosixFileSystem(); }
  std::optional<uint64_t> blob_bytes_read() const override { return std::nullopt; }

 private:
  const TemporaryDirectory scratch_;
};

// What a power cut leaves: at worst what was synced, at best all, mostly something between.
Survival SurvivalOf(uint64_t seed) {
  switch (seed % 4) {
    case 0:
      return Survival::kOnlySynced;
    case 1:
      return Survival::kEverything;
    default:
      return Survival::kRandom;
  }
}

// Over a disk in memory that can lose its power.
class PoweredEngine : public EngineUnderTest {
 public:
  FileSystem& disk() override { return disk_; }
  std::optional<uint64_t> blob_bytes_read() const override {
    return disk_.Counters(Under(blobs_directory())).bytes_read;
  }
  void CutPowerAfter(uint64_t calls) override { disk_.CutPowerAfter(calls); }
  void PowerCycle(uint64_t seed) override {
    disk_.CutPower();
    Close();
    disk_.PowerUp(SurvivalOf(seed), seed);
    PowerUpIndex(SurvivalOf(seed), seed);
    Open();
  }

 protected:
  explicit PoweredEngine(const StoreSettings& settings) : EngineUnderTest(settings) {
    directory_ = "/store";
    options_.file_system = &disk_;
  }
  virtual void PowerUpIndex(Survival /*survival*/, uint64_t /*seed*/) {}

  MemoryFileSystem disk_;
};

class MemoryEngine final : public PoweredEngine {
 public:
  using Wrap = std::function<std::unique_ptr<Index>(std::unique_ptr<Index> index)>;

  explicit MemoryEngine(const StoreSettings& settings, const Wrap& wrap = nullptr)
      : PoweredEngine(settings) {
    auto index = std::make_unique<PowerLossIndex>(NewMemoryIndex(), disk_);
    powered_index_ = index.get();
    index_ = wrap == nullptr ? std::move(index) : wrap(std::move(index));
    options_.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<ForwardingIndex>(*index_);
    };
    Open();
  }
  ~MemoryEngine() override { Close(); }

 private:
  void PowerUpIndex(Survival survival, uint64_t seed) override {
    powered_index_->PowerUp(survival, seed);
  }

  PowerLossIndex* powered_index_ = nullptr;
  std::unique_ptr<Index> index_;
};

class RocksdbMemoryEngine final : public PoweredEngine {
 public:
  explicit RocksdbMemoryEngine(const StoreSettings& settings) : PoweredEngine(settings) {
    options_.open_index = [this](const std::string& path) {
      RocksdbIndexOptions options;
      options.cache_bytes = 4 << 20;
      options.file_system = NewMemoryRocksdbFileSystem(disk_);
      return OpenRocksdbIndex(path, options);
    };
    Open();
  }
  ~RocksdbMemoryEngine() override { Close(); }
};

// The sizes of what Sha256 was asked about: a descriptor states them.
class KnownSizes {
 public:
  void Remember(const Digest& digest, size_t size_bytes) {
    const MutexLock lock(mutex_);
    sizes_[digest] = size_bytes;
  }
  size_t Of(const Digest& digest) {
    const MutexLock lock(mutex_);
    const auto found = sizes_.find(digest);
    return found == sizes_.end() ? 7 : found->second;
  }

 private:
  Mutex mutex_;
  std::map<Digest, size_t> sizes_ ABSL_GUARDED_BY(mutex_);
};

KnownSizes& TheKnownSizes() {
  static auto* const sizes = new KnownSizes();
  return *sizes;
}

std::string DescriptorJson(std::string_view media_type, const Digest& digest, bool foreign) {
  return StrCat("{\"mediaType\":\"", media_type, "\",\"digest\":\"", digest.ToString(),
                "\",\"size\":", TheKnownSizes().Of(digest),
                foreign ? ",\"urls\":[\"https://example.com/x\"]" : "", "}");
}

std::string ListJson(const std::vector<std::string>& items) {
  std::string json = "[";
  for (const std::string& item : items) json += (json.size() > 1 ? "," : "") + item;
  return json + "]";
}

}  // namespace

std::vector<std::string> StoreUnderTest::BlobFiles(std::optional<uint64_t> size_bytes) {
  std::vector<std::string> paths;
  const std::vector<std::string> ranges = disk().List(blobs_directory()).value();
  for (const std::string& range : ranges) {
    const std::string directory = StrCat(blobs_directory(), "/", range);
    const std::vector<std::string> names = disk().List(directory).value();
    for (const std::string& name : names) {
      const std::string path = StrCat(directory, "/", name);
      if (!size_bytes.has_value() || disk().Stat(path).value().size_bytes == *size_bytes) {
        paths.push_back(path);
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

uint64_t StoreUnderTest::AllocatedBytes() {
  uint64_t total = 0;
  for (const std::string& path : BlobFiles()) total += disk().Stat(path).value().allocated_bytes;
  return total;
}

bool CanAll(Ability) { return true; }
bool CanAllButPowerCut(Ability ability) { return ability != Ability::kPowerCut; }

std::vector<StoreFactory> StoresThat(Ability ability) {
  std::vector<StoreFactory> able;
  for (StoreFactory& store : AllStores()) {
    if (store.can(ability)) able.push_back(std::move(store));
  }
  return able;
}

StoreFactory DiskStore() {
  return {"Disk",
          [](const StoreSettings& settings) -> std::unique_ptr<StoreUnderTest> {
            return std::make_unique<DiskEngine>(settings);
          },
          1000, CanAllButPowerCut};
}

StoreFactory MemoryStore() {
  return {"Memory", [](const StoreSettings& settings) -> std::unique_ptr<StoreUnderTest> {
            return std::make_unique<MemoryEngine>(settings);
          }};
}

StoreFactory FlakyStore() {
  return {"Flaky", [](const StoreSettings& settings) -> std::unique_ptr<StoreUnderTest> {
            FlakyOptions options;
            options.seed = settings.seed;
            // A manifest with 900 references meets 900 guards: each try must have a chance.
            options.guard_conflict_rate = 0.001;
            return std::make_unique<MemoryEngine>(settings,
                                                  [options](std::unique_ptr<Index> index) {
                                                    return NewFlakyIndex(std::move(index), options);
                                                  });
          }};
}

StoreFactory PowerStore() {
  return {"Power",
          [](const StoreSettings& settings) -> std::unique_ptr<StoreUnderTest> {
            return std::make_unique<RocksdbMemoryEngine>(settings);
          },
          2000};
}

std::string StoreName(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }

std::string MakeBytes(size_t size, uint64_t seed) { return TestBytes(size, seed); }

Digest Sha256(std::string_view bytes) {
  const Digest digest = HashBytes(DigestAlgorithm::kSha256, bytes);
  TheKnownSizes().Remember(digest, bytes.size());
  return digest;
}

std::string ManifestJson(const ManifestParts& parts) {
  std::string json = StrCat("{\"schemaVersion\":2,\"mediaType\":\"", parts.media_type, "\"");
  if (!parts.artifact_type.empty()) {
    json += StrCat(",\"artifactType\":\"", parts.artifact_type, "\"");
  }
  if (parts.config.has_value()) {
    json += StrCat(",\"config\":", DescriptorJson("application/vnd.oci.image.config.v1+json",
                                                  *parts.config, false));
    std::vector<std::string> layers;
    constexpr std::string_view kGzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
    for (const Digest& layer : parts.layers) {
      layers.push_back(DescriptorJson(kGzipLayer, layer, false));
    }
    for (const Digest& layer : parts.foreign_layers) {
      layers.push_back(DescriptorJson(kGzipLayer, layer, true));
    }
    json += StrCat(",\"layers\":", ListJson(layers));
  } else {
    std::vector<std::string> children;
    for (const Digest& child : parts.children) {
      children.push_back(
          DescriptorJson("application/vnd.oci.image.manifest.v1+json", child, false));
    }
    json += StrCat(",\"manifests\":", ListJson(children));
  }
  if (parts.subject.has_value()) {
    json += StrCat(",\"subject\":", DescriptorJson("application/vnd.oci.image.manifest.v1+json",
                                                   *parts.subject, false));
  }
  if (!parts.note.empty()) json += StrCat(",\"annotations\":{\"note\":\"", parts.note, "\"}");
  return json + "}";
}

absl::StatusOr<BlobInfo> PushBytes(Blobs& blobs, std::string_view repository,
                                   std::string_view bytes, const Digest& digest) {
  ASSIGN_OR_RETURN(const std::unique_ptr<OpenUpload> upload, blobs.BeginUpload(repository, {}));
  RETURN_IF_ERROR(upload->Append(0, bytes));
  return upload->Commit(digest, bytes.size());
}

Digest StoreContractTest::Push(std::string_view repository, std::string_view bytes) {
  const Digest digest = Sha256(bytes);
  const absl::StatusOr<BlobInfo> info = PushBytes(store().blobs, repository, bytes, digest);
  EXPECT_TRUE(info.ok()) << info.status();
  return digest;
}

Digest StoreContractTest::PutManifest(std::string_view repository, const std::string& json,
                                      std::vector<std::string> tags) {
  PutManifestRequest request;
  request.bytes = json;
  request.tags = std::move(tags);
  const absl::StatusOr<ManifestInfo> info = store().manifests.PutManifest(repository, request);
  EXPECT_TRUE(info.ok()) << info.status();
  Sha256(json);  // an index may list it
  return info.ok() ? info->digest : Digest();
}

StoreContractTest::Image StoreContractTest::PushImage(std::string_view repository, uint64_t seed,
                                                      std::vector<std::string> tags,
                                                      size_t layer_bytes) {
  Image image;
  image.config = Push(repository, StrCat("{\"config\":", seed, "}"));
  image.layer = Push(repository, MakeBytes(layer_bytes, seed));
  ManifestParts parts;
  parts.config = image.config;
  parts.layers = {image.layer};
  image.manifest_json = ManifestJson(parts);
  image.manifest = PutManifest(repository, image.manifest_json, std::move(tags));
  return image;
}

void StoreContractTest::DeleteManifest(std::string_view repository, const Digest& digest) {
  const absl::Status deleted =
      Able(Ability::kDeleteManifest).manifests.DeleteManifest(repository, digest);
  EXPECT_TRUE(deleted.ok()) << deleted;
}

std::string StoreContractTest::Read(std::string_view repository, const Digest& digest) {
  const absl::StatusOr<BlobReader> reader = store().blobs.OpenBlob(repository, digest);
  EXPECT_TRUE(reader.ok()) << reader.status();
  if (!reader.ok()) return "(error)";
  const absl::StatusOr<std::string> bytes = ReadWhole(*reader);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("(error)");
}

// The daemon's own, whatever door the test is about.
ReclaimReport StoreContractTest::Reclaim() {
  const absl::StatusOr<ReclaimReport> report = under_test().engine().system.Reclaim();
  EXPECT_TRUE(report.ok()) << report.status();
  return report.value_or(ReclaimReport());
}

}  // namespace varve
