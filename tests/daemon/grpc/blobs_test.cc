// varve.v1.Blobs as a client sees it: round trips, ranges, and uploads that are resumed or refused.
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/daemon/grpc/grpc_fixture.h"

namespace varve {
namespace {

using grpc::StatusCode;

TEST_F(GrpcDoorTest, WhatIsWrittenIsRead) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{1000}, size_t{65536}, size_t{3 * kMiB + 7}}) {
    const std::string bytes = TestBytes(size, 1);
    const std::string digest = Upload("", bytes);
    const ReadResult read = Read(digest);
    EXPECT_TRUE(read.status.ok()) << read.status.error_message();
    EXPECT_EQ(read.bytes, bytes) << size;
    EXPECT_EQ(read.blob_size_bytes, size);
    for (const size_t message : read.message_sizes) EXPECT_LE(message, kMiB);
  }
}

TEST_F(GrpcDoorTest, RangesAreReadAndCutAtTheEnd) {
  for (const size_t size : {size_t{1000}, size_t{2 * kMiB + 1}}) {
    const std::string bytes = TestBytes(size, 2);
    const std::string digest = Upload("", bytes);
    EXPECT_EQ(Read(digest, 10, 20).bytes, bytes.substr(10, 20));
    EXPECT_EQ(Read(digest, 999, 0).bytes, bytes.substr(999));
    EXPECT_EQ(Read(digest, size - 1, 100).bytes, bytes.substr(size - 1));
    EXPECT_EQ(Read(digest, 1, UINT64_MAX).bytes, bytes.substr(1));
    const ReadResult at_end = Read(digest, size, 5);
    EXPECT_TRUE(at_end.status.ok());
    EXPECT_THAT(at_end.message_sizes, testing::ElementsAre(0u));
    EXPECT_EQ(Read(digest, size + 1).status.error_code(), StatusCode::OUT_OF_RANGE);
    EXPECT_EQ(Read(digest, UINT64_MAX, UINT64_MAX).status.error_code(), StatusCode::OUT_OF_RANGE);
  }
}

