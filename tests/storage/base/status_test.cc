#include "storage/base/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/cord.h"

namespace varve {
namespace {

using ::testing::StartsWith;

TEST(StatusTest, AnnotateAddsContextAndKeepsTheRest) {
  absl::Status status = absl::NotFoundError("no such blob");
  status.SetPayload("type", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "tag latest");
  EXPECT_EQ(annotated.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(annotated.message(), "tag latest: no such blob");
  EXPECT_EQ(annotated.GetPayload("type"), absl::Cord("payload"));
  EXPECT_EQ(Annotate(absl::OkStatus(), "context"), absl::OkStatus());
}

TEST(StatusTest, ErrnoHasACodeAndNamesTheOperation) {
  const struct {
    int error;
    absl::StatusCode code;
  } cases[] = {
      {ENOENT, absl::StatusCode::kNotFound},    {EEXIST, absl::StatusCode::kAlreadyExists},
      {EMFILE, absl::StatusCode::kUnavailable}, {ENFILE, absl::StatusCode::kUnavailable},
      {ENOMEM, absl::StatusCode::kUnavailable}, {EIO, absl::StatusCode::kUnavailable},
      {EACCES, absl::StatusCode::kUnavailable}, {EROFS, absl::StatusCode::kUnavailable},
  };
  for (const auto& expected : cases) {
    const absl::Status status = ErrnoToStatus(expected.error, "open blobs/0/5");
    EXPECT_EQ(status.code(), expected.code) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith("open blobs/0/5: "));
  }
}

TEST(StatusTest, FullDiskHasASentenceForTheClientAndNamesNoPath) {
  for (const int error : {ENOSPC, EDQUOT}) {
    const absl::Status status = ErrnoToStatus(error, "write /store/blobs/0/5");
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(), "the disk is full; prune images or add space");
  }
}

absl::Status FailWhen(bool fail) { return fail ? absl::AbortedError("failed") : absl::OkStatus(); }

TEST(StatusTest, ReturnIfErrorReturnsOnlyErrors) {
  int calls = 0;
  const auto run = [&calls](bool fail) -> absl::Status {
    RETURN_IF_ERROR(FailWhen(fail));
    ++calls;
    return absl::OkStatus();
  };
  EXPECT_EQ(run(true), absl::AbortedError("failed"));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(run(false), absl::OkStatus());
  EXPECT_EQ(calls, 1);
}

absl::StatusOr<std::unique_ptr<int>> Make(int value) {
  if (value < 0) return absl::InvalidArgumentError("negative");
  return std::make_unique<int>(value);
}

TEST(StatusTest, AssignOrReturnMovesTheValue) {
  const auto add = [](int a, int b) -> absl::StatusOr<int> {
    ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Make(a));
    std::unique_ptr<int> second;
    ASSIGN_OR_RETURN(second, Make(b));
    return *first + *second;
  };
  EXPECT_EQ(add(2, 3).value(), 5);
  EXPECT_EQ(add(-1, 3).status(), absl::InvalidArgumentError("negative"));
  EXPECT_EQ(add(2, -1).status(), absl::InvalidArgumentError("negative"));
}

}  // namespace
}  // namespace varve
