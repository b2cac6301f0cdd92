// The same mistake is the same error, whatever door it is made at.
#include <gmock/gmock.h>

#include "daemon/status_mapping.h"
#include "storage/base/status.h"
#include "tests/contract/doors/doors_fixture.h"
#include "tests/contract/doors/json_text.h"
#include "tests/daemon/http/fake_store.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::Not;
using Code = absl::StatusCode;

const char kUnknownText[] = "nobody has pushed this";

class DoorErrorsTest : public DoorsTest {
 protected:
  void SetUp() override {
    DoorsTest::SetUp();
    image_ = PushImage(engine(), "app", 1, {"v1"});
    elsewhere_ = Push(engine(), "other", "bytes of another repository");
  }

  // Made by a call that every door has words for.
  struct Mistake {
    std::string what;
    Code code;
    std::function<absl::Status(const Store& store)> make;
  };
  void ExpectSameCodes(const std::vector<Mistake>& mistakes) {
    for (const Mistake& mistake : mistakes) {
      for (const Way& way : ways()) {
        const absl::Status status = mistake.make(*way.store);
        EXPECT_EQ(status.code(), mistake.code)
            << way.name << ": " << mistake.what << ": " << status;
        EXPECT_FALSE(status.message().empty()) << way.name << ": " << mistake.what;
      }
    }
  }

  static absl::Status PutJson(const Store& store, std::string_view repository,
                              const std::string& json, std::vector<std::string> tags = {},
                              std::optional<Digest> expected = std::nullopt) {
    PutManifestRequest request;
    request.bytes = json;
    request.tags = std::move(tags);
    request.expected = expected;
    return store.manifests.PutManifest(repository, request).status();
  }
  static absl::Status AppendAt(const Store& store, uint64_t offset) {
    ASSIGN_OR_RETURN(const std::unique_ptr<OpenUpload> upload, store.blobs.BeginUpload("app", {}));
    RETURN_IF_ERROR(upload->Append(0, "0123456789"));
    return upload->Append(offset, "more");
  }
  static absl::Status CommitAs(const Store& store, const Digest& digest) {
    ASSIGN_OR_RETURN(const std::unique_ptr<OpenUpload> upload, store.blobs.BeginUpload("app", {}));
    RETURN_IF_ERROR(upload->Append(0, "0123456789"));
    return upload->Commit(digest, std::nullopt).status();
  }

  Image image_;
  Digest elsewhere_;
  const Digest unknown_ = Sha256(kUnknownText);
};

TEST_F(DoorErrorsTest, OfBlobsAndUploads) {
  ExpectSameCodes({
      {"stat of an unknown blob", Code::kNotFound,
       [&](const Store& store) { return store.blobs.StatBlob("app", unknown_).status(); }},
      {"stat in an unknown repository", Code::kNotFound,
       [&](const Store& store) { return store.blobs.StatBlob("none", image_.layer).status(); }},
      {"stat of a blob of another repository", Code::kNotFound,
       [&](const Store& store) { return store.blobs.StatBlob("app", elsewhere_).status(); }},
      {"stat in a malformed repository", Code::kInvalidArgument,
       [&](const Store& store) { return store.blobs.StatBlob("App", image_.layer).status(); }},
      {"read of an unknown blob", Code::kNotFound,
       [&](const Store& store) { return store.blobs.OpenBlob("app", unknown_).status(); }},
      {"read in a malformed repository", Code::kInvalidArgument,
       [&](const Store& store) { return store.blobs.OpenBlob("a//b", image_.layer).status(); }},
      {"upload to a malformed repository", Code::kInvalidArgument,
       [&](const Store& store) { return store.blobs.BeginUpload("a/../b", {}).status(); }},
      {"upload resumed that is unknown", Code::kNotFound,
       [&](const Store& store) { return store.blobs.ResumeUpload("app", "unknown").status(); }},
      {"upload resumed that cannot be", Code::kNotFound,
       [&](const Store& store) {
         return store.blobs.ResumeUpload("app", std::string(200, 'x')).status();
       }},
      {"gap in an upload", Code::kOutOfRange,
       [&](const Store& store) { return AppendAt(store, 11); }},
      {"piece of an upload sent again", Code::kOutOfRange,
       [&](const Store& store) { return AppendAt(store, 0); }},
      {"wrong digest", Code::kInvalidArgument,
       [&](const Store& store) { return CommitAs(store, unknown_); }},
  });
}

