// The metadata key "varve-lease" of the native door, call by call.
#include <thread>

#include "gmock/gmock.h"
#include "tests/daemon/grpc/grpc_fixture.h"
#include "varve/v1/claims.grpc.pb.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GrpcLeasesTest : public GrpcDoorTest {
 protected:
  void SetUp() override {
    GrpcDoorTest::SetUp();
    leases_ = v1::Leases::NewStub(channel_);
    CreateLease("build");
  }

  void CreateLease(const std::string& id) {
    grpc::ClientContext context;
    v1::CreateLeaseRequest request;
    request.set_id(id);
    request.mutable_ttl()->set_seconds(3600);
    v1::CreateLeaseResponse response;
    ASSERT_TRUE(leases_->Create(&context, request, &response).ok());
  }
  void DeleteLease(const std::string& id) {
    grpc::ClientContext context;
    v1::DeleteLeaseRequest request;
    request.set_id(id);
    v1::DeleteLeaseResponse response;
    ASSERT_TRUE(leases_->Delete(&context, request, &response).ok());
  }
  uint64_t Contents() {
    grpc::ClientContext context;
    v1::ListLeasesResponse response;
    EXPECT_TRUE(leases_->List(&context, {}, &response).ok());
    EXPECT_EQ(response.leases_size(), 1);
    return response.leases_size() == 0 ? 0 : response.leases(0).contents();
  }

  std::unique_ptr<v1::Leases::Stub> leases_;
};

TEST_F(GrpcLeasesTest, FindMissingAttachesAllThatIsAskedFor) {
  const std::string here = Upload("", "here");
  grpc::ClientContext context;
  context.AddMetadata("varve-lease", "build");
  v1::FindMissingRequest request;
  request.add_digests(here);
  request.add_digests(DigestOf("to come"));
  v1::FindMissingResponse response;
  ASSERT_TRUE(blobs_->FindMissing(&context, request, &response).ok());
  EXPECT_THAT(response.missing(), ElementsAre(DigestOf("to come")));
  EXPECT_EQ(Contents(), 2u);
}

TEST_F(GrpcLeasesTest, TagAttachesTheManifest) {
  const std::string config = "{}";
  Upload("app", config);
  const std::string manifest = ManifestOf(Described(kConfigType, config), {});
  v1::PutManifestRequest put;
  put.set_repository("app");
  put.set_manifest(manifest);
  v1::PutManifestResponse stored;
  grpc::ClientContext put_context;
  ASSERT_TRUE(images_->PutManifest(&put_context, put, &stored).ok());
  EXPECT_EQ(Contents(), 0u);
  v1::TagRequest tag;
  tag.set_repository("app");
  tag.set_tag("v1");
  tag.set_digest(stored.manifest().digest());
  v1::TagResponse tagged;
  grpc::ClientContext tag_context;
  tag_context.AddMetadata("varve-lease", "build");
  ASSERT_TRUE(images_->Tag(&tag_context, tag, &tagged).ok());
  EXPECT_EQ(Contents(), 1u);
}

TEST_F(GrpcLeasesTest, AWriteWhoseLeaseEndsIsFinishedUnderAnother) {
  const std::string bytes = TestBytes(300'000, 1);
  grpc::ClientContext context;
  context.AddMetadata("varve-lease", "build");
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  ASSERT_TRUE(stream->Write(Header("up", 0)));
  ASSERT_TRUE(stream->Write(Data(bytes)));
  // The door has taken the header once there is an upload.
  while (WriteStatus("up").status.error_code() == grpc::StatusCode::NOT_FOUND) {
    std::this_thread::yield();
  }
  DeleteLease("build");
  stream->Write(Commit(DigestOf(bytes)));
  stream->WritesDone();
  const grpc::Status ended = stream->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(ended.error_message(), HasSubstr("there is no lease build"));
  EXPECT_EQ(Stat(DigestOf(bytes)).error_code(), grpc::StatusCode::NOT_FOUND);

  CreateLease("second");
  const OffsetResult at = WriteStatus("up");
  ASSERT_TRUE(at.status.ok()) << at.status.error_message();
  EXPECT_EQ(at.offset, bytes.size());
  grpc::ClientContext again;
  again.AddMetadata("varve-lease", "second");
  const WriteStream rest = blobs_->Write(&again, &response);
  rest->Write(Header("up", bytes.size()));
  rest->Write(Commit(DigestOf(bytes)));
  rest->WritesDone();
  const grpc::Status done = rest->Finish();
  EXPECT_TRUE(done.ok()) << done.error_message();
  EXPECT_EQ(Contents(), 1u);
}

TEST_F(GrpcLeasesTest, AWriteWithoutItsLeaseStoresNothing) {
  grpc::ClientContext context;
  context.AddMetadata("varve-lease", "ended");
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  stream->Write(Header("up", 0));
  stream->Write(Data("bytes"));
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(WriteStatus("up").status.error_code(), grpc::StatusCode::NOT_FOUND);

  grpc::ClientContext malformed;
  malformed.AddMetadata("varve-lease", "no id");
  v1::StatBlobRequest request;
  request.set_digest(DigestOf("x"));
  v1::StatBlobResponse stat;
  EXPECT_EQ(blobs_->Stat(&malformed, request, &stat).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(GrpcLeasesTest, ABlobThatIsThereAlreadyIsAttachedToo) {
  Upload("", "here");
  grpc::ClientContext context;
  context.AddMetadata("varve-lease", "build");
  v1::WriteResponse response;
  const WriteStream stream = blobs_->Write(&context, &response);
  v1::WriteRequest header = Header("", 0);
  header.mutable_header()->set_expected_digest(DigestOf("here"));
  stream->Write(header);
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(response.already_existed());
  EXPECT_EQ(Contents(), 1u);
}

}  // namespace
}  // namespace varve
