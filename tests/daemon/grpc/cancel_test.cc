// Calls that are cancelled or whose client vanishes: whatever they held is free again at once,
// counted in uploads, descriptors and memory.
#include <functional>
#include <vector>

#include "gmock/gmock.h"
#include "storage/api/system.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"
#include "tests/support/process_use.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class GrpcCancelTest : public GrpcDoorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(GrpcDoorTest::SetUp());
    Upload("", TestBytes(kMiB, 1));  // everything that is made once is made
  }

  // The states that an upload can be cancelled in: after so many messages, having waited for the
  // server to take them or not.
  struct State {
    size_t messages;
    bool settled;
  };

  // Cancels an upload of 8 messages of 1 MiB in `state`.
  void CancelWrite(const std::string& upload_id, const State& state, const std::string& bytes) {
    grpc::ClientContext context;
    v1::WriteResponse response;
    const WriteStream stream = blobs_->Write(&context, &response);
    for (size_t i = 0; i < state.messages; ++i) {
      const bool header = i == 0;
      ASSERT_TRUE(
          stream->Write(header ? Header(upload_id, 0) : Data(bytes.substr((i - 1) * kMiB, kMiB))));
    }
    if (state.settled && state.messages > 0) {
      EXPECT_TRUE(Eventually([&] {
        return WriteStatus(upload_id).status.error_code() != grpc::StatusCode::NOT_FOUND;
      }));
    }
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }

  // The slot of the upload is free: it can be looked at, and aborted if there is one.
  void ExpectFree(const std::string& upload_id) {
    grpc::Status status;
    EXPECT_TRUE(Eventually(
        [&] {
          grpc::ClientContext context;
          v1::AbortWriteRequest request;
          request.set_upload_id(upload_id);
          v1::AbortWriteResponse response;
          status = blobs_->Abort(&context, request, &response);
          return status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND;
        },
        seconds(5)))
        << status.error_message();
  }
};

TEST_F(GrpcCancelTest, AWriteCancelledInAnyStateFreesItsSlotAndFile) {
  const std::string bytes = TestBytes(8 * kMiB, 2);
  const size_t descriptors = OpenDescriptors();
  int number = 0;
  for (const bool settled : {false, true}) {
    for (size_t messages = 0; messages <= 9; ++messages) {
      const std::string id = "cancel-" + std::to_string(number++);
      ASSERT_NO_FATAL_FAILURE(CancelWrite(id, {messages, settled}, bytes));
      ExpectFree(id);
    }
  }
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }))
      << OpenDescriptors() << " descriptors, " << descriptors << " before";
}

TEST_F(GrpcCancelTest, UploadsWithoutANameLeaveNothingBehind) {
  const std::string bytes = TestBytes(8 * kMiB, 3);
  for (const size_t messages : {size_t{1}, size_t{2}, size_t{9}}) {
    ASSERT_NO_FATAL_FAILURE(CancelWrite("", {messages, false}, bytes));
  }
  // Their files are gone from the disk, not only from the index.
  const auto stored_mib = [this] {
    uint64_t bytes_stored = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_ + "/data/blobs")) {
      if (entry.is_regular_file()) bytes_stored += entry.file_size();
    }
    return bytes_stored / kMiB;
  };
  EXPECT_TRUE(Eventually([&] {
    static_cast<void>(store_->system.Reclaim());
    return stored_mib() <= 1;
  })) << stored_mib();
}

TEST_F(GrpcCancelTest, OneWorkerIsFreedByEveryCancelledUpload) {
  ASSERT_NO_FATAL_FAILURE(StartServer({.socket_path = socket_path_, .max_workers = 1}));
  const std::string bytes = TestBytes(8 * kMiB, 4);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::WriteResponse> responses(20);
  std::vector<WriteStream> streams;
  for (size_t i = 0; i < responses.size(); ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(blobs_->Write(contexts.back().get(), &responses[i]));
    ASSERT_TRUE(streams.back()->Write(Header("many-" + std::to_string(i), 0)));
    ASSERT_TRUE(streams.back()->Write(Data(bytes)));
  }
  for (size_t i = 0; i < responses.size(); ++i) {
    contexts[i]->TryCancel();
    EXPECT_FALSE(streams[i]->Finish().ok());
  }
  for (size_t i = 0; i < responses.size(); ++i) ExpectFree("many-" + std::to_string(i));
}

TEST_F(GrpcCancelTest, AReadCancelledInAnyStateClosesItsFile) {
  const std::string digest = Upload("", TestBytes(32 * kMiB, 5));
  const size_t descriptors = OpenDescriptors();
  for (int messages = 0; messages < 12; ++messages) {
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.set_digest(digest);
    const auto stream = blobs_->Read(&context, request);
    v1::ReadResponse response;
    for (int i = 0; i < messages; ++i) ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }, seconds(2)))
        << messages << ": " << OpenDescriptors() << " descriptors, " << descriptors << " before";
  }
}

TEST_F(GrpcCancelTest, AReadByADeadlineOfItsClientClosesItsFile) {
  const std::string digest = Upload("", TestBytes(32 * kMiB, 6));
  const size_t descriptors = OpenDescriptors();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + milliseconds(300));
  v1::ReadRequest request;
  request.set_digest(digest);
  const auto stream = blobs_->Read(&context, request);
  v1::ReadResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Takes no more: the server waits for its client until the deadline.
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }, seconds(5)));
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(GrpcCancelTest, AChannelThatGoesFreesAllItsStreams) {
  const std::string digest = Upload("", TestBytes(16 * kMiB, 7));
  const size_t descriptors = OpenDescriptors();
  {
    const std::shared_ptr<grpc::Channel> channel = NewChannel();
    const auto stub = v1::Blobs::NewStub(channel);
    std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
    std::vector<std::unique_ptr<grpc::ClientReader<v1::ReadResponse>>> readers;
    for (int i = 0; i < 50; ++i) {
      contexts.push_back(std::make_unique<grpc::ClientContext>());
      v1::ReadRequest request;
      request.set_digest(digest);
      readers.push_back(stub->Read(contexts.back().get(), request));
      v1::ReadResponse response;
      ASSERT_TRUE(readers.back()->Read(&response));
    }
    // One file a stream; of those whose every byte is under way it is closed already.
    EXPECT_GT(OpenDescriptors(), descriptors);
    for (const auto& context : contexts) context->TryCancel();
    for (const auto& reader : readers) EXPECT_FALSE(reader->Finish().ok());
  }
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }));
}

TEST_F(GrpcCancelTest, MemoryDoesNotGrowWithCancelledCalls) {
  const std::string bytes = TestBytes(8 * kMiB, 8);
  const std::string digest = Upload("", bytes);
  const auto cancel_both = [&](int number) {
    const std::string id = "memory-" + std::to_string(number);
    CancelWrite(id, {9, false}, bytes);
    ExpectFree(id);
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.set_digest(digest);
    const auto stream = blobs_->Read(&context, request);
    v1::ReadResponse response;
    EXPECT_TRUE(stream->Read(&response));
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  };
  for (int i = 0; i < 5; ++i) cancel_both(i);
  const uint64_t resident_mib = ResidentMib();
  for (int i = 5; i < 60; ++i) cancel_both(i);
  EXPECT_LT(ResidentMib(), resident_mib + MemoryBound(48));
}

}  // namespace
}  // namespace varve
