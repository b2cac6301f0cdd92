// The client library against a live server: verification, and transfers that survive a restart.
#include "client/client.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "client/daemon_address.h"
#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/connected_fixture.h"

namespace varve {
namespace {

using testing::HasSubstr;

class ClientTest : public ConnectedTest {
 protected:
  absl::StatusOr<BlobInfo> Put(const std::string& path, const PutBlobOptions& options = {}) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ByteSource source(fd);
    absl::StatusOr<BlobInfo> blob = client_->PutBlob(source, options);
    close(fd);
    return blob;
  }

  std::string Get(const Digest& digest) {
    std::string bytes;
    const auto sink = [&bytes](std::string_view more) {
      bytes.append(more);
      return absl::OkStatus();
    };
    const absl::StatusOr<BlobInfo> blob = client_->GetBlob(digest, sink, {});
    EXPECT_TRUE(blob.ok()) << blob.status();
    return bytes;
  }
};

TEST_F(ClientTest, AddressesAreChecked) {
  const std::vector<std::pair<std::string, std::string>> good = {
      {"unix:///run/s", "unix:///run/s"}, {"unix:/run/s", "unix:///run/s"},
      {"/run/s", "unix:///run/s"},        {"localhost:1234", "localhost:1234"},
      {"127.0.0.1:5", "127.0.0.1:5"},     {"[::1]:50", "[::1]:50"}};
  for (const auto& [text, canonical] : good) {
    const absl::StatusOr<DaemonAddress> address = ParseDaemonAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(ToString(*address), canonical);
  }
  for (const char* bad :
       {"", "/", "unix://", "unix://s", "unix:s", "host", "host:", ":1", "::1:5", "http://h:1"}) {
    const absl::Status status = ParseDaemonAddress(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("unix:///run/varve/varve.sock"));
  }
}

TEST_F(ClientTest, BlobsOfAllSizesComeBack) {
  for (const size_t size : {size_t{0}, size_t{10}, size_t{5 * kMiB + 3}}) {
    const std::string bytes = TestBytes(size, 1);
    const absl::StatusOr<BlobInfo> blob = Put(WriteFile("f", bytes));
    ASSERT_TRUE(blob.ok()) << blob.status();
    EXPECT_EQ(blob->digest, Sha256Of(bytes));
    EXPECT_EQ(blob->size_bytes, size);
    EXPECT_EQ(Get(blob->digest), bytes);
    EXPECT_TRUE(client_->StatBlob("", blob->digest).ok());
  }
  const Digest absent = Sha256Of("absent");
  EXPECT_THAT(*client_->FindMissing("", {Sha256Of(""), absent}), testing::ElementsAre(absent));
}

TEST_F(ClientTest, AnInputWithAnotherDigestIsNotCommitted) {
  PutBlobOptions options;
  options.expected = Sha256Of("expected");
  EXPECT_EQ(Put(WriteFile("f", "bytes"), options).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(client_->StatBlob("", Sha256Of("bytes")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ClientTest, AnUploadGoesOnWhereAnEarlierTryStopped) {
  const std::string bytes = TestBytes(3 * kMiB, 2);
  UploadOptions try_options;
  try_options.id = "try";
  absl::StatusOr<std::unique_ptr<OpenUpload>> earlier = store_->blobs.BeginUpload("", try_options);
  ASSERT_TRUE(earlier.ok() && (*earlier)->Append(0, bytes.substr(0, 2 * kMiB)).ok());
  earlier->reset();
  uint64_t first_progress = 0;
  PutBlobOptions options;
  options.upload_id = "try";
  options.progress = [&first_progress](uint64_t at) {
    if (first_progress == 0) first_progress = at;
  };
  const absl::StatusOr<BlobInfo> blob = Put(WriteFile("f", bytes), options);
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(first_progress, 3 * kMiB) << "the first two MiB were not sent again";
  EXPECT_EQ(Get(Sha256Of(bytes)), bytes);
}

TEST_F(ClientTest, AnUploadSurvivesARestartOfTheDaemon) {
  const std::string bytes = TestBytes(24 * kMiB, 3);
  const std::string path = WriteFile("f", bytes);
  bool restarted = false;
  PutBlobOptions options;
  options.progress = [&](uint64_t at) {
    if (restarted || at < 8 * kMiB) return;
    restarted = true;
    StopDaemon();
    StartDaemon();
  };
  const absl::StatusOr<BlobInfo> blob = Put(path, options);
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_TRUE(restarted);
  EXPECT_EQ(blob->digest, Sha256Of(bytes));
  EXPECT_EQ(Get(blob->digest), bytes);
}

TEST_F(ClientTest, APipeMayBeSilentForLongerThanAStreamLives) {
  StopDaemon();
  options_.stall_timeout = std::chrono::milliseconds(100);
  StartDaemon();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const std::string bytes = TestBytes(3 * kMiB, 7);
  std::thread producer([&] {
    for (size_t at = 0; at < bytes.size(); at += kMiB) {
      for (size_t done = 0; done < kMiB;) {
        const ssize_t written = write(ends[1], bytes.data() + at + done, kMiB - done);
        if (written > 0) done += static_cast<size_t>(written);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
    close(ends[1]);
  });
  ByteSource source(ends[0]);
  const absl::StatusOr<BlobInfo> blob = client_->PutBlob(source, {});
  producer.join();
  close(ends[0]);
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(Get(Sha256Of(bytes)), bytes);
}

TEST_F(ClientTest, ADownloadSurvivesARestartOfTheDaemon) {
  const std::string bytes = TestBytes(24 * kMiB, 4);
  ASSERT_TRUE(Put(WriteFile("f", bytes)).ok());
  bool restarted = false;
  std::string got;
  const auto sink = [&](std::string_view more) {
    got.append(more);
    if (!restarted && got.size() >= 4 * kMiB) {
      restarted = true;
      StopDaemon();
      StartDaemon();
    }
    return absl::OkStatus();
  };
  const absl::StatusOr<BlobInfo> blob = client_->GetBlob(Sha256Of(bytes), sink, {});
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_TRUE(restarted);
  EXPECT_EQ(got, bytes);
}

TEST_F(ClientTest, ASinkThatFailsEndsTheDownload) {
  ASSERT_TRUE(Put(WriteFile("f", TestBytes(8 * kMiB, 5))).ok());
  const auto sink = [](std::string_view) { return absl::ResourceExhaustedError("disk full"); };
  EXPECT_EQ(client_->GetBlob(Sha256Of(TestBytes(8 * kMiB, 5)), sink, {}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(ClientTest, AnUnreachableDaemonIsTold) {
  StopDaemon();
  EXPECT_EQ(client_->StatBlob("", Sha256Of("x")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(client_->connected());
  EXPECT_EQ(Put(WriteFile("f", "x")).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ClientTest, ADaemonThatWasNeverThereBreaksNoConnection) {
  const auto client = Client::Connect("unix:///nonexistent/varve.sock");
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status status = (*client)->StatBlob("", Sha256Of("x")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("nobody answers"));
}

TEST_F(ClientTest, ImagesAreFoundTaggedAndListed) {
  const ManifestInfo put = PutImage("app", {"v1"}, 6);
  const absl::StatusOr<Manifest> manifest = client_->GetManifest("app", std::string("v1"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->info.digest, put.digest);
  EXPECT_EQ(Sha256Of(manifest->bytes), put.digest);
  EXPECT_TRUE(client_->Tag("app", "v2", put.digest).ok());
  const absl::StatusOr<ImagePage> page = client_->ListImages({"app", {}, false}, "", 1);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->images.size(), 1u);
  EXPECT_EQ(page->images[0].tag, "v1");
  EXPECT_EQ(page->images[0].manifest.config, put.config);
  const absl::StatusOr<ImagePage> next =
      client_->ListImages({"app", {}, false}, page->next_page_token, 1);
  ASSERT_TRUE(next.ok() && next->images.size() == 1);
  EXPECT_EQ(next->images[0].tag, "v2");
  EXPECT_TRUE(client_->Untag("app", "v2", false).ok());
  EXPECT_EQ(client_->Untag("app", "v2", false).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace varve
