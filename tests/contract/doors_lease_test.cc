// Work under a lease through each door, beside prune and the reclaimer: what its calls add or ask
// for stays, however long it takes.
#include <gmock/gmock.h>

#include <functional>

#include "client/byte_source.h"
#include "storage/api/pruning.h"
#include "storage/base/status.h"
#include "tests/contract/doors/doors_fixture.h"

namespace varve {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using Code = absl::StatusCode;

// A client that names a lease in all its calls.
class Builder {
 public:
  virtual ~Builder() = default;
  virtual absl::Status PutBlob(const std::string& bytes) = 0;
  virtual absl::Status PutManifest(const std::string& json, const std::string& tag) = 0;
  virtual absl::Status Stat(const Digest& blob) = 0;
  virtual absl::Status Read(const Digest& blob) = 0;
  virtual absl::Status StatManifest(const std::string& reference) = 0;
  virtual absl::Status Pull(const std::string& reference) = 0;
};

class GrpcBuilder final : public Builder {
 public:
  GrpcBuilder(const std::string& address, const std::string& lease) {
    ClientOptions options;
    options.lease = lease;
    auto client = Client::Connect(address, options);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  absl::Status PutBlob(const std::string& bytes) override {
    ByteSource source(
        [&bytes](uint64_t offset, char* out, size_t limit) -> absl::StatusOr<size_t> {
          return bytes.copy(out, limit, offset);
        },
        bytes.size());
    PutBlobOptions options;
    options.repository = "app";
    return client_->PutBlob(source, options).status();
  }
  absl::Status PutManifest(const std::string& json, const std::string& tag) override {
    PutManifestRequest request;
    request.bytes = json;
    if (!tag.empty()) request.tags = {tag};
    return client_->PutManifest("app", request).status();
  }
  absl::Status Stat(const Digest& blob) override { return client_->StatBlob("app", blob).status(); }
  absl::Status Read(const Digest& blob) override {
    const ByteSink sink = [](std::string_view) { return absl::OkStatus(); };
    return client_->GetBlob(blob, sink, {"app", nullptr}).status();
  }
  absl::Status StatManifest(const std::string& reference) override {
    return client_->StatManifest("app", Reference(reference)).status();
  }
  absl::Status Pull(const std::string& reference) override {
    return client_->GetManifest("app", Reference(reference)).status();
  }

 private:
  static ManifestReference Reference(const std::string& text) {
    const auto digest = Digest::Parse(text);
    return digest.ok() ? ManifestReference(*digest) : ManifestReference(text);
  }
  std::unique_ptr<Client> client_;
};

class HttpBuilder final : public Builder {
 public:
  HttpBuilder(uint16_t port, std::string lease) : exchanges_(port), lease_(std::move(lease)) {}

  absl::Status PutBlob(const std::string& bytes) override {
    const HttpResponse opened = Do("POST", "/v2/app/blobs/uploads/");
    if (opened.status != 202) return StatusOf(opened, About::kName);
    const std::string location = opened.Header("location");
    const HttpResponse sent = Do("PATCH", location, bytes);
    if (sent.status != 202) return StatusOf(sent, About::kName);
    return StatusOf(Do("PUT", location + "?digest=" + Sha256(bytes).ToString()), About::kName);
  }
  absl::Status PutManifest(const std::string& json, const std::string& tag) override {
    return StatusOf(
        Do("PUT", "/v2/app/manifests/" + (tag.empty() ? Sha256(json).ToString() : tag), json),
        About::kName);
  }
  absl::Status Stat(const Digest& blob) override {
    return StatusOf(Do("HEAD", "/v2/app/blobs/" + blob.ToString()), About::kName);
  }
  absl::Status Read(const Digest& blob) override {
    return StatusOf(Do("GET", "/v2/app/blobs/" + blob.ToString()), About::kName);
  }
  absl::Status StatManifest(const std::string& reference) override {
    return StatusOf(Do("HEAD", "/v2/app/manifests/" + reference), About::kName);
  }
  absl::Status Pull(const std::string& reference) override {
    return StatusOf(Do("GET", "/v2/app/manifests/" + reference), About::kName);
  }

