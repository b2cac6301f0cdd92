// The bytes of error details, against what google.rpc says of its messages: made here by hand, so
// that a client with other generated code reads them.
#include "daemon/grpc/error_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/grpc/grpc_fixture.h"
#include "varve/v1/images.grpc.pb.h"

namespace varve {
namespace {

using testing::HasSubstr;

// A field of bytes, text or a message in the encoding of protocol buffers.
std::string Field(int number, const std::string& content) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  size_t size = content.size();
  for (; size >= 0x80; size >>= 7) field.push_back(static_cast<char>(size | 0x80));
  field.push_back(static_cast<char>(size));
  return field + content;
}

std::string Detail(const std::string& type, const std::string& message) {
  return Field(3, Field(1, "type.googleapis.com/google.rpc." + type) + Field(2, message));
}

std::string MissingDetails(const std::string& digest) {
  return Detail("ErrorInfo", Field(1, "MANIFEST_BLOB_UNKNOWN") + Field(2, "varve.v1") +
                                 Field(3, Field(1, "digest") + Field(2, digest))) +
         Detail("ResourceInfo", Field(1, "blob") + Field(2, digest) +
                                    Field(4, "upload it, then put the manifest again"));
}

TEST(ErrorDetailsTest, AreThoseOfGoogleRpc) {
  DoorError error;
  error.oci_code = "MANIFEST_BLOB_UNKNOWN";
  error.grpc_code = 9;
  error.missing_digest = "sha256:ab";
  EXPECT_EQ(EncodeErrorDetails(error, "why"),
            "\x08\x09" + Field(2, "why") + MissingDetails("sha256:ab"));
  error.missing_digest.clear();
  error.grpc_code = 8;
  error.retry_after_seconds = 5;
  EXPECT_EQ(EncodeErrorDetails(error, "later"),
            "\x08\x08" + Field(2, "later") + Detail("RetryInfo", Field(1, "\x08\x05")));
}

TEST(ErrorDetailsTest, AnErrorThatSaysNoMoreThanItsCodeHasNone) {
  DoorError error;
  error.grpc_code = 5;
  EXPECT_EQ(EncodeErrorDetails(error, "there is no such image"), "");
}

TEST_F(GrpcDoorTest, APutThatNamesMissingContentSaysWhich) {
  const std::string missing = DigestOf("nobody has this");
  v1::PutManifestRequest request;
  request.set_repository("app");
  request.set_manifest(
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
      R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":15,"digest":")" +
      missing + R"("},"layers":[]})");
  grpc::ClientContext context;
  v1::PutManifestResponse response;
  const grpc::Status status = images_->PutManifest(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_details(), HasSubstr(MissingDetails(missing)));
}

}  // namespace
}  // namespace varve
