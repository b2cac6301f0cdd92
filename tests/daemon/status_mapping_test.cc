#include "daemon/status_mapping.h"

#include <cerrno>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/api/blobs.h"
#include "storage/base/status.h"
#include "tests/daemon/oci_codes.h"

namespace varve {
namespace {

TEST(StatusMapping, UnknownThingsHaveTheirOwnCodes) {
  const absl::Status status = absl::NotFoundError("no");
  EXPECT_EQ(MapStatus(status, About::kBlob).oci_code, "BLOB_UNKNOWN");
  EXPECT_EQ(MapStatus(status, About::kUpload).oci_code, "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(MapStatus(status, About::kManifest).oci_code, "MANIFEST_UNKNOWN");
  EXPECT_EQ(MapStatus(status, About::kTag).oci_code, "MANIFEST_UNKNOWN");
  EXPECT_EQ(MapStatus(status, About::kName).oci_code, "NAME_UNKNOWN");
  EXPECT_EQ(MapStatus(status, About::kName).http_status, 404);
  EXPECT_EQ(MapStatus(status, About::kName).grpc_code, 5);
}

TEST(StatusMapping, AFullDiskIsDeniedToPushesOnly) {
  const absl::Status status = absl::ResourceExhaustedError("the disk is full");
  for (const About about : {About::kUpload, About::kManifest}) {
    EXPECT_EQ(MapStatus(status, about).http_status, 403);
    EXPECT_EQ(MapStatus(status, about).oci_code, "DENIED");
    EXPECT_EQ(MapStatus(status, about).retry_after_seconds, 0);
  }
  EXPECT_EQ(MapStatus(status, About::kBlob).http_status, 503);
  EXPECT_EQ(MapStatus(status, About::kUpload).grpc_code, 8);
}

TEST(StatusMapping, TooMuchAtOnceIsNoFullDisk) {
  absl::Status status = absl::ResourceExhaustedError("too many uploads");
  status.SetPayload(kRetryAfterPayload, absl::Cord("7"));
  const DoorError error = MapStatus(status, About::kUpload);
  EXPECT_EQ(error.http_status, 429);
  EXPECT_EQ(error.oci_code, "UNAVAILABLE");
  EXPECT_EQ(error.retry_after_seconds, 7);
  EXPECT_EQ(error.grpc_code, 8);
  EXPECT_FALSE(error.detail_is_private);
}

TEST(StatusMapping, WhatMayPassSaysWhenToRetry) {
  EXPECT_EQ(MapStatus(absl::AbortedError("busy"), About::kUpload).http_status, 503);
  EXPECT_GT(MapStatus(absl::AbortedError("busy"), About::kUpload).retry_after_seconds, 0);
  EXPECT_GT(MapStatus(absl::UnavailableError("io"), About::kBlob).retry_after_seconds, 0);
  EXPECT_EQ(MapStatus(absl::DataLossError("bad"), About::kBlob).retry_after_seconds, 0);
}

TEST(StatusMapping, PrivateDetailStaysInTheLog) {
  for (const absl::Status& status :
       {absl::UnavailableError("/srv/blobs/7: Input/output error"),
        absl::DataLossError("/srv/blobs/7 is short"), absl::InternalError("/srv")}) {
    const DoorError error = MapStatus(status, About::kBlob);
    const std::string message = ClientMessage(status, error, "abc123");
    EXPECT_THAT(message, testing::Not(testing::HasSubstr("/srv")));
    EXPECT_THAT(message, testing::HasSubstr("abc123"));
    EXPECT_GE(error.http_status, 500);
  }
  const absl::Status told = absl::InvalidArgumentError("the tag is too long");
  EXPECT_EQ(ClientMessage(told, MapStatus(told, About::kTag), "x"), "the tag is too long");
}

// Of 5xx there are none in the specification.
TEST(StatusMapping, CodesOf4xxAreThoseOfTheSpecification) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "x");
    for (const About about :
         {About::kBlob, About::kUpload, About::kManifest, About::kName, About::kTag}) {
      const DoorError error = MapStatus(status, about);
      if (error.http_status >= 500) continue;
      EXPECT_TRUE(IsSpecifiedCode(error.oci_code)) << error.oci_code << " for " << code;
    }
  }
}

// Whatever the code: a status that the disk or the index made names files.
TEST(StatusMapping, WhatIsMarkedPrivateStaysInTheLog) {
  for (int code = 1; code <= 16; ++code) {
    for (const About about :
         {About::kBlob, About::kUpload, About::kManifest, About::kName, About::kTag}) {
      const absl::Status status = Annotate(
          Private(absl::Status(static_cast<absl::StatusCode>(code), "open /srv/blobs/7")), "push");
      const DoorError error = MapStatus(status, about);
      EXPECT_TRUE(error.detail_is_private) << code;
      EXPECT_THAT(ClientMessage(status, error, "abc123"), testing::Not(testing::HasSubstr("/srv")));
    }
  }
  const absl::Status both =
      Annotate(absl::InvalidArgumentError("malformed body"), ErrnoToStatus(5, "write /srv/b"));
  EXPECT_THAT(std::string(both.message()), testing::HasSubstr("/srv"));
  EXPECT_THAT(ClientMessage(both, MapStatus(both, About::kUpload), "x"),
              testing::Not(testing::HasSubstr("/srv")));
}

// What the file system says of a file is about the store: nothing that a client asked for.
TEST(StatusMapping, AFileOfTheStoreThatIsGoneIsNoThingOfTheClient) {
  for (const int error : {ENOENT, EEXIST}) {
    const absl::Status own = Annotate(ErrnoToStatus(error, "create /srv/blobs/7"), "push");
    for (const About about :
         {About::kBlob, About::kUpload, About::kManifest, About::kName, About::kTag}) {
      const DoorError told = MapStatus(own, about);
      EXPECT_EQ(told.http_status, 500);
      EXPECT_EQ(told.grpc_code, static_cast<int>(absl::StatusCode::kInternal));
      EXPECT_EQ(told.retry_after_seconds, 0);
    }
    EXPECT_TRUE(IsStoreFault(own));
  }
  EXPECT_EQ(MapStatus(absl::NotFoundError("no such blob"), About::kBlob).http_status, 404);
  EXPECT_FALSE(IsStoreFault(absl::NotFoundError("no such blob")));
}

TEST(StatusMapping, WhatSomebodyHasToLookAfterIsAFaultOfTheStore) {
  for (const absl::Status& fault :
       {absl::DataLossError("damaged"), absl::InternalError("gone"), absl::UnknownError("?"),
        ErrnoToStatus(EIO, "read /srv"), ErrnoToStatus(EACCES, "open /srv")}) {
    EXPECT_TRUE(IsStoreFault(fault)) << fault;
  }
  for (const absl::Status& other :
       {absl::OkStatus(), absl::UnavailableError("busy"), absl::AbortedError("busy"),
        absl::CancelledError("gone"), absl::ResourceExhaustedError("full"),
        absl::DeadlineExceededError("slow"), ErrnoToStatus(ENOSPC, "write /srv")}) {
    EXPECT_FALSE(IsStoreFault(other)) << other;
  }
}

TEST(StatusMapping, MissingContentOfAManifest) {
  const DoorError error = MapStatus(absl::FailedPreconditionError("absent"), About::kManifest);
  EXPECT_EQ(error.http_status, 400);
  EXPECT_EQ(error.oci_code, "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(MapStatus(absl::FailedPreconditionError("in use"), About::kBlob).http_status, 409);
}

}  // namespace
}  // namespace varve
