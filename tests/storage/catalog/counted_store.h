// A store in memory over an index that counts what is read and how often it is asked, and at whose
// steps something else may happen. One thread.
#ifndef VARVE_TESTS_STORAGE_CATALOG_COUNTED_STORE_H_
#define VARVE_TESTS_STORAGE_CATALOG_COUNTED_STORE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/api/blobs.h"
#include "storage/api/claims.h"
#include "storage/api/manifests.h"
#include "storage/api/system.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"
#include "storage/engine.h"
#include "storage/image/hasher.h"
#include "storage/index/keys.h"
#include "storage/index/memory_index.h"
#include "storage/index/rows.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/stepped_index.h"
#include "tests/support/tombstone_index.h"

namespace varve {

class CountedStore {
 public:
  // With an image in the repository "app", `image_`, an index without children; an hour after that.
  CountedStore() {
    Open();
    const absl::StatusOr<Digest> image = PutIndex("app", {});
    EXPECT_TRUE(image.ok()) << image.status();
    image_ = image.value_or(Digest());
    clock_.Advance(3600 * kNanosPerSecond);  // promises end
    Pass();
  }

  static Digest DigestOf(size_t number) {
    return HashBytes(DigestAlgorithm::kSha256, std::to_string(number));
  }

  void Open() {
    store_.reset();
    EngineOptions options;
    options.file_system = &disk_;
    options.clock = &clock_;
    options.random = &random_;
    options.names = names_;
    options.open_index = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<Index>> {
      return std::make_unique<SteppedIndex>(index_, &step_);
    };
    auto opened = OpenEngine("/store", options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  absl::Status Push(std::string_view repository, std::string_view bytes) {
    ASSIGN_OR_RETURN(const auto upload, store_->blobs.BeginUpload(repository, {}));
    RETURN_IF_ERROR(upload->Append(0, bytes));
    return upload->Commit(HashBytes(DigestAlgorithm::kSha256, bytes), bytes.size()).status();
  }
  absl::StatusOr<Digest> Put(std::string_view repository, const std::string& manifest) {
    PutManifestRequest request;
    request.bytes = manifest;
    ASSIGN_OR_RETURN(const ManifestInfo info, store_->manifests.PutManifest(repository, request));
    return info.digest;
  }
  absl::StatusOr<Digest> PutIndex(std::string_view repository, std::string_view annotation) {
    return Put(repository, StrCat(R"({"schemaVersion":2,"mediaType":)",
                                  R"("application/vnd.oci.image.index.v1+json","manifests":[],)",
                                  R"("annotations":{"a":")", annotation, R"("}})"));
  }

  void Pass() {
    const auto report = store_->system.Reclaim();
    EXPECT_TRUE(report.ok()) << report.status();
  }
  size_t StepsOfAPass() {
    index_.Reset();
    Pass();
    return index_.steps();
  }

  // 0 when there is none.
  RepositoryId IdOf(std::string_view repository) {
    const auto row = index_.Get(RepositoryKey(repository));
    return row.ok() && row->has_value() ? RepositoryRow::Decode(**row)->id : 0;
  }
  void PutLink(const Digest& blob, int64_t expires) {
    const RepositoryId repository = IdOf("app");
    const absl::Status put = index_.Run([&](Transaction& txn) -> absl::Status {
      RETURN_IF_ERROR(txn.Put(LinkKey(repository, blob), LinkRow{expires}.Encode()));
      return txn.Put(LinkExpiryKey(expires, repository, blob), "");
    });
    EXPECT_TRUE(put.ok()) << put;
  }
  bool HasLink(const Digest& blob) { return index_.Get(LinkKey(IdOf("app"), blob))->has_value(); }
  void Hold(const std::string& name, int64_t ttl_nanos) {
    const auto hold = store_->claims.CreateHold({name, "app", image_, ttl_nanos});
    EXPECT_TRUE(hold.ok()) << hold.status();
  }
  void Lease(const std::string& id, int64_t ttl_nanos) {
    LeaseRequest request;
    request.id = id;
    request.ttl_nanos = ttl_nanos;
    const auto lease = store_->claims.CreateLease(request);
    EXPECT_TRUE(lease.ok()) << lease.status();
  }
  size_t Holds() { return store_->claims.ListHolds({})->rows.size(); }
  size_t Leases() { return store_->claims.ListLeases({})->rows.size(); }

  MemoryFileSystem disk_;
  FakeClock clock_;
  SeededRandom random_{1};
  TombstoneIndex index_{NewMemoryIndex()};
  Step step_;
  NameRule names_;  // from the next Open on
  std::unique_ptr<Engine> store_;
  Digest image_;
};

}  // namespace varve

#endif  // VARVE_TESTS_STORAGE_CATALOG_COUNTED_STORE_H_
