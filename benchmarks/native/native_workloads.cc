#include "benchmarks/native/native_workloads.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "benchmarks/fill/store_plan.h"
#include "benchmarks/load/http_connection.h"
#include "benchmarks/load/registry.h"
#include "benchmarks/native/blob_service.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

using Measurements = absl::StatusOr<std::vector<Measurement>>;

constexpr size_t kLargeBytes = 512ull << 20;
constexpr size_t kReads = 4;  // of it, after one that is not measured

std::vector<std::unique_ptr<BlobService>> Connect(const NativeTarget& target, int count) {
  std::vector<std::unique_ptr<BlobService>> services;
  for (int i = 0; i < count; ++i) {
    services.push_back(target.protocol == Protocol::kVarve ? ConnectVarve(target.socket)
                                                           : ConnectContainerd(target.socket));
  }
  return services;
}

// Besides the measured write: one small one, so that the connection is there.
absl::StatusOr<Measurement> WriteLarge(const NativeTarget& target, BlobService& service,
                                       const Blob& blob) {
  RETURN_IF_ERROR(service.Write(MakeBlob(target.seed * 1'000'003 + 1, 100'000)).status());
  return Measure("grpc_write", target.server, 1, 1,
                 [&](int, size_t) { return service.Write(blob); });
}

Measurements GrpcWrite(const NativeTarget& target) {
  const auto services = Connect(target, 1);
  const Blob blob = MakeBlob(target.seed, kLargeBytes);
  ASSIGN_OR_RETURN(Measurement written, WriteLarge(target, *services[0], blob));
  return std::vector<Measurement>{std::move(written)};
}

Measurements GrpcRead(const NativeTarget& target) {
  const auto services = Connect(target, 1);
  const Blob blob = MakeBlob(target.seed, kLargeBytes);
  RETURN_IF_ERROR(WriteLarge(target, *services[0], blob).status());
  const auto read = [&](int, size_t) -> absl::StatusOr<uint64_t> {
    ASSIGN_OR_RETURN(const uint64_t bytes, services[0]->Read(blob.digest));
    if (bytes != kLargeBytes) return absl::DataLossError(StrCat("only ", bytes, " bytes came"));
    return bytes;
  };
  RETURN_IF_ERROR(read(0, 0).status());
  ASSIGN_OR_RETURN(Measurement done, Measure("grpc_read", target.server, 1, kReads, read));
  return std::vector<Measurement>{std::move(done)};
}

// Batches of 1,000 digests, half of them present; of those one in four is loose, the others inline.
Measurements FindMissing(const NativeTarget& target) {
  constexpr int kConnections = 4;
  constexpr size_t kPresent = 4000, kBatches = 1000, kDigests = 1000;
  if (target.protocol != Protocol::kVarve) {
    return absl::UnimplementedError("containerd has no call for many digests at once");
  }
  const auto services = Connect(target, kConnections);
  std::vector<std::string> present, absent;
  for (size_t i = 0; i < kPresent; ++i) {
    const Blob blob =
        MakeBlob(target.seed * 1'000'003 + i, i % 4 == 0 ? 80 * 1024 : 1000 + i % 1000);
    present.push_back(blob.digest);
    absent.push_back(MakeBlob(~(target.seed * 1'000'003 + i), 16).digest);
    RETURN_IF_ERROR(services[0]->Write(blob).status());
  }
  const auto ask = [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
    std::vector<std::string> digests;
    for (size_t k = 0; k < kDigests; ++k) {
      const size_t at = (i * 7919 + k) % kPresent;
      digests.push_back(k % 2 == 0 ? present[at] : absent[at]);
    }
    ASSIGN_OR_RETURN(const uint64_t missing,
                     services[static_cast<size_t>(connection)]->CountMissing(digests));
    if (missing != kDigests / 2) return absl::DataLossError(StrCat(missing, " are missing"));
    return 0;
  };
  RETURN_IF_ERROR(Measure("warm", target.server, kConnections, 20, ask).status());
  ASSIGN_OR_RETURN(Measurement batches,
                   Measure("find_missing", target.server, kConnections, kBatches, ask));
  Measurement digests = batches;
  digests.name = "find_missing_digests";
  digests.operations *= kDigests;
  return std::vector<Measurement>{std::move(batches), std::move(digests)};
}

// One read of a filled store: of each three, a manifest by tag, an inline and a loose layer.
absl::Status ReadOne(const StorePlan& plan, size_t i, HttpConnection& connection) {
  const uint64_t image = i * 2'654'435'761ull % plan.images();
  const std::string base =
      StrCat("/v2/", StorePlan::RepositoryName(StorePlan::RepositoryOf(image)));
  std::string target;
  HttpRequest request;
  if (i % 3 == 0) {
    target = StrCat(base, "/manifests/", StorePlan::TagOf(image));
    request.headers = "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
  } else {
    const uint64_t layer =
        i % 3 == 1 ? i / 3 % kInlineLayers : kInlineLayers + i / 3 % kLooseLayers;
    target = StrCat(base, "/blobs/", plan.OwnLayer(image, layer).digest.ToString());
    request.method = "HEAD";
  }
  request.target = target;
  ASSIGN_OR_RETURN(const HttpResponse response, connection.Call(request));
  if (response.status == 200) return absl::OkStatus();
  return absl::DataLossError(StrCat(target, " answers ", response.status));
}

// HEADs and manifest GETs all over the key space of a filled store.
Measurements Reads(const NativeTarget& target) {
  if (target.blobs < kMinPlannedBlobs) {
    return absl::InvalidArgumentError("reads need --blobs, of a filled store");
  }
  const StorePlan plan(target.blobs);
  std::vector<std::unique_ptr<HttpConnection>> connections;
  for (int i = 0; i < target.connections; ++i) {
    connections.push_back(std::make_unique<HttpConnection>("127.0.0.1", target.port));
  }
  ASSIGN_OR_RETURN(
      Measurement reads,
      Measure("reads", target.server, target.connections, target.operations,
              [&](int connection, size_t i) -> absl::StatusOr<uint64_t> {
                RETURN_IF_ERROR(ReadOne(plan, i, *connections[static_cast<size_t>(connection)]));
                return 0;
              }));
  return std::vector<Measurement>{std::move(reads)};
}

}  // namespace

absl::StatusOr<std::vector<Measurement>> RunNative(const std::string& workload,
                                                   const NativeTarget& target) {
  if (workload == "grpc_write") return GrpcWrite(target);
  if (workload == "grpc_read") return GrpcRead(target);
  if (workload == "find_missing") return FindMissing(target);
  if (workload == "reads") return Reads(target);
  return absl::InvalidArgumentError(StrCat("there is no workload \"", workload, "\""));
}

}  // namespace varve::load
