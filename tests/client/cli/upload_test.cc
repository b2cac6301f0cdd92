// `varve upload` as people and scripts meet it.
#include "gmock/gmock.h"
#include "tests/client/varve_command.h"

namespace varve {
namespace {

using testing::HasSubstr;
using testing::Not;

class CliUploadTest : public CommandTest {
 protected:
  void Begin(const std::string& id, const std::string& repository, size_t bytes) {
    UploadOptions options;
    options.id = id;
    options.client = "192.0.2.1";
    const auto upload = store_->blobs.BeginUpload(repository, options);
    ASSERT_TRUE(upload.ok()) << upload.status();
    ASSERT_TRUE((*upload)->Append(0, std::string(bytes, 'x')).ok());
  }
};

TEST_F(CliUploadTest, UploadsAreListedAndRemoved) {
  EXPECT_THAT(OutputOf({"upload", "ls"}), Not(HasSubstr("layer-1")));
  Begin("layer-1", "app", 70'000);
  Begin("layer-2", "", 0);
  const std::string table = OutputOf({"upload", "ls"});
  EXPECT_THAT(table, HasSubstr("REPOSITORY"));
  EXPECT_THAT(table, HasSubstr("192.0.2.1"));
  EXPECT_EQ(OutputOf({"upload", "ls", "-q"}), "layer-1\nlayer-2\n");
  const std::string json = OutputOf({"upload", "ls", "--json"});
  EXPECT_THAT(json, HasSubstr(R"("id":"layer-1","repository":"app","client":"192.0.2.1",)"
                              R"("received_bytes":70000,)"));
  EXPECT_THAT(json, HasSubstr(R"("in_request":false)"));
  EXPECT_EQ(OutputOf({"upload", "rm", "layer-1"}), "layer-1\n");
  EXPECT_EQ(OutputOf({"upload", "ls", "-q"}), "layer-2\n");
  EXPECT_EQ(store_->blobs.ResumeUpload("app", "layer-1").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace varve