TEST_F(GrpcDoorTest, ABlobIsVisibleOnlyWhereItWasPushed) {
  const std::string digest = Upload("a", "some bytes");
  EXPECT_TRUE(Stat(digest, "a").ok());
  EXPECT_TRUE(Stat(digest).ok());
  EXPECT_EQ(Stat(digest, "b").error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AnUploadGoesOnAfterTheClientEndedItsStream) {
  const std::string bytes = TestBytes(kMiB, 3);
  const WriteResult first = Write({Header("up", 0), Data(bytes.substr(0, 300'000))});
  EXPECT_TRUE(first.status.ok()) << first.status.error_message();
  EXPECT_EQ(first.response.offset(), 300'000u);
  EXPECT_FALSE(first.response.has_blob());
  EXPECT_EQ(WriteStatus("up").offset, 300'000u);
  const WriteResult second =
      Write({Header("up", 300'000), Data(bytes.substr(300'000)), Commit(DigestOf(bytes))});
  EXPECT_TRUE(second.status.ok()) << second.status.error_message();
  EXPECT_EQ(second.response.blob().digest(), DigestOf(bytes));
  EXPECT_EQ(second.response.blob().size_bytes(), bytes.size());
  EXPECT_EQ(Read(DigestOf(bytes)).bytes, bytes);
  EXPECT_EQ(WriteStatus("up").status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AnUploadGoesOnAfterTheClientVanished) {
  const std::string bytes = TestBytes(2 * kMiB, 4);
  {
    grpc::ClientContext context;
    v1::WriteResponse response;
    const WriteStream stream = blobs_->Write(&context, &response);
    ASSERT_TRUE(stream->Write(Header("up", 0)));
    ASSERT_TRUE(stream->Write(Data(bytes.substr(0, kMiB))));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  }
  // The server may still be letting go of it; and how much had arrived is for it to say.
  WriteResult rest;
  for (int attempt = 0; attempt < 20; ++attempt) {
    const OffsetResult stands = WriteStatus("up");
    if (stands.status.error_code() == StatusCode::ABORTED) continue;
    EXPECT_LE(stands.offset, kMiB);
    rest = Write(
        {Header("up", stands.offset), Data(bytes.substr(stands.offset)), Commit(DigestOf(bytes))});
    if (rest.status.ok()) break;
  }
  EXPECT_TRUE(rest.status.ok()) << rest.status.error_message();
  EXPECT_EQ(Read(DigestOf(bytes)).bytes, bytes);
}

TEST_F(GrpcDoorTest, AWrongOffsetIsRefusedAndTheUploadKept) {
  Write({Header("up", 0), Data("12345")});
  for (const uint64_t wrong : {uint64_t{0}, uint64_t{4}, uint64_t{6}, UINT64_MAX}) {
    const WriteResult result = Write({Header("up", wrong), Data("678")});
    EXPECT_EQ(result.status.error_code(), StatusCode::OUT_OF_RANGE) << wrong;
    EXPECT_THAT(result.status.error_message(), testing::HasSubstr("offset 5"));
  }
  EXPECT_EQ(WriteStatus("up").offset, 5u);
  EXPECT_EQ(Write({Header("other", 3), Data("x")}).status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AnUploadIsFoundByItsIdAlone) {
  v1::WriteRequest header = Header("up", 0);
  header.mutable_header()->set_repository("team/app");
  Write({header, Data("12345")});
  grpc::ClientContext context;
  v1::WriteStatusRequest request;
  request.set_upload_id("up");
  v1::WriteStatusResponse response;
  ASSERT_TRUE(blobs_->WriteStatus(&context, request, &response).ok());
  EXPECT_EQ(response.offset(), 5u);
  EXPECT_EQ(response.repository(), "team/app");
  // To go on says where the blob becomes visible, so it must be said rightly.
  EXPECT_EQ(Write({Header("up", 5), Data("6")}).status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Write({Header("up", 0), Data("6")}).status.error_code(), StatusCode::ALREADY_EXISTS);
  for (const char* neighbour : {"u", "uo", "uo-z", "up-", "upp", "uq"}) {
    EXPECT_EQ(WriteStatus(neighbour).status.error_code(), StatusCode::NOT_FOUND) << neighbour;
    Write({Header(neighbour, 0), Data("1")});
    EXPECT_EQ(WriteStatus(neighbour).offset, 1u) << neighbour;
  }
  EXPECT_EQ(WriteStatus("up").offset, 5u);
  header.mutable_header()->set_offset(5);
  EXPECT_TRUE(Write({header, Data("6"), Commit(DigestOf("123456"))}).status.ok());
  EXPECT_TRUE(Stat(DigestOf("123456"), "team/app").ok());

  header.mutable_header()->set_upload_id("down");
  header.mutable_header()->set_offset(0);
  Write({header, Data("12345")});
  grpc::ClientContext abort_context;
  v1::AbortWriteRequest abort;
  abort.set_upload_id("down");
  v1::AbortWriteResponse aborted;
  EXPECT_TRUE(blobs_->Abort(&abort_context, abort, &aborted).ok());
  EXPECT_EQ(WriteStatus("down").status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AWrongDigestDropsTheUpload) {
  const WriteResult result = Write({Header("up", 0), Data("bytes"), Commit(DigestOf("other"))});
  EXPECT_EQ(result.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Stat(DigestOf("bytes")).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(Stat(DigestOf("other")).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(WriteStatus("up").status.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AWrongSizeIsRefused) {
  v1::WriteRequest header = Header("up", 0);
  header.mutable_header()->set_size_bytes(4);
  EXPECT_EQ(Write({header, Data("bytes")}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  header.mutable_header()->set_upload_id("up2");
  EXPECT_EQ(Write({header, Data("byt"), Commit(DigestOf("byt"))}).status.error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Stat(DigestOf("byt")).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, AbortGivesTheUploadUp) {
  Write({Header("up", 0), Data("12345")});
  grpc::ClientContext context;
  v1::AbortWriteRequest request;
  request.set_upload_id("up");
  v1::AbortWriteResponse response;
  EXPECT_TRUE(blobs_->Abort(&context, request, &response).ok());
  EXPECT_EQ(WriteStatus("up").status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_TRUE(Write({Header("up", 0), Data("x"), Commit(DigestOf("x"))}).status.ok());
}

TEST_F(GrpcDoorTest, AnUploadWithoutANameEndsWithItsStream) {
  const WriteResult result = Write({Header("", 0), Data("12345")});
  EXPECT_EQ(result.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(result.status.error_message(), testing::HasSubstr("upload_id"));
}

TEST_F(GrpcDoorTest, AnUploadOfWhatIsThereIsOverAtTheHeader) {
  const std::string digest = Upload("a", "some bytes");
  v1::WriteRequest header = Header("up", 0);
  header.mutable_header()->set_expected_digest(digest);
  header.mutable_header()->set_repository("a");
  const WriteResult result = Write({header});
  EXPECT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_TRUE(result.response.already_existed());
  EXPECT_EQ(result.response.blob().digest(), digest);
  // In another repository it is not there: the bytes are needed.
  header.mutable_header()->set_repository("b");
  const WriteResult other = Write({header, Data("some bytes"), Commit(digest)});
  EXPECT_TRUE(other.status.ok()) << other.status.error_message();
  EXPECT_FALSE(other.response.already_existed());
  EXPECT_TRUE(Stat(digest, "b").ok());
}

TEST_F(GrpcDoorTest, MessagesOutOfOrderAreRefused) {
  const v1::WriteRequest header = Header("up", 0);
  const v1::WriteRequest commit = Commit(DigestOf("x"));
  EXPECT_EQ(Write({}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Write({v1::WriteRequest()}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Write({Data("x")}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Write({commit}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Write({header, header}).status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Write({header, Data("x"), Commit("")}).status.error_code(),
            StatusCode::INVALID_ARGUMENT);
  // What follows the commit is not read.
  EXPECT_TRUE(Write({Header("up2", 0), Data("x"), commit}).status.ok());
}

TEST_F(GrpcDoorTest, LargeMessagesAreTakenUpToTheLimit) {
  const std::string most = TestBytes(8 * kMiB, 5);
  EXPECT_TRUE(Write({Header("a", 0), Data(most), Commit(DigestOf(most))}).status.ok());
  EXPECT_EQ(Write({Header("b", 0), Data(most + "x")}).status.error_code(),
            StatusCode::INVALID_ARGUMENT);
  // Beyond what a message may have, gRPC itself cuts the stream off.
  EXPECT_FALSE(Write({Header("c", 0), Data(std::string(17 * kMiB, 'x')), Commit(DigestOf("x"))})
                   .status.ok());
  EXPECT_EQ(Stat(DigestOf("x")).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcDoorTest, FindMissingNamesWhatIsAbsent) {
  const std::string present = Upload("a", "present");
  v1::FindMissingRequest request;
  request.set_repository("a");
  request.add_digests(present);
  request.add_digests(DigestOf("absent"));
  v1::FindMissingResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(blobs_->FindMissing(&context, request, &response).ok());
  EXPECT_THAT(response.missing(), testing::ElementsAre(DigestOf("absent")));
}

TEST_F(GrpcDoorTest, AGiantBatchIsRefused) {
  v1::FindMissingRequest request;
  for (size_t i = 0; i <= kMaxFindMissingDigests; ++i) request.add_digests(DigestOf("absent"));
  v1::FindMissingResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(blobs_->FindMissing(&context, request, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  request.mutable_digests()->RemoveLast();
  grpc::ClientContext second;
  EXPECT_TRUE(blobs_->FindMissing(&second, request, &response).ok());
}

TEST_F(GrpcDoorTest, ManyStreamsAtOnceUploadTheSameAndDifferentBlobs) {
  constexpr size_t kThreads = 12;
  const std::string shared = TestBytes(kMiB + 5, 6);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i, &shared] {
      Upload("a", shared);
      const std::string own = TestBytes(200'000, 100 + i);
      EXPECT_EQ(Read(Upload("a", own)).bytes, own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Read(DigestOf(shared)).bytes, shared);
}

}  // namespace
}  // namespace varve
