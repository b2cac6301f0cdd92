#include "benchmarks/native/blob_service.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "benchmarks/native/grpc_call.h"
#include "benchmarks/native/wire.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve::load {
namespace {

constexpr size_t kMessageBytes = 1024 * 1024;
constexpr size_t kFrontBytes = 64;  // holds all fields before a payload, in both services

// The first bytes of a message, whatever slices they lie in.
absl::StatusOr<std::string> FrontOf(const grpc::ByteBuffer& message, size_t size) {
  std::vector<grpc::Slice> slices;
  if (!message.Dump(&slices).ok()) return absl::DataLossError("a message without bytes");
  std::string front;
  for (size_t i = 0; i < slices.size() && front.size() < size; ++i) {
    const size_t part = std::min(slices[i].size(), size - front.size());
    front.append(reinterpret_cast<const char*>(slices[i].begin()), part);
  }
  return front;
}

// The length of the payload in `field`, which must be the last of the message.
absl::StatusOr<uint64_t> PayloadBytes(const grpc::ByteBuffer& message, int field) {
  ASSIGN_OR_RETURN(const std::string front, FrontOf(message, kFrontBytes));
  WireReader reader(front);
  while (const std::optional<WireField> found = reader.Next()) {
    if (found->number != field || !found->start.has_value()) continue;
    if (*found->start + found->value == message.Length()) return found->value;
    return absl::DataLossError("a message is not as long as it says");
  }
  return 0;
}

// Counts the payload of a stream of messages.
class PayloadCounter {
 public:
  explicit PayloadCounter(int field) : field_(field) {}
  GrpcCall::OnMessage Callback() {
    return [this](const grpc::ByteBuffer& message) -> absl::Status {
      ASSIGN_OR_RETURN(const uint64_t bytes, PayloadBytes(message, field_));
      bytes_ += bytes;
      return absl::OkStatus();
    };
  }
  uint64_t bytes() const { return bytes_; }

 private:
  const int field_;
  uint64_t bytes_ = 0;
};

absl::Status Ignore(const grpc::ByteBuffer& /*message*/) { return absl::OkStatus(); }

// Field numbers are those of proto/varve/v1/blobs.proto.
class VarveBlobs final : public BlobService {
 public:
  explicit VarveBlobs(const std::string& socket) : connection_(socket) {}

  absl::StatusOr<uint64_t> Write(const Blob& blob) override {
    constexpr int kHeader = 1, kData = 2, kCommit = 3;
    std::string header, message;
    AppendNumber(&header, 5, blob.bytes.size());  // size_bytes
    AppendText(&message, kHeader, header);
    GrpcCall call(connection_, "/varve.v1.Blobs/Write", {}, Ignore);
    bool open = call.Send(message);
    const std::string_view bytes = blob.bytes;
    for (size_t at = 0; open && at < bytes.size(); at += kMessageBytes) {
      const std::string_view data = bytes.substr(at, kMessageBytes);
      message.clear();
      AppendDataHead(&message, kData, data.size());
      open = call.Send(message, data);
    }
    if (open) {
      std::string commit;
      AppendText(&commit, 1, blob.digest);
      message.clear();
      AppendText(&message, kCommit, commit);
      call.Send(message);
    }
    RETURN_IF_ERROR(call.Finish());
    return blob.bytes.size();
  }

  absl::StatusOr<uint64_t> Read(std::string_view digest) override {
    std::string request;
    AppendText(&request, 2, digest);
    PayloadCounter received(3);
    GrpcCall call(connection_, "/varve.v1.Blobs/Read", {}, received.Callback());
    call.Send(request);
    RETURN_IF_ERROR(call.Finish());
    return received.bytes();
  }

  absl::StatusOr<uint64_t> CountMissing(const std::vector<std::string>& digests) override {
    std::string request;
    for (const std::string& digest : digests) AppendText(&request, 2, digest);
    uint64_t missing = 0;
    GrpcCall call(connection_, "/varve.v1.Blobs/FindMissing", {},
                  [&missing](const grpc::ByteBuffer& message) -> absl::Status {
                    ASSIGN_OR_RETURN(const std::string all, FrontOf(message, message.Length()));
                    WireReader reader(all);
                    while (reader.Next().has_value()) ++missing;
                    return absl::OkStatus();
                  });
    call.Send(request);
    RETURN_IF_ERROR(call.Finish());
    return missing;
  }

 private:
  GrpcConnection connection_;
};

// Of containerd.services.content.v1, as containerd 1.6 speaks it.
constexpr char kContentWrite[] = "/containerd.services.content.v1.Content/Write";
constexpr char kContentRead[] = "/containerd.services.content.v1.Content/Read";

class ContainerdContent final : public BlobService {
 public:
  explicit ContainerdContent(const std::string& socket) : connection_(socket) {}

  // Its own client waits for the answer to each message before it sends the next. This one does
  // not, which the service allows and which can only be faster.
  absl::StatusOr<uint64_t> Write(const Blob& blob) override {
    const std::string_view bytes = blob.bytes;
    GrpcCall call(connection_, kContentWrite, kNamespace, Ignore);
    std::string message = Request(Action::kStat, 0);
    AppendText(&message, kRef, blob.digest);
    AppendNumber(&message, kTotal, bytes.size());
    bool open = call.Send(message);
    for (size_t at = 0; open && at < bytes.size(); at += kMessageBytes) {
      const std::string_view data = bytes.substr(at, kMessageBytes);
      message = Request(Action::kWrite, at);
      AppendDataHead(&message, kData, data.size());
      open = call.Send(message, data);
    }
    if (open) {
      message = Request(Action::kCommit, bytes.size());
      AppendNumber(&message, kTotal, bytes.size());
      AppendText(&message, kExpected, blob.digest);
      call.Send(message);
    }
    RETURN_IF_ERROR(call.Finish());
    return bytes.size();
  }

  absl::StatusOr<uint64_t> Read(std::string_view digest) override {
    std::string request;
    AppendText(&request, 1, digest);
    PayloadCounter received(2);
    GrpcCall call(connection_, kContentRead, kNamespace, received.Callback());
    call.Send(request);
    RETURN_IF_ERROR(call.Finish());
    return received.bytes();
  }

  absl::StatusOr<uint64_t> CountMissing(const std::vector<std::string>& /*digests*/) override {
    return absl::UnimplementedError("the content service has no call for many digests at once");
  }

 private:
  enum class Action : uint64_t { kStat = 0, kWrite = 1, kCommit = 2 };
  // Fields of WriteContentRequest.
  static constexpr int kAction = 1, kRef = 2, kTotal = 3, kExpected = 4, kOffset = 5, kData = 6;
  inline static const GrpcCall::Metadata kNamespace{"containerd-namespace", "bench"};

  static std::string Request(Action action, uint64_t offset) {
    std::string message;
    AppendNumber(&message, kAction, static_cast<uint64_t>(action));
    AppendNumber(&message, kOffset, offset);
    return message;
  }

  GrpcConnection connection_;
};

}  // namespace

std::unique_ptr<BlobService> ConnectVarve(const std::string& socket) {
  return std::make_unique<VarveBlobs>(socket);
}

std::unique_ptr<BlobService> ConnectContainerd(const std::string& socket) {
  return std::make_unique<ContainerdContent>(socket);
}

}  // namespace varve::load