 private:
  HttpResponse Do(std::string_view method, std::string_view target, std::string_view body = {}) {
    return exchanges_.Do(method, target, body, {{"Varve-Lease", lease_}});
  }
  HttpExchanges exchanges_;
  const std::string lease_;
};

class DoorsLeaseTest : public DoorsTest {
 protected:
  void CreateLease(const std::string& id) {
    LeaseRequest request;
    request.id = id;
    request.ttl_nanos = 2 * kHour;
    ASSERT_TRUE(engine().claims.CreateLease(request).ok());
  }
  uint64_t Contents(const std::string& lease) {
    const auto page = engine().claims.ListLeases({"", 100});
    EXPECT_TRUE(page.ok()) << page.status();
    for (const LeaseInfo& info : page->rows) {
      if (info.id == lease) return info.contents;
    }
    ADD_FAILURE() << "no lease " << lease;
    return 0;
  }
  // More than the promise time passes; then all goes that may go. Images removed.
  uint64_t TimePassesAndAllIsPruned() {
    behind().Advance(11 * kMinute);
    const auto report =
        engine().images.Prune({.filters = {}, .dry_run = false, .all = true}, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(engine().system.Reclaim().ok());
    return report.ok() ? report->images : 0;
  }
  // Grants no promise.
  bool IsHere(const Digest& content) { return engine().blobs.OpenBlob("", content).ok(); }

  // Through each door in turn, over an empty store, under the lease "build".
  void ForEachDoor(const std::function<void(Builder&)>& test) {
    for (const bool over_http : {false, true}) {
      SCOPED_TRACE(over_http ? "HTTP" : "gRPC");
      Make({});
      TimePassesAndAllIsPruned();  // nothing goes in the first promise time of a store
      CreateLease("build");
      if (over_http) {
        HttpBuilder builder(http().port(), "build");
        test(builder);
      } else {
        GrpcBuilder builder(grpc().address(), "build");
        test(builder);
      }
    }
  }
};

TEST_F(DoorsLeaseTest, ABuildThatTakesLongerThanThePromiseKeepsItsBlobs) {
  ForEachDoor([&](Builder& builder) {
    const std::string config = "{\"config\":1}";
    const std::string layer = MakeBytes(200'000, 1);
    const std::string other = MakeBytes(200'000, 2);
    const Digest unleased = Push(engine(), "app", MakeBytes(200'000, 3));
    ASSERT_TRUE(builder.PutBlob(layer).ok());
    EXPECT_EQ(TimePassesAndAllIsPruned(), 0u);
    EXPECT_FALSE(IsHere(unleased));
    EXPECT_TRUE(IsHere(Sha256(layer)));
    ASSERT_TRUE(builder.PutBlob(config).ok());
    ASSERT_TRUE(builder.PutBlob(other).ok());
    EXPECT_EQ(TimePassesAndAllIsPruned(), 0u);
    ManifestParts parts;
    parts.config = Sha256(config);
    parts.layers = {Sha256(layer)};
    const std::string json = ManifestJson(parts);
    const absl::Status put = builder.PutManifest(json, "");
    ASSERT_TRUE(put.ok()) << put;
    EXPECT_EQ(TimePassesAndAllIsPruned(), 0u);
    EXPECT_EQ(Contents("build"), 4u);
    EXPECT_EQ(engine().manifests.StatManifest("app", Sha256(json)).status().code(), Code::kOk);
    // The image is finished, what it needs has its edges; the layer it does not need goes.
    ASSERT_TRUE(engine().manifests.Tag("app", "v1", Sha256(json)).ok());
    ASSERT_TRUE(engine().claims.CreateHold({"web", "app", Sha256(json), 0}).ok());
    ASSERT_TRUE(engine().claims.DeleteLease("build").ok());
    EXPECT_EQ(TimePassesAndAllIsPruned(), 0u);
    EXPECT_TRUE(IsHere(Sha256(layer)));
    EXPECT_FALSE(IsHere(Sha256(other)));
    ASSERT_TRUE(engine().claims.ReleaseHold("web").ok());
    EXPECT_EQ(TimePassesAndAllIsPruned(), 1u);
    TimePassesAndAllIsPruned();
    EXPECT_THAT(behind().BlobFiles(), IsEmpty());
  });
}

TEST_F(DoorsLeaseTest, WhatAClientWasToldIsHereStays) {
  ForEachDoor([&](Builder& builder) {
    const Digest asked = Push(engine(), "app", MakeBytes(100'000, 1));
    const Digest read = Push(engine(), "app", MakeBytes(100'000, 2));
    ASSERT_TRUE(builder.Stat(asked).ok());
    ASSERT_TRUE(builder.Read(read).ok());
    // A question about what is not here keeps it when it comes.
    const std::string later = MakeBytes(100'000, 4);
    EXPECT_EQ(builder.Stat(Sha256(later)).code(), Code::kNotFound);
    Push(engine(), "app", later);
    EXPECT_EQ(Contents("build"), 3u);
    TimePassesAndAllIsPruned();
    TimePassesAndAllIsPruned();
    EXPECT_TRUE(IsHere(asked));
    EXPECT_TRUE(IsHere(read));
    EXPECT_TRUE(IsHere(Sha256(later)));
  });
}

TEST_F(DoorsLeaseTest, AnImageThatIsBeingPulledStays) {
  ForEachDoor([&](Builder& builder) {
    const Image pulled = PushImage(engine(), "app", 1, {"v1"});
    const Image looked_at = PushImage(engine(), "app", 2, {"v2"});
    const Image by_digest = PushImage(engine(), "app", 3, {"v3"});
    PushImage(engine(), "app", 4, {"v4"});
    ASSERT_TRUE(builder.Pull("v1").ok());
    ASSERT_TRUE(builder.StatManifest("v2").ok());
    ASSERT_TRUE(builder.Pull(by_digest.manifest.ToString()).ok());
    EXPECT_EQ(Contents("build"), 3u);
    EXPECT_EQ(engine().manifests.DeleteManifest("app", pulled.manifest).code(),
              Code::kFailedPrecondition);
    EXPECT_EQ(TimePassesAndAllIsPruned(), 1u);
    for (const Image& image : {pulled, looked_at, by_digest}) {
      EXPECT_TRUE(builder.Read(image.config).ok());
      EXPECT_TRUE(builder.Read(image.layer).ok());
    }
    EXPECT_EQ(builder.Pull("no-such-tag").code(), Code::kNotFound);
  });
}

TEST_F(DoorsLeaseTest, WithoutTheLeaseNothingIsDone) {
  const Image image = PushImage(engine(), "app", 1, {"v1"});
  const size_t files = behind().BlobFiles().size();
  ManifestParts parts;
  parts.config = image.config;
  parts.note = "another one";
  const std::string json = ManifestJson(parts);
  const auto check = [&](Builder& builder) {
    const std::vector<absl::Status> statuses = {
        builder.PutBlob(MakeBytes(200'000, 9)),
        builder.PutManifest(json, ""),
        builder.PutManifest(json, "v2"),
        builder.Pull("v1"),
        builder.Pull(image.manifest.ToString()),
        builder.Read(image.layer),
        builder.Pull("no-such-tag"),
    };
    for (const absl::Status& status : statuses) {
      // HTTP has one number for both.
      EXPECT_THAT(status.code(), AnyOf(Code::kFailedPrecondition, Code::kAlreadyExists)) << status;
      EXPECT_THAT(std::string(ToStd(status.message())), HasSubstr("there is no lease ended"));
    }
    EXPECT_FALSE(builder.Stat(image.layer).ok());
    EXPECT_FALSE(builder.StatManifest("v1").ok());
  };
  GrpcBuilder over_grpc(grpc().address(), "ended");
  HttpBuilder over_http(http().port(), "ended");
  check(over_grpc);
  check(over_http);
  EXPECT_EQ(behind().BlobFiles().size(), files);
  EXPECT_EQ(engine().manifests.StatManifest("app", Sha256(json)).status().code(), Code::kNotFound);
  EXPECT_EQ(engine().manifests.StatManifest("app", "v2").status().code(), Code::kNotFound);
  HttpBuilder malformed(http().port(), "no id");
  EXPECT_EQ(malformed.PutBlob("bytes").code(), Code::kInvalidArgument);
  EXPECT_EQ(Client::Connect(grpc().address(), {.lease = "no id"}).status().code(),
            Code::kInvalidArgument);
}

// A request that deletes takes no notice of the lease, nor does one that lists.
TEST_F(DoorsLeaseTest, OtherRequestsTakeNoNoticeOfALease) {
  const Image image = PushImage(engine(), "app", 1, {"v1"});
  HttpExchanges exchanges(http().port());
  const HttpHeaders lease = {{"Varve-Lease", "ended"}};
  EXPECT_EQ(exchanges.Do("GET", "/v2/app/tags/list", {}, lease).status, 200);
  EXPECT_EQ(
      exchanges.Do("DELETE", "/v2/app/manifests/" + image.manifest.ToString(), {}, lease).status,
      202);
}

TEST_F(DoorsLeaseTest, AMountAndAPushInOneRequestAreAttached) {
  TimePassesAndAllIsPruned();  // nothing goes in the first promise time of a store
  CreateLease("build");
  const Digest mounted = Push(engine(), "base", MakeBytes(100'000, 1));
  const std::string pushed = MakeBytes(100'000, 2);
  HttpExchanges exchanges(http().port());
  const HttpHeaders lease = {{"Varve-Lease", "build"}};
  EXPECT_EQ(
      exchanges
          .Do("POST", "/v2/app/blobs/uploads/?from=base&mount=" + mounted.ToString(), {}, lease)
          .status,
      201);
  EXPECT_EQ(
      exchanges
          .Do("POST", "/v2/app/blobs/uploads/?digest=" + Sha256(pushed).ToString(), pushed, lease)
          .status,
      201);
  EXPECT_EQ(Contents("build"), 2u);
  TimePassesAndAllIsPruned();
  TimePassesAndAllIsPruned();
  EXPECT_TRUE(IsHere(mounted));
  EXPECT_TRUE(IsHere(Sha256(pushed)));
}

}  // namespace
}  // namespace varve