TEST_F(DoorErrorsTest, OfManifestsAndTags) {
  ManifestParts missing;
  missing.config = image_.config;
  missing.layers = {elsewhere_};
  const std::string with_missing = ManifestJson(missing);
  const std::vector<std::string> many_tags(kMaxTagsPerPut + 1, "tag");
  ExpectSameCodes({
      {"no manifest", Code::kInvalidArgument,
       [&](const Store& store) { return PutJson(store, "app", "{}"); }},
      {"too large a manifest", Code::kInvalidArgument,
       [&](const Store& store) {
         return PutJson(store, "app", std::string(kMaxManifestBytes + 1, ' '));
       }},
      {"another digest than that of the bytes", Code::kInvalidArgument,
       [&](const Store& store) { return PutJson(store, "app", image_.json, {}, unknown_); }},
      {"malformed tag of a manifest", Code::kInvalidArgument,
       [&](const Store& store) {
         return PutJson(store, "app", image_.json, {"ok", "not ok"});
       }},
      {"too many tags of a manifest", Code::kInvalidArgument,
       [&](const Store& store) { return PutJson(store, "app", image_.json, many_tags); }},
      {"manifest in a malformed repository", Code::kInvalidArgument,
       [&](const Store& store) { return PutJson(store, "App", image_.json); }},
      {"manifest that names what is not there", Code::kFailedPrecondition,
       [&](const Store& store) { return PutJson(store, "app", with_missing); }},
      {"unknown manifest", Code::kNotFound,
       [&](const Store& store) { return store.manifests.GetManifest("app", unknown_).status(); }},
      {"manifest of another repository", Code::kNotFound,
       [&](const Store& store) {
         return store.manifests.GetManifest("other", image_.manifest).status();
       }},
      {"blob as a manifest", Code::kNotFound,
       [&](const Store& store) {
         return store.manifests.GetManifest("app", image_.layer).status();
       }},
      {"unknown tag", Code::kNotFound,
       [&](const Store& store) { return store.manifests.StatManifest("app", "v2").status(); }},
      {"malformed tag", Code::kInvalidArgument,
       [&](const Store& store) { return store.manifests.GetManifest("app", "-v1").status(); }},
      {"tag of an unknown manifest", Code::kNotFound,
       [&](const Store& store) { return store.manifests.Tag("app", "v2", unknown_); }},
      {"tag of a blob", Code::kNotFound,
       [&](const Store& store) { return store.manifests.Tag("app", "v2", image_.layer); }},
      {"malformed tag to be set", Code::kInvalidArgument,
       [&](const Store& store) { return store.manifests.Tag("app", "v 2", image_.manifest); }},
      {"unknown tag to be removed", Code::kNotFound,
       [&](const Store& store) { return store.manifests.Untag("app", "v2", false); }},
      {"malformed tag to be removed", Code::kInvalidArgument,
       [&](const Store& store) { return store.manifests.Untag("app", "v 2", false); }},
      {"tag of an unknown repository to be removed", Code::kNotFound,
       [&](const Store& store) { return store.manifests.Untag("none", "v1", false); }},
  });
}

TEST_F(DoorErrorsTest, OfListings) {
  ExpectSameCodes({
      {"tags of an unknown repository", Code::kNotFound,
       [&](const Store& store) { return store.manifests.ListTags("none", {}).status(); }},
      {"tags of a malformed repository", Code::kInvalidArgument,
       [&](const Store& store) { return store.manifests.ListTags("None", {}).status(); }},
  });
}

TEST_F(DoorErrorsTest, AllNameTheDigestThatAManifestMisses) {
  ManifestParts parts;
  parts.config = image_.config;
  parts.layers = {unknown_};
  const std::string json = ManifestJson(parts);
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const absl::Status status = PutJson(*way.store, "app", json);
    EXPECT_EQ(status.GetPayload(kMissingDigestPayload), unknown_.ToString()) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(unknown_.ToString()));
  }
}

// Errors of the store itself, as a broken disk gives them: each door says what the one table of
// codes says, and neither tells what only the log may know.
TEST(DoorCodesTest, EveryCodeOfTheStoreComesOutAsTheTableSays) {
  FakeStore store;
  LiveGrpcDoor grpc(store);
  LiveHttpDoor http(store);
  HttpExchanges exchanges(http.port());
  const Digest digest = Sha256(kUnknownText);
  for (int number = 1; number <= 16; ++number) {
    const absl::Status failure(static_cast<Code>(number), "secret /path");
    SCOPED_TRACE(failure.ToString());
    const DoorError expected = MapStatus(failure, About::kManifest);

    store.FailNext("GetManifest", failure);
    const absl::Status told = grpc.store().manifests.GetManifest("app", digest).status();
    EXPECT_EQ(static_cast<int>(told.code()), expected.grpc_code);
    const auto retry_after = told.GetPayload(kRetryAfterPayload);
    EXPECT_EQ(retry_after.has_value() ? std::string(*retry_after) : "0",
              StrCat(expected.retry_after_seconds));

    store.FailNext("GetManifest", failure);
    const HttpResponse response =
        exchanges.Do("GET", StrCat("/v2/app/manifests/", digest.ToString()));
    EXPECT_EQ(response.status, expected.http_status);
    const auto errors = JsonElements(JsonMember(response.body, "errors"));
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(JsonString(JsonMember(errors[0], "code")), expected.oci_code);

    for (const std::string& said : {std::string(told.message()), response.body}) {
      if (expected.detail_is_private) {
        EXPECT_THAT(said, Not(HasSubstr("secret")));
      } else {
        EXPECT_THAT(said, HasSubstr("secret"));
      }
    }
  }
}

}  // namespace
}  // namespace varve
