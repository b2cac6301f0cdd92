// Whatever the disk answers, and at whatever call: no client of a door sees a path of the machine.
#include <gmock/gmock.h>

#include <cerrno>

#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/index/memory_index.h"
#include "tests/contract/doors/live_doors.h"
#include "tests/contract/store_contract_fixture.h"
#include "tests/support/memory_file_system.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kDirectory[] = "/secret-store";

class DoorsPrivateTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.file_system = &disk_;
    options.large_blob_bytes = 150'000;
    options.open_index = [](const std::string&) { return NewMemoryIndex(); };
    auto opened = OpenEngine(kDirectory, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    layer_ = Push("layer", 100'000);
    config_ = Push("config", 100);
    grpc_ = std::make_unique<LiveGrpcDoor>(*engine_);
    http_ = std::make_unique<LiveHttpDoor>(*engine_);
  }

  Digest Push(const std::string& start, size_t size) {
    const std::string bytes = start + std::string(size, 'x');
    const Digest digest = Sha256(bytes);
    EXPECT_TRUE(PushBytes(engine_->blobs, "app", bytes, digest).ok());
    return digest;
  }

  // What a client does, each with its outcome; `run` makes content new.
  std::vector<absl::Status> Outcomes(const Store& store, int run) {
    std::vector<absl::Status> outcomes;
    outcomes.push_back(store.blobs.StatBlob("app", layer_).status());
    outcomes.push_back(store.blobs.OpenBlob("app", layer_).status());
    for (const size_t size : {size_t{100'000}, size_t{400'000}}) {
      const std::string bytes = StrCat("run ", run, std::string(size, 'y'));
      outcomes.push_back(PushBytes(store.blobs, "app", bytes, Sha256(bytes)).status());
      const auto upload = store.blobs.BeginUpload("app", {});
      outcomes.push_back(upload.status());
      if (!upload.ok()) continue;
      outcomes.push_back((*upload)->Append(0, bytes));
      outcomes.push_back((*upload)->Checkpoint());
      outcomes.push_back((*upload)->Abort());
    }
    // Too large for the index: it has a file.
    ManifestParts parts;
    parts.config = config_;
    parts.layers = {layer_};
    PutManifestRequest manifest;
    const std::string json = ManifestJson(parts);
    const std::string large = StrCat(json.substr(0, json.rfind('}')), R"(,"annotations":{"run":")",
                                     run, std::string(100'000, 'z'), "\"}}");
    manifest.bytes = large;
    manifest.tags = {"v1"};
    outcomes.push_back(store.manifests.PutManifest("app", manifest).status());
    outcomes.push_back(store.manifests.GetManifest("app", "v1").status());
    return outcomes;
  }

  MemoryFileSystem disk_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LiveGrpcDoor> grpc_;
  std::unique_ptr<LiveHttpDoor> http_;
  Digest layer_;
  Digest config_;
};

TEST_F(DoorsPrivateTest, NoErrorOfTheDiskShowsAPath) {
  int run = 0;
  int failures = 0;
  for (const int error : {ENOENT, EEXIST, EIO, ENOSPC, EMFILE}) {
    for (size_t kind = 0; kind < kFileCallKinds; ++kind) {
      const auto call = static_cast<FileCall>(kind);
      SCOPED_TRACE(StrCat("errno ", error, ", call ", kind));
      FileFault fault;
      fault.call = call;
      fault.status = ErrnoToStatus(error, StrCat("call ", kDirectory, "/blobs/000000/5"));
      fault.repeats = true;
      disk_.Inject(fault);
      for (const Store* const store : {static_cast<const Store*>(&grpc_->store()),
                                       static_cast<const Store*>(&http_->store())}) {
        for (const absl::Status& outcome : Outcomes(*store, ++run)) {
          EXPECT_THAT(std::string(outcome.message()), Not(HasSubstr("secret")));
          failures += outcome.ok() ? 0 : 1;
        }
      }
      disk_.ClearFaults();
    }
  }
  EXPECT_GT(failures, 100);  // else it has tried nothing
}

// A push looks for no file: that one of the store's is gone is not what its client has to hear.
TEST_F(DoorsPrivateTest, AFileThatThePushNeedsIsNotAnUnknownUpload) {
  int run = 0;
  int failures = 0;
  for (const FileCall call :
       {FileCall::kCreate, FileCall::kWrite, FileCall::kReserve, FileCall::kTruncate,
        FileCall::kSync, FileCall::kCreateDirectory, FileCall::kSyncDirectory, FileCall::kOpen}) {
    SCOPED_TRACE(StrCat("call ", static_cast<int>(call)));
    disk_.Inject({.call = call,
                  .status = ErrnoToStatus(ENOENT, "call /secret-store/blobs/000000/5"),
                  .repeats = true});
    for (const Store* const store :
         {static_cast<const Store*>(&grpc_->store()), static_cast<const Store*>(&http_->store())}) {
      for (const size_t size : {size_t{100'000}, size_t{400'000}}) {
        const std::string bytes = StrCat("run ", ++run, std::string(size, 'y'));
        const absl::Status pushed = PushBytes(store->blobs, "app", bytes, Sha256(bytes)).status();
        EXPECT_NE(pushed.code(), absl::StatusCode::kNotFound) << pushed;
        failures += pushed.ok() ? 0 : 1;
      }
    }
    disk_.ClearFaults();
  }
  EXPECT_GT(failures, 10);  // else it has tried nothing
}

}  // namespace
}  // namespace varve
