// A daemon in this process, and the stubs of a client of it. One thread.
#ifndef VARVE_TESTS_DAEMON_GRPC_GRPC_FIXTURE_H_
#define VARVE_TESTS_DAEMON_GRPC_GRPC_FIXTURE_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/content.h"
#include "tests/support/daemon_fixture.h"
#include "varve/v1/blobs.grpc.pb.h"
#include "varve/v1/images.grpc.pb.h"

namespace varve {

class GrpcDoorTest : public DaemonTest {
 protected:
  void StartServer(const GrpcServerOptions& options) override {
    ASSERT_NO_FATAL_FAILURE(DaemonTest::StartServer(options));
    channel_ = NewChannel();
    blobs_ = v1::Blobs::NewStub(channel_);
    images_ = v1::Images::NewStub(channel_);
  }

  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + socket_path_, grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  using WriteStream = std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>>;

  static v1::WriteRequest Header(const std::string& upload_id, uint64_t offset) {
    v1::WriteRequest message;
    message.mutable_header()->set_upload_id(upload_id);
    message.mutable_header()->set_offset(offset);
    return message;
  }

  static v1::WriteRequest Data(std::string bytes) {
    v1::WriteRequest message;
    message.set_data(std::move(bytes));
    return message;
  }

  static v1::WriteRequest Commit(const std::string& digest) {
    v1::WriteRequest message;
    message.mutable_commit()->set_expected_digest(digest);
    return message;
  }

  struct WriteResult {
    grpc::Status status;
    v1::WriteResponse response;
  };

  // Sends the messages, ends the stream and waits for the answer.
  WriteResult Write(const std::vector<v1::WriteRequest>& messages) {
    grpc::ClientContext context;
    WriteResult result;
    const WriteStream stream = blobs_->Write(&context, &result.response);
    for (const v1::WriteRequest& message : messages) {
      if (!stream->Write(message)) break;
    }
    stream->WritesDone();
    result.status = stream->Finish();
    return result;
  }

  // Uploads `bytes` in messages of 1 MiB and gives the digest.
  std::string Upload(const std::string& repository, const std::string& bytes) {
    std::vector<v1::WriteRequest> messages = {Header("", 0)};
    messages[0].mutable_header()->set_repository(repository);
    for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
      messages.push_back(Data(bytes.substr(at, 1 << 20)));
    }
    messages.push_back(Commit(DigestOf(bytes)));
    const WriteResult result = Write(messages);
    EXPECT_TRUE(result.status.ok()) << result.status.error_message();
    return DigestOf(bytes);
  }

  struct ReadResult {
    grpc::Status status;
    std::string bytes;
    std::vector<size_t> message_sizes;
    uint64_t blob_size_bytes = 0;
  };

  ReadResult Read(const std::string& digest, uint64_t offset = 0, uint64_t length = 0) {
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.set_digest(digest);
    request.set_offset(offset);
    request.set_length(length);
    const auto stream = blobs_->Read(&context, request);
    ReadResult result;
    v1::ReadResponse response;
    while (stream->Read(&response)) {
      EXPECT_EQ(response.offset(), offset + result.bytes.size());
      result.blob_size_bytes = response.blob_size_bytes();
      result.message_sizes.push_back(response.data().size());
      result.bytes += response.data();
    }
    result.status = stream->Finish();
    return result;
  }

  grpc::Status Stat(const std::string& digest, const std::string& repository = "") {
    grpc::ClientContext context;
    v1::StatBlobRequest request;
    request.set_repository(repository);
    request.set_digest(digest);
    v1::StatBlobResponse response;
    return blobs_->Stat(&context, request, &response);
  }

  struct OffsetResult {
    grpc::Status status;
    uint64_t offset = 0;
  };

  OffsetResult WriteStatus(const std::string& upload_id) {
    grpc::ClientContext context;
    v1::WriteStatusRequest request;
    request.set_upload_id(upload_id);
    v1::WriteStatusResponse response;
    OffsetResult result;
    result.status = blobs_->WriteStatus(&context, request, &response);
    result.offset = response.offset();
    return result;
  }

  // One message to and from any method, as raw bytes.
  grpc::Status CallRaw(const std::string& method, const std::string& request,
                       std::string* response) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    const grpc::Slice slice(request);
    const grpc::ByteBuffer in(&slice, 1);
    grpc::ByteBuffer out;
    grpc::Status status;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, method, in, &queue);
    call->StartCall();
    call->Finish(&out, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    std::vector<grpc::Slice> slices;
    if (status.ok() && out.Dump(&slices).ok()) {
      for (const grpc::Slice& part : slices) {
        response->append(reinterpret_cast<const char*>(part.begin()), part.size());
      }
    }
    return status;
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Blobs::Stub> blobs_;
  std::unique_ptr<v1::Images::Stub> images_;
};

}  // namespace varve

#endif  // VARVE_TESTS_DAEMON_GRPC_GRPC_FIXTURE_H_
