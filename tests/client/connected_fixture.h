// A daemon in this process, and a client of it that puts images. One thread.
#ifndef VARVE_TESTS_CLIENT_CONNECTED_FIXTURE_H_
#define VARVE_TESTS_CLIENT_CONNECTED_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "tests/support/content.h"
#include "tests/support/daemon_fixture.h"

namespace varve {

class ConnectedTest : public DaemonTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(DaemonTest::SetUp());
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(Address());
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  // These expect success.
  void PutBlob(const std::string& repository, const std::string& bytes) {
    absl::StatusOr<std::unique_ptr<OpenUpload>> upload = store_->blobs.BeginUpload(repository, {});
    EXPECT_TRUE(upload.ok() && (*upload)->Append(0, bytes).ok() &&
                (*upload)->Commit(Sha256Of(bytes), bytes.size()).ok());
  }

  ManifestInfo PutManifest(const std::string& repository, const std::vector<std::string>& tags,
                           const std::string& manifest) {
    PutManifestRequest request;
    request.bytes = manifest;
    request.tags = tags;
    const absl::StatusOr<ManifestInfo> info = client_->PutManifest(repository, request);
    EXPECT_TRUE(info.ok()) << info.status();
    return info.ok() ? *info : ManifestInfo();
  }

  // An image of one config and one layer, under the tags.
  ManifestInfo PutImage(const std::string& repository, const std::vector<std::string>& tags,
                        uint32_t seed, const std::string& created = "") {
    const std::string time = created.empty() ? "" : ",\"created\":\"" + created + "\"";
    const std::string config = "{\"seed\":" + std::to_string(seed) + time + "}";
    const std::string layer = TestBytes(5000, seed);
    PutBlob(repository, config);
    PutBlob(repository, layer);
    return PutManifest(repository, tags,
                       ManifestOf(Described(kConfigType, config), {Described(kLayerType, layer)}));
  }

  std::unique_ptr<Client> client_;
};

}  // namespace varve

#endif  // VARVE_TESTS_CLIENT_CONNECTED_FIXTURE_H_
